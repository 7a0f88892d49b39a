// RUN: memrev-opt %s --gpu-select-strategy --split-input-file --remarks-filter=.* --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: not memrev-opt %s --gpu-select-strategy=chip=gfx90a 2>&1 | FileCheck %s
// RUN: not memrev-opt %s --gpu-select-strategy=fp32-precision=fp8 2>&1 | FileCheck %s --check-prefix=PRECISION

// CHECK: error: expects a chip to choose a strategy for, sm_90 for example, but got 'gfx90a'
// PRECISION: error: expects fp32-precision to be ieee, tf32 or tf32x3, but got 'fp8'

// REMARK: remark: {{.*}}'no_linalg' computes an element a thread because its result is not that of a linalg op
func.func private @no_linalg(%x: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel} {
  return %x : tensor<4xf32>
}

// -----

// A thread may write what another one has not read yet.
// REMARK: remark: {{.*}}'moves' computes an element a thread because it reads elements that it overwrites elsewhere
func.func private @moves(%d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel} {
  %s = tensor.extract_slice %d[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %e = tensor.extract_slice %d[4] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%s : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %i = tensor.insert_slice %r into %d[4] [4] [1] : tensor<4xf32> into tensor<8xf32>
  return %i : tensor<8xf32>
}

// -----

// REMARK: remark: {{.*}}'product' computes an element a thread because it reads a tensor that it computes
func.func private @product(%x: tensor<4x4xf32>, %d: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {memrev.kernel} {
  %c = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %c : tensor<4x4xf32>, tensor<4xf32>) outs(%d : tensor<4x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<4x4xf32>
  return %r : tensor<4x4xf32>
}

// -----

// What is added to lies elsewhere than the sum.
// REMARK: remark: {{.*}}'shifts' computes an element a thread because it starts from elements that it overwrites elsewhere
func.func private @shifts(%x: tensor<4xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel} {
  %s = tensor.extract_slice %d[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%s : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %i = tensor.insert_slice %r into %d[4] [4] [1] : tensor<4xf32> into tensor<8xf32>
  return %i : tensor<8xf32>
}

// -----

// The transposed product overwrites what the product is added to.
// REMARK: remark: {{.*}}'transposes' computes an element a thread because it starts from elements that it overwrites elsewhere
func.func private @transposes(%x: tensor<16x24xf32>, %y: tensor<24x16xf32>, %d: tensor<16x16xf32>) -> tensor<16x16xf32> attributes {memrev.kernel} {
  %p = linalg.matmul ins(%x, %y : tensor<16x24xf32>, tensor<24x16xf32>) outs(%d : tensor<16x16xf32>) -> tensor<16x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<16x16xf32>) outs(%d : tensor<16x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  } -> tensor<16x16xf32>
  return %r : tensor<16x16xf32>
}

// -----

// A constant is no scalar where it is padded with another number.
// REMARK: remark: {{.*}}'frame' computes an element a thread because an operand is not accessed by an affine function of the loops
func.func private @frame(%x: tensor<6xf32>, %d: tensor<6xf32>) -> tensor<6xf32> attributes {memrev.kernel} {
  %c = arith.constant dense<1.0> : tensor<4xf32>
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %c low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %z : f32
  } : tensor<4xf32> to tensor<6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x, %p : tensor<6xf32>, tensor<6xf32>) outs(%d : tensor<6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<6xf32>
  return %r : tensor<6xf32>
}

// -----

// REMARK: remark: {{.*}}'narrow' computes an element a thread because its elements are floats of a type that LLVM does not have
func.func private @narrow(%x: tensor<4x8xf8E4M3FN>, %d: tensor<8x4xf8E4M3FN>) -> tensor<8x4xf8E4M3FN> attributes {memrev.kernel} {
  %r = linalg.transpose ins(%x : tensor<4x8xf8E4M3FN>) outs(%d : tensor<8x4xf8E4M3FN>) permutation = [1, 0]
  return %r : tensor<8x4xf8E4M3FN>
}

// -----

// REMARK: remark: {{.*}}'huge' computes an element a thread because it has 2^63 iterations or more
func.func private @huge(%x: tensor<2147483648xf32>, %y: tensor<4294967296xf32>, %d: tensor<f32>) -> tensor<f32> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]} ins(%x, %y : tensor<2147483648xf32>, tensor<4294967296xf32>) outs(%d : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    %t = arith.maximumf %s, %o : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}
