// RUN: memrev-opt %s --gpu-select-strategy --split-input-file | FileCheck %s
// RUN: memrev-opt %s --gpu-select-strategy=chip=sm_80 --split-input-file --mlir-print-local-scope | FileCheck %s --check-prefix=SM80

// 16 bytes at once along the dimension that is contiguous in most tensors; what
// is broadcast to the rows is read once by a thread whose four vectors lie below
// each other.

// CHECK-LABEL: @bias
// CHECK-SAME: memrev.strategy = {engine = "elementwise", lanes = 4 : i64, order = array<i64: 0, 1>, threads = 192 : i64, tile_dim = -1 : i64, vectors = 4 : i64}
// SM80-LABEL: @bias
// SM80-SAME: vectors = 4 : i64
func.func private @bias(%x: tensor<65536x48xf32>, %b: tensor<48xf32>, %d: tensor<65536x48xf32>) -> tensor<65536x48xf32> attributes {memrev.kernel} {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<65536x48xf32>, tensor<48xf32>) outs(%d : tensor<65536x48xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<65536x48xf32>
  return %r : tensor<65536x48xf32>
}

// -----

// The widest type has 16 bytes. A small kernel has small blocks and no more
// vectors than it needs to reach all multiprocessors.

// CHECK-LABEL: @convert
// CHECK-SAME: lanes = 2 : i64, order = array<i64: 0>, threads = 128 : i64, tile_dim = -1 : i64, vectors = 1 : i64
func.func private @convert(%x: tensor<1000xf16>, %d: tensor<1000xf64>) -> tensor<1000xf64> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<1000xf16>) outs(%d : tensor<1000xf64>) {
  ^bb0(%a: f16, %o: f64):
    %0 = arith.extf %a : f16 to f64
    linalg.yield %0 : f64
  } -> tensor<1000xf64>
  return %r : tensor<1000xf64>
}

// -----

// Rows of six elements, of which every other one starts at 8 bytes.

// CHECK-LABEL: @rows
// CHECK-SAME: lanes = 2 : i64, order = array<i64: 0, 1>
func.func private @rows(%x: tensor<100x6xf32>, %b: tensor<6xf32>, %d: tensor<100x6xf32>) -> tensor<100x6xf32> attributes {memrev.kernel} {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<100x6xf32>, tensor<6xf32>) outs(%d : tensor<100x6xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<100x6xf32>
  return %r : tensor<100x6xf32>
}

// -----

// A slice at an offset that is known at run time only, in rows whose start is
// aligned: the offset counts whole rows.

// CHECK-LABEL: @slice
// CHECK-SAME: lanes = 4 : i64
func.func private @slice(%x: tensor<5x64xf32>, %i: index, %d: tensor<64xf32>) -> tensor<64xf32> attributes {memrev.kernel} {
  %s = tensor.extract_slice %x[%i, 0] [1, 64] [1, 1] : tensor<5x64xf32> to tensor<64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%s : tensor<64xf32>) outs(%d : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// -----

// What is written in elements of another order than they are read in goes
// through tiles, if both sides are long enough.

// CHECK-LABEL: @transpose
// CHECK-SAME: lanes = 1 : i64, order = array<i64: 0, 1>, threads = 256 : i64, tile_dim = 0 : i64, vectors = 1 : i64
func.func private @transpose(%x: tensor<48x100xf16>, %d: tensor<100x48xf16>) -> tensor<100x48xf16> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<48x100xf16>) outs(%d : tensor<100x48xf16>) {
  ^bb0(%a: f16, %o: f16):
    linalg.yield %a : f16
  } -> tensor<100x48xf16>
  return %r : tensor<100x48xf16>
}

// CHECK-LABEL: @transpose_short
// CHECK-SAME: order = array<i64: 0, 1>, threads = 128 : i64, tile_dim = -1 : i64
func.func private @transpose_short(%x: tensor<3x100xf16>, %d: tensor<100x3xf16>) -> tensor<100x3xf16> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<3x100xf16>) outs(%d : tensor<100x3xf16>) {
  ^bb0(%a: f16, %o: f16):
    linalg.yield %a : f16
  } -> tensor<100x3xf16>
  return %r : tensor<100x3xf16>
}

// -----

// Terms that are contiguous are reduced by neighbouring threads: some lanes of a
// warp for short rows, and a block for long ones of which there are few.

// CHECK-LABEL: @short_rows
// CHECK-SAME: {across = 32 : i64, along = 8 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 2 : i64, vector_dim = 1 : i64}
func.func private @short_rows(%x: tensor<9000x128xf32>, %d: tensor<9000xf32>) -> tensor<9000xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<9000xf32>) -> tensor<9000xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<9000x128xf32>) outs(%f : tensor<9000xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<9000xf32>
  return %r : tensor<9000xf32>
}

// CHECK-LABEL: @long_rows
// CHECK-SAME: {across = 1 : i64, along = 256 : i64, {{.*}}lanes = 8 : i64, {{.*}}splits = 2 : i64, unroll = 4 : i64
func.func private @long_rows(%x: tensor<4x40000xf16>, %d: tensor<4xf16>) -> tensor<4xf16> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f16
  %f = linalg.fill ins(%z : f16) outs(%d : tensor<4xf16>) -> tensor<4xf16>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x40000xf16>) outs(%f : tensor<4xf16>) {
  ^bb0(%a: f16, %o: f16):
    %0 = arith.addf %o, %a : f16
    linalg.yield %0 : f16
  } -> tensor<4xf16>
  return %r : tensor<4xf16>
}

// -----

// The statistics of a batch norm: neighbouring threads have neighbouring results,
// and many blocks share the terms. The order of the sum depends on the chip by
// the number of its multiprocessors.

// CHECK-LABEL: @statistics
// CHECK-SAME: {across = 4 : i64, along = 64 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 1>, reduced = array<i64: 0>, splits = 200 : i64, unroll = 4 : i64, vector_dim = 1 : i64}
func.func private @statistics(%x: tensor<102400x16xf32>, %d: tensor<16xf32>, %e: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>) attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<16xf32>) -> tensor<16xf32>
  %g = linalg.fill ins(%z : f32) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (j)>],
      iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<102400x16xf32>) outs(%f, %g : tensor<16xf32>, tensor<16xf32>) {
  ^bb0(%a: f32, %o: f32, %p: f32):
    %0 = arith.addf %o, %a : f32
    %1 = arith.mulf %a, %a : f32
    %2 = arith.addf %p, %1 : f32
    linalg.yield %0, %2 : f32, f32
  } -> (tensor<16xf32>, tensor<16xf32>)
  return %r#0, %r#1 : tensor<16xf32>, tensor<16xf32>
}

// -----

// The place of a maximum cannot be combined: a thread takes all terms of a
// result, in order.

// CHECK-LABEL: @arg_max
// CHECK-SAME: {across = 128 : i64, along = 1 : i64, engine = "reduction", lanes = 2 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}
func.func private @arg_max(%x: tensor<100x10xf32>, %m: tensor<100xf32>, %d: tensor<100xi32>) -> (tensor<100xf32>, tensor<100xi32>) attributes {memrev.kernel} {
  %z = arith.constant 0xFF800000 : f32
  %c = arith.constant 0 : i32
  %f = linalg.fill ins(%z : f32) outs(%m : tensor<100xf32>) -> tensor<100xf32>
  %g = linalg.fill ins(%c : i32) outs(%d : tensor<100xi32>) -> tensor<100xi32>
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<100x10xf32>) outs(%f, %g : tensor<100xf32>, tensor<100xi32>) {
  ^bb0(%a: f32, %o: f32, %p: i32):
    %0 = arith.cmpf ogt, %a, %o : f32
    %n = linalg.index 1 : index
    %i = arith.index_cast %n : index to i32
    %1 = arith.select %0, %a, %o : f32
    %2 = arith.select %0, %i, %p : i32
    linalg.yield %1, %2 : f32, i32
  } -> (tensor<100xf32>, tensor<100xi32>)
  return %r#0, %r#1 : tensor<100xf32>, tensor<100xi32>
}
