// RUN: memrev-opt %s --cpu-schedule-kernels --split-input-file --verify-diagnostics

// expected-error @below {{expects a kernel that can be scheduled, but its result is not that of a linalg op}}
func.func private @no_linalg(%x: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {engine = "generic"}} {
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{expects 'memrev.strategy' to be a strategy for 1 loop dimensions, but got}}
func.func private @incomplete(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {engine = "generic", lanes = 4 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// A dimension that does not exist.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 1 loop dimensions, but got}}
func.func private @no_such_dim(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {block_dims = array<i64>, block_tiles = array<i64>, chunk_dim = -1 : i64, chunk_size = 0 : i64, chunks = 1 : i64, engine = "generic", group_dim = -1 : i64, lanes = 4 : i64, pack = false, panel = 1 : i64, parallel_dims = array<i64>, parallel_tiles = array<i64>, row_dim = -1 : i64, rows = 1 : i64, swap = false, unroll = 1 : i64, unroll_dim = -1 : i64, vector_dim = 3 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// The vectors of a product lie along its columns, not along its rows.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 3 loop dimensions, but got}}
func.func private @wrong_vectors(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %d: tensor<4x16xf32>) -> tensor<4x16xf32> attributes {memrev.kernel, memrev.strategy = {block_dims = array<i64>, block_tiles = array<i64>, chunk_dim = -1 : i64, chunk_size = 0 : i64, chunks = 1 : i64, engine = "contraction", group_dim = -1 : i64, lanes = 4 : i64, pack = false, panel = 1 : i64, parallel_dims = array<i64>, parallel_tiles = array<i64>, row_dim = -1 : i64, rows = 1 : i64, swap = false, unroll = 1 : i64, unroll_dim = -1 : i64, vector_dim = 0 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}
