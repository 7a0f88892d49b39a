// RUN: memrev-opt %s --gpu-schedule-kernels --split-input-file | FileCheck %s

// A vector of four a thread, and one element each for the last one. What is left
// on tensors says what is done with each buffer.

// CHECK-LABEL: func.func @call_scale
// CHECK: call @scale
// CHECK: func.func private @scale(tensor<1023xf32> {bufferization.access = "read"}, f32, tensor<1023xf32> {bufferization.access = "write"}) -> tensor<1023xf32> attributes {memrev.kernel, memrev.launch = array<i64: 2, 128, 0>}
// CHECK: gpu.module @memrev_kernels
// CHECK: llvm.func @scale(%[[X:.*]]: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %[[F:.*]]: f32, %[[Y:.*]]: !llvm.ptr<1> {llvm.noalias}) attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 128>}
// CHECK: arith.cmpi ult, %{{.*}}, %c1020_i32 : i32
// CHECK: scf.if
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK-COUNT-4: arith.mulf
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK: } else {
// CHECK: scf.for
// CHECK: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> f32
func.func @call_scale(%x: tensor<1023xf32>, %f: f32) -> tensor<1023xf32> {
  %e = tensor.empty() : tensor<1023xf32>
  %r = func.call @scale(%x, %f, %e) : (tensor<1023xf32>, f32, tensor<1023xf32>) -> tensor<1023xf32>
  return %r : tensor<1023xf32>
}
func.func private @scale(%x: tensor<1023xf32>, %f: f32, %d: tensor<1023xf32>) -> tensor<1023xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 4 : i64, order = array<i64: 0>, threads = 128 : i64, tile_dim = -1 : i64, vectors = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<1023xf32>) outs(%d : tensor<1023xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.mulf %a, %f : f32
    linalg.yield %0 : f32
  } -> tensor<1023xf32>
  return %r : tensor<1023xf32>
}

// -----

// Two vectors are loaded before the first is computed. The row of the bias is
// one place for both.

// CHECK-LABEL: llvm.func @bias
// CHECK-NOT: scf
// CHECK-COUNT-4: llvm.load %{{.*}} -> vector<4xf32>
// CHECK: arith.addf
// CHECK-COUNT-2: llvm.store %{{.*}} : vector<4xf32>
func.func private @bias(%x: tensor<64x32xf32>, %b: tensor<32xf32>, %d: tensor<64x32xf32>) -> tensor<64x32xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 4 : i64, order = array<i64: 0, 1>, threads = 64 : i64, tile_dim = -1 : i64, vectors = 2 : i64}} {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<64x32xf32>, tensor<32xf32>) outs(%d : tensor<64x32xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<64x32xf32>
  return %r : tensor<64x32xf32>
}

// -----

// A table at computed places, and a destination that is read too.

// CHECK-LABEL: func.func private @look_up
// CHECK-SAME: (tensor<8xi32> {bufferization.access = "read"}, tensor<100x4xf32> {bufferization.access = "read"}, tensor<8xf32> {bufferization.access = "read-write"})
// CHECK-LABEL: llvm.func @look_up
// CHECK: %[[I:.*]] = arith.index_cast %{{.*}} : i32 to index
// CHECK: %[[N:.*]] = arith.index_cast %[[I]] : index to i32
// CHECK: %[[O:.*]] = arith.muli %[[N]], %c4_i32
// CHECK: %[[P:.*]] = arith.addi %[[O]],
// CHECK: llvm.getelementptr %{{.*}}[%[[P]]]
func.func private @look_up(%i: tensor<8xi32>, %t: tensor<100x4xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 1 : i64, order = array<i64: 0>, threads = 128 : i64, tile_dim = -1 : i64, vectors = 1 : i64}} {
  %c0 = arith.constant 0 : index
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%i : tensor<8xi32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: i32, %o: f32):
    %n = arith.index_cast %a : i32 to index
    %e = tensor.extract %t[%n, %c0] : tensor<100x4xf32>
    %0 = arith.addf %e, %o : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// A tile in shared memory: 32 rows of 33 elements.

// CHECK-LABEL: func.func private @transpose
// CHECK-SAME: memrev.launch = array<i64: 8, 256, 4224>
// CHECK-LABEL: llvm.func @transpose
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<1> -> f32
// CHECK-COUNT-4: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// CHECK: nvvm.barrier
// CHECK: llvm.load %{{.*}} : !llvm.ptr<3> -> f32
// CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<1>
func.func private @transpose(%x: tensor<64x100xf32>, %d: tensor<100x64xf32>) -> tensor<100x64xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 1 : i64, order = array<i64: 0, 1>, threads = 256 : i64, tile_dim = 0 : i64, vectors = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<64x100xf32>) outs(%d : tensor<100x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<100x64xf32>
  return %r : tensor<100x64xf32>
}

// -----

// A kernel without a strategy goes back to its callers.

// CHECK-LABEL: func.func @inlined
// CHECK: linalg.fill
// CHECK-NOT: @fill
func.func @inlined() -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %r = func.call @fill(%e) : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}
func.func private @fill(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// Blocks leave what they have in a buffer of bytes, a second kernel combines it:
// the function itself calls both.

// CHECK-LABEL: func.func private @sum_partials(tensor<1000x8xf32> {bufferization.access = "read"}, tensor<96xi8> {bufferization.access = "write"}) -> tensor<96xi8> attributes {memrev.kernel, memrev.launch = array<i64: 3, 128, 2048>}
// CHECK-LABEL: func.func private @sum_combined(tensor<96xi8> {bufferization.access = "read"}, tensor<1000x8xf32> {bufferization.access = "none"}, tensor<8xf32> {bufferization.access = "write"}) -> tensor<8xf32>
// CHECK-LABEL: func.func private @sum(
// CHECK-SAME: %[[X:.*]]: tensor<1000x8xf32>, %[[D:.*]]: tensor<8xf32>)
// CHECK-NEXT: %[[E:.*]] = tensor.empty() : tensor<96xi8>
// CHECK-NEXT: %[[P:.*]] = call @sum_partials(%[[X]], %[[E]])
// CHECK-NEXT: %[[R:.*]] = call @sum_combined(%[[P]], %[[X]], %[[D]])
// CHECK-NEXT: return %[[R]]
// CHECK-LABEL: llvm.func @sum_partials(%{{.*}}: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr<1> {llvm.noalias})
// CHECK: scf.for
// CHECK-COUNT-2: llvm.load %{{.*}} -> vector<4xf32>
// CHECK: llvm.store %{{.*}} !llvm.ptr<3>
// CHECK: nvvm.barrier
// CHECK-LABEL: llvm.func @sum_combined(%{{.*}}: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr<1> {llvm.noalias})
func.func private @sum(%x: tensor<1000x8xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {across = 2 : i64, along = 64 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 1>, reduced = array<i64: 0>, splits = 3 : i64, unroll = 2 : i64, vector_dim = 1 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<8xf32>) -> tensor<8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<1000x8xf32>) outs(%f : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// Lanes of a warp exchange words: an f16 in one, an f64 in two.

// CHECK-LABEL: llvm.func @half
// CHECK: arith.bitcast %{{.*}} : f16 to i16
// CHECK: arith.extui %{{.*}} : i16 to i32
// CHECK-COUNT-2: nvvm.shfl.sync bfly
// CHECK-NOT: nvvm.shfl
// CHECK-LABEL: llvm.func @double
// CHECK-COUNT-2: nvvm.shfl.sync bfly
// CHECK-NOT: nvvm.shfl
func.func private @half(%x: tensor<8x16xf16>, %d: tensor<8xf16>) -> tensor<8xf16> attributes {memrev.kernel, memrev.strategy = {across = 8 : i64, along = 4 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf16>) outs(%d : tensor<8xf16>) {
  ^bb0(%a: f16, %o: f16):
    %0 = arith.addf %o, %a : f16
    linalg.yield %0 : f16
  } -> tensor<8xf16>
  return %r : tensor<8xf16>
}
func.func private @double(%x: tensor<16x4xf64>, %d: tensor<16xf64>) -> tensor<16xf64> attributes {memrev.kernel, memrev.strategy = {across = 16 : i64, along = 2 : i64, engine = "reduction", lanes = 2 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<16x4xf64>) outs(%d : tensor<16xf64>) {
  ^bb0(%a: f64, %o: f64):
    %0 = arith.addf %o, %a : f64
    linalg.yield %0 : f64
  } -> tensor<16xf64>
  return %r : tensor<16xf64>
}
