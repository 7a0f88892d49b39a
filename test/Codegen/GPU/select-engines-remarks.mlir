// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=vendor}))' --split-input-file --remarks-filter=".*" --remark-policy=all -o /dev/null 2>&1 | FileCheck %s
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=vendor fp32-precision=tf32x3}))' --split-input-file --remarks-filter=".*" --remark-policy=all -o /dev/null 2>&1 | FileCheck %s --check-prefix=X3

// What no library computes is generated, and a remark says why.

// CHECK: [Missed] SelectEngine | Category:gpu-select-engines {{.*}}'linalg.matmul' is computed by a generated kernel because it has a dynamic shape
func.func @dynamic(%a: tensor<?x32xf32>, %b: tensor<32x48xf32>, %c: tensor<?x48xf32>) -> tensor<?x48xf32> {
  %r = linalg.matmul {memrev.engine = "vendor"} ins(%a, %b : tensor<?x32xf32>, tensor<32x48xf32>) outs(%c : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %r : tensor<?x48xf32>
}

// -----

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because cuDNN has no convolution of its element types with the channels last
func.func @window_f64(%x: tensor<2x8x8x4xf64>, %w: tensor<3x3x4x8xf64>, %y: tensor<2x6x6x8xf64>) -> tensor<2x6x6x8xf64> {
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x8x8x4xf64>, tensor<3x3x4x8xf64>) outs(%y : tensor<2x6x6x8xf64>) -> tensor<2x6x6x8xf64>
  return %r : tensor<2x6x6x8xf64>
}

// -----

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because an image is padded by more at one end than at the other, or is a part of another one
func.func @one_end(%x: tensor<2x8x8x4xf32>, %w: tensor<2x2x4x8xf32>, %y: tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32> {
  %v = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 0, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %v : f32
  } : tensor<2x8x8x4xf32> to tensor<2x9x9x4xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<2x9x9x4xf32>, tensor<2x2x4x8xf32>) outs(%y : tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32>
  return %r : tensor<2x8x8x8xf32>
}

// -----

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because an image is padded with a number that is not zero
func.func @padded_ones(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x8xf32>, %y: tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32> {
  %v = arith.constant 1.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %v : f32
  } : tensor<2x8x8x4xf32> to tensor<2x10x10x4xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<2x10x10x4xf32>, tensor<3x3x4x8xf32>) outs(%y : tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32>
  return %r : tensor<2x8x8x8xf32>
}

// -----

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because the image is a part of another one
func.func @channels(%x: tensor<2x8x8x8xf32>, %w: tensor<3x3x4x8xf32>, %y: tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32> {
  %part = tensor.extract_slice %x[0, 0, 0, 4] [2, 8, 8, 4] [1, 1, 1, 1] : tensor<2x8x8x8xf32> to tensor<2x8x8x4xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%part, %w : tensor<2x8x8x4xf32>, tensor<3x3x4x8xf32>) outs(%y : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  return %r : tensor<2x6x6x8xf32>
}

// -----

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because the image is a part of another one
func.func @rows(%x: tensor<2x12x8x4xf32>, %w: tensor<3x3x4x8xf32>, %y: tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32> {
  %part = tensor.extract_slice %x[0, 2, 0, 0] [2, 8, 8, 4] [1, 1, 1, 1] : tensor<2x12x8x4xf32> to tensor<2x8x8x4xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%part, %w : tensor<2x8x8x4xf32>, tensor<3x3x4x8xf32>) outs(%y : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  return %r : tensor<2x6x6x8xf32>
}

// -----

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because an operand is not aligned to 16 bytes
func.func @unaligned(%x: tensor<3x5x5x3xf32>, %w: tensor<3x3x3x8xf32>, %y: tensor<2x3x3x8xf32>) -> tensor<2x3x3x8xf32> {
  %part = tensor.extract_slice %x[1, 0, 0, 0] [2, 5, 5, 3] [1, 1, 1, 1] : tensor<3x5x5x3xf32> to tensor<2x5x5x3xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%part, %w : tensor<2x5x5x3xf32>, tensor<3x3x3x8xf32>) outs(%y : tensor<2x3x3x8xf32>) -> tensor<2x3x3x8xf32>
  return %r : tensor<2x3x3x8xf32>
}

// -----

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because its filter is shorter than 16 bytes
func.func @small(%x: tensor<2x8x8x1xf32>, %w: tensor<1x3x1x1xf32>, %y: tensor<2x8x6x1xf32>) -> tensor<2x8x6x1xf32> {
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x8x8x1xf32>, tensor<1x3x1x1xf32>) outs(%y : tensor<2x8x6x1xf32>) -> tensor<2x8x6x1xf32>
  return %r : tensor<2x8x6x1xf32>
}

// -----

// X3: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because cuDNN does not multiply as tf32x3
func.func @window_x3(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x8xf32>, %y: tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32> {
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x8x8x4xf32>, tensor<3x3x4x8xf32>) outs(%y : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  return %r : tensor<2x6x6x8xf32>
}

// -----

// The gradient of an image by phases, for a stride: each writes every second row.

// CHECK: 'linalg.conv_2d_nhwc_hwcf' is computed by a generated kernel because its result, or the gradient of that, is a part of a tensor
func.func @phase(%x: tensor<2x5x5x4xf32>, %w: tensor<2x2x4x8xf32>, %y: tensor<2x8x8x8xf32>) -> tensor<2x8x8x8xf32> {
  %part = tensor.extract_slice %y[0, 0, 0, 0] [2, 4, 4, 8] [1, 2, 2, 1] : tensor<2x8x8x8xf32> to tensor<2x4x4x8xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x5x5x4xf32>, tensor<2x2x4x8xf32>) outs(%part : tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %in = tensor.insert_slice %r into %y[0, 0, 0, 0] [2, 4, 4, 8] [1, 2, 2, 1] : tensor<2x4x4x8xf32> into tensor<2x8x8x8xf32>
  return %in : tensor<2x8x8x8xf32>
}

// -----

// CHECK: 'linalg.conv_3d_ndhwc_dhwcf' is computed by a generated kernel because its images do not have one or two dimensions, with the channels last
func.func @volume(%x: tensor<2x6x6x6x4xf32>, %w: tensor<3x3x3x4x8xf32>, %y: tensor<2x4x4x4x8xf32>) -> tensor<2x4x4x4x8xf32> {
  %r = linalg.conv_3d_ndhwc_dhwcf ins(%x, %w : tensor<2x6x6x6x4xf32>, tensor<3x3x3x4x8xf32>) outs(%y : tensor<2x4x4x4x8xf32>) -> tensor<2x4x4x4x8xf32>
  return %r : tensor<2x4x4x4x8xf32>
}

// -----

// CHECK: 'linalg.conv_2d_nchw_fchw' is computed by a generated kernel because its images do not have one or two dimensions, with the channels last
func.func @channels_first(%x: tensor<2x4x8x8xf32>, %w: tensor<8x4x3x3xf32>, %y: tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32> {
  %r = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<2x4x8x8xf32>, tensor<8x4x3x3xf32>) outs(%y : tensor<2x8x6x6xf32>) -> tensor<2x8x6x6xf32>
  return %r : tensor<2x8x6x6xf32>
}

// -----

// CHECK: 'linalg.conv_2d' is computed by a generated kernel because it has neither several images nor several channels
func.func @plain(%x: tensor<8x8xf32>, %w: tensor<3x3xf32>, %y: tensor<6x6xf32>) -> tensor<6x6xf32> {
  %r = linalg.conv_2d ins(%x, %w : tensor<8x8xf32>, tensor<3x3xf32>) outs(%y : tensor<6x6xf32>) -> tensor<6x6xf32>
  return %r : tensor<6x6xf32>
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
