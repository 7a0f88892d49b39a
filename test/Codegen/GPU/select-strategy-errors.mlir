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
