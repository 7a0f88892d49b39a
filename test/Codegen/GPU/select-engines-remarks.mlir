// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=vendor}))' --split-input-file --remarks-filter=".*" --remark-policy=all -o /dev/null 2>&1 | FileCheck %s
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=vendor fp32-precision=tf32x3}))' --split-input-file --remarks-filter=".*" --remark-policy=all -o /dev/null 2>&1 | FileCheck %s --check-prefix=X3

// What no library computes is generated, and a remark says why.

// CHECK: [Missed] SelectEngine | Category:gpu-select-engines {{.*}}'linalg.matmul' is computed by a generated kernel because it has a dynamic shape
func.func @dynamic(%a: tensor<?x32xf32>, %b: tensor<32x48xf32>, %c: tensor<?x48xf32>) -> tensor<?x48xf32> {
  %r = linalg.matmul {memrev.engine = "vendor"} ins(%a, %b : tensor<?x32xf32>, tensor<32x48xf32>) outs(%c : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %r : tensor<?x48xf32>
}

// -----

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because its rows, columns, depth or batch are not one range
func.func @window(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x8xf32>, %y: tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32> {
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x8x8x4xf32>, tensor<3x3x4x8xf32>) outs(%y : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  return %r : tensor<2x6x6x8xf32>
}

// -----

// CHECK: 'linalg.matvec' is computed by a generated kernel because it is no product of two matrices
func.func @vector(%a: tensor<64x32xf32>, %b: tensor<32xf32>, %c: tensor<64xf32>) -> tensor<64xf32> {
  %r = linalg.matvec ins(%a, %b : tensor<64x32xf32>, tensor<32xf32>) outs(%c : tensor<64xf32>) -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// -----

// CHECK: 'linalg.matmul' is computed by a generated kernel because its sums start from a number that is not zero
func.func @ones(%a: tensor<64x32xf32>, %b: tensor<32x48xf32>) -> tensor<64x48xf32> {
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<64x48xf32>
  %init = linalg.fill ins(%one : f32) outs(%e : tensor<64x48xf32>) -> tensor<64x48xf32>
  %r = linalg.matmul ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%init : tensor<64x48xf32>) -> tensor<64x48xf32>
  return %r : tensor<64x48xf32>
}

// -----

// CHECK: 'linalg.matmul' is computed by a generated kernel because cuBLASLt has no product of its element types
func.func @widened(%a: tensor<64x32xf32>, %b: tensor<32x48xf32>, %c: tensor<64x48xf64>) -> tensor<64x48xf64> {
  %r = linalg.matmul ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%c : tensor<64x48xf64>) -> tensor<64x48xf64>
  return %r : tensor<64x48xf64>
}

// -----

// Every second row and column.

// CHECK: 'linalg.matmul' is computed by a generated kernel because the strides of an operand are not those of a matrix
func.func @strided(%whole: tensor<128x64xf32>, %b: tensor<32x48xf32>, %c: tensor<64x48xf32>) -> tensor<64x48xf32> {
  %a = tensor.extract_slice %whole[0, 0] [64, 32] [2, 2] : tensor<128x64xf32> to tensor<64x32xf32>
  %r = linalg.matmul ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%c : tensor<64x48xf32>) -> tensor<64x48xf32>
  return %r : tensor<64x48xf32>
}

// -----

// CHECK: 'linalg.matmul' is computed by a generated kernel because an operand is padded
func.func @padded(%x: tensor<60x30xf32>, %b: tensor<32x48xf32>, %c: tensor<64x48xf32>) -> tensor<64x48xf32> {
  %zero = arith.constant 0.0 : f32
  %a = tensor.pad %x low[2, 1] high[2, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<60x30xf32> to tensor<64x32xf32>
  %r = linalg.matmul ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%c : tensor<64x48xf32>) -> tensor<64x48xf32>
  return %r : tensor<64x48xf32>
}

// -----

// X3: 'linalg.matmul' is computed by a generated kernel because cuBLASLt does not multiply as tf32x3
func.func @product(%a: tensor<64x32xf32>, %b: tensor<32x48xf32>, %c: tensor<64x48xf32>) -> tensor<64x48xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%c : tensor<64x48xf32>) -> tensor<64x48xf32>
  return %r : tensor<64x48xf32>
}

// -----

// CHECK: remark: {{.*}} because its batch has two dimensions, which takes too many calls
func.func @images(%q: tensor<20x12x30x8xf32>, %k: tensor<20x12x30x8xf32>, %init: tensor<20x30x12x12xf32>) -> tensor<20x30x12x12xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(n, h, i, j, d) -> (n, i, h, d)>, affine_map<(n, h, i, j, d) -> (n, j, h, d)>,
                                        affine_map<(n, h, i, j, d) -> (n, h, i, j)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<20x12x30x8xf32>, tensor<20x12x30x8xf32>) outs(%init : tensor<20x30x12x12xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<20x30x12x12xf32>
  return %s : tensor<20x30x12x12xf32>
}
