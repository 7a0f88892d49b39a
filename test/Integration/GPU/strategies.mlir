// Kernels with other strategies than would be chosen for their size.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --gpu-schedule-kernels --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --codegen-inline-calls --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s

// Four vectors a thread, at one place of the rows. The last block is not full.
// CHECK: @rows: 1 buffers written
func.func @rows(%x: tensor<101x12xf32>, %b: tensor<12xf32>) -> tensor<101x12xf32> {
  %e = tensor.empty() : tensor<101x12xf32>
  %r = func.call @rows_kernel(%x, %b, %e) : (tensor<101x12xf32>, tensor<12xf32>, tensor<101x12xf32>) -> tensor<101x12xf32>
  return %r : tensor<101x12xf32>
}
func.func private @rows_kernel(%x: tensor<101x12xf32>, %b: tensor<12xf32>, %d: tensor<101x12xf32>) -> tensor<101x12xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 4 : i64, order = array<i64: 0, 1>, threads = 6 : i64, tile_dim = -1 : i64, vectors = 4 : i64}} {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<101x12xf32>, tensor<12xf32>) outs(%d : tensor<101x12xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<101x12xf32>
  return %r : tensor<101x12xf32>
}

// The same where a block is no whole number of rows, and a vector is longer than
// what is left of a row.
// CHECK: @rest: 1 buffers written
func.func @rest(%x: tensor<31x13xf32>, %b: tensor<13xf32>) -> tensor<31x13xf32> {
  %e = tensor.empty() : tensor<31x13xf32>
  %r = func.call @rest_kernel(%x, %b, %e) : (tensor<31x13xf32>, tensor<13xf32>, tensor<31x13xf32>) -> tensor<31x13xf32>
  return %r : tensor<31x13xf32>
}
func.func private @rest_kernel(%x: tensor<31x13xf32>, %b: tensor<13xf32>, %d: tensor<31x13xf32>) -> tensor<31x13xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 2 : i64, order = array<i64: 0, 1>, threads = 32 : i64, tile_dim = -1 : i64, vectors = 2 : i64}} {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<31x13xf32>, tensor<13xf32>) outs(%d : tensor<31x13xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<31x13xf32>
  return %r : tensor<31x13xf32>
}
