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

// Rows end with less than a vector. Two sums at once, from what buffers hold.
// CHECK: @row_rest: 2 buffers written
func.func @row_rest(%x: tensor<7x23xf64>, %s: tensor<7xf64>, %m: tensor<7xf64>) -> (tensor<7xf64>, tensor<7xf64>) {
  %e = tensor.empty() : tensor<7xf64>
  %g = tensor.empty() : tensor<7xf64>
  %r:2 = func.call @row_rest_kernel(%x, %s, %m, %e, %g) : (tensor<7x23xf64>, tensor<7xf64>, tensor<7xf64>, tensor<7xf64>, tensor<7xf64>) -> (tensor<7xf64>, tensor<7xf64>)
  return %r#0, %r#1 : tensor<7xf64>, tensor<7xf64>
}
func.func private @row_rest_kernel(%x: tensor<7x23xf64>, %s: tensor<7xf64>, %m: tensor<7xf64>, %d: tensor<7xf64>, %e: tensor<7xf64>) -> (tensor<7xf64>, tensor<7xf64>) attributes {memrev.kernel, memrev.strategy = {engine = "reduction", across = 4 : i64, along = 8 : i64, lanes = 2 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<7x23xf64>) outs(%s, %m : tensor<7xf64>, tensor<7xf64>) {
  ^bb0(%a: f64, %o: f64, %p: f64):
    %0 = arith.addf %o, %a : f64
    %1 = arith.maximumf %p, %a : f64
    linalg.yield %0, %1 : f64, f64
  } -> (tensor<7xf64>, tensor<7xf64>)
  return %r#0, %r#1 : tensor<7xf64>, tensor<7xf64>
}

// The same in three splits of four warps each; the first takes what is left.
// CHECK: @row_splits: 2 buffers written
func.func @row_splits(%x: tensor<3x1013xf64>, %s: tensor<3xf64>, %m: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) {
  %e = tensor.empty() : tensor<3xf64>
  %g = tensor.empty() : tensor<3xf64>
  %r:2 = func.call @row_splits_kernel(%x, %s, %m, %e, %g) : (tensor<3x1013xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  return %r#0, %r#1 : tensor<3xf64>, tensor<3xf64>
}
func.func private @row_splits_kernel(%x: tensor<3x1013xf64>, %s: tensor<3xf64>, %m: tensor<3xf64>, %d: tensor<3xf64>, %e: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) attributes {memrev.kernel, memrev.strategy = {engine = "reduction", across = 1 : i64, along = 128 : i64, lanes = 2 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 3 : i64, unroll = 2 : i64, vector_dim = 1 : i64}} {
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x1013xf64>) outs(%s, %m : tensor<3xf64>, tensor<3xf64>) {
  ^bb0(%a: f64, %o: f64, %p: f64):
    %0 = arith.addf %o, %a : f64
    %1 = arith.maximumf %p, %a : f64
    linalg.yield %0, %1 : f64, f64
  } -> (tensor<3xf64>, tensor<3xf64>)
  return %r#0, %r#1 : tensor<3xf64>, tensor<3xf64>
}

// Splits without terms.
// CHECK: @many_splits: 2 buffers written
func.func @many_splits(%x: tensor<5x40xf64>, %s: tensor<5xf64>, %m: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>) {
  %e = tensor.empty() : tensor<5xf64>
  %g = tensor.empty() : tensor<5xf64>
  %r:2 = func.call @many_splits_kernel(%x, %s, %m, %e, %g) : (tensor<5x40xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>)
  return %r#0, %r#1 : tensor<5xf64>, tensor<5xf64>
}
func.func private @many_splits_kernel(%x: tensor<5x40xf64>, %s: tensor<5xf64>, %m: tensor<5xf64>, %d: tensor<5xf64>, %e: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>) attributes {memrev.kernel, memrev.strategy = {engine = "reduction", across = 4 : i64, along = 8 : i64, lanes = 2 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 20 : i64, unroll = 4 : i64, vector_dim = 1 : i64}} {
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<5x40xf64>) outs(%s, %m : tensor<5xf64>, tensor<5xf64>) {
  ^bb0(%a: f64, %o: f64, %p: f64):
    %0 = arith.addf %o, %a : f64
    %1 = arith.maximumf %p, %a : f64
    linalg.yield %0, %1 : f64, f64
  } -> (tensor<5xf64>, tensor<5xf64>)
  return %r#0, %r#1 : tensor<5xf64>, tensor<5xf64>
}

// Seven threads share a column, which is no power of two.
// CHECK: @column_rows: 2 buffers written
func.func @column_rows(%x: tensor<100x10xf64>, %s: tensor<10xf64>, %m: tensor<10xf64>) -> (tensor<10xf64>, tensor<10xf64>) {
  %e = tensor.empty() : tensor<10xf64>
  %g = tensor.empty() : tensor<10xf64>
  %r:2 = func.call @column_rows_kernel(%x, %s, %m, %e, %g) : (tensor<100x10xf64>, tensor<10xf64>, tensor<10xf64>, tensor<10xf64>, tensor<10xf64>) -> (tensor<10xf64>, tensor<10xf64>)
  return %r#0, %r#1 : tensor<10xf64>, tensor<10xf64>
}
func.func private @column_rows_kernel(%x: tensor<100x10xf64>, %s: tensor<10xf64>, %m: tensor<10xf64>, %d: tensor<10xf64>, %e: tensor<10xf64>) -> (tensor<10xf64>, tensor<10xf64>) attributes {memrev.kernel, memrev.strategy = {engine = "reduction", across = 3 : i64, along = 7 : i64, lanes = 2 : i64, order = array<i64: 1>, reduced = array<i64: 0>, splits = 2 : i64, unroll = 2 : i64, vector_dim = 1 : i64}} {
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d1)>],
      iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<100x10xf64>) outs(%s, %m : tensor<10xf64>, tensor<10xf64>) {
  ^bb0(%a: f64, %o: f64, %p: f64):
    %0 = arith.addf %o, %a : f64
    %1 = arith.maximumf %p, %a : f64
    linalg.yield %0, %1 : f64, f64
  } -> (tensor<10xf64>, tensor<10xf64>)
  return %r#0, %r#1 : tensor<10xf64>, tensor<10xf64>
}

// Terms of two dimensions with the vectors along the first.
// CHECK: @two_dims: 2 buffers written
func.func @two_dims(%x: tensor<6x5x9xf64>, %s: tensor<5xf64>, %m: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>) {
  %e = tensor.empty() : tensor<5xf64>
  %g = tensor.empty() : tensor<5xf64>
  %r:2 = func.call @two_dims_kernel(%x, %s, %m, %e, %g) : (tensor<6x5x9xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>)
  return %r#0, %r#1 : tensor<5xf64>, tensor<5xf64>
}
func.func private @two_dims_kernel(%x: tensor<6x5x9xf64>, %s: tensor<5xf64>, %m: tensor<5xf64>, %d: tensor<5xf64>, %e: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>) attributes {memrev.kernel, memrev.strategy = {engine = "reduction", across = 2 : i64, along = 4 : i64, lanes = 1 : i64, order = array<i64: 1>, reduced = array<i64: 2, 0>, splits = 2 : i64, unroll = 2 : i64, vector_dim = -1 : i64}} {
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d1)>, affine_map<(d0, d1, d2) -> (d1)>],
      iterator_types = ["reduction", "parallel", "reduction"]}
      ins(%x : tensor<6x5x9xf64>) outs(%s, %m : tensor<5xf64>, tensor<5xf64>) {
  ^bb0(%a: f64, %o: f64, %p: f64):
    %0 = arith.addf %o, %a : f64
    %1 = arith.maximumf %p, %a : f64
    linalg.yield %0, %1 : f64, f64
  } -> (tensor<5xf64>, tensor<5xf64>)
  return %r#0, %r#1 : tensor<5xf64>, tensor<5xf64>
}

// All in one thread.
// CHECK: @one_thread: 2 buffers written
func.func @one_thread(%x: tensor<3x4xf64>, %s: tensor<3xf64>, %m: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) {
  %e = tensor.empty() : tensor<3xf64>
  %g = tensor.empty() : tensor<3xf64>
  %r:2 = func.call @one_thread_kernel(%x, %s, %m, %e, %g) : (tensor<3x4xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  return %r#0, %r#1 : tensor<3xf64>, tensor<3xf64>
}
func.func private @one_thread_kernel(%x: tensor<3x4xf64>, %s: tensor<3xf64>, %m: tensor<3xf64>, %d: tensor<3xf64>, %e: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) attributes {memrev.kernel, memrev.strategy = {engine = "reduction", across = 1 : i64, along = 1 : i64, lanes = 2 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x4xf64>) outs(%s, %m : tensor<3xf64>, tensor<3xf64>) {
  ^bb0(%a: f64, %o: f64, %p: f64):
    %0 = arith.addf %o, %a : f64
    %1 = arith.maximumf %p, %a : f64
    linalg.yield %0, %1 : f64, f64
  } -> (tensor<3xf64>, tensor<3xf64>)
  return %r#0, %r#1 : tensor<3xf64>, tensor<3xf64>
}
