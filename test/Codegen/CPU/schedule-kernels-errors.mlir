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

// -----

// Vectors hold whole groups, of four channels each.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 6 loop dimensions, but got}}
func.func private @lanes_between_groups(%x: tensor<4x34x8x4xf32>, %w: tensor<3x4x8x4xf32>, %d: tensor<4x32x8x4xf32>) -> tensor<4x32x8x4xf32> attributes {memrev.kernel, memrev.strategy = {block_dims = array<i64>, block_tiles = array<i64>, chunk_dim = -1 : i64, chunk_size = 0 : i64, chunks = 1 : i64, engine = "contraction", group_dim = 2 : i64, lanes = 10 : i64, pack = false, panel = 1 : i64, parallel_dims = array<i64>, parallel_tiles = array<i64>, row_dim = 1 : i64, rows = 4 : i64, swap = false, unroll = 1 : i64, unroll_dim = -1 : i64, vector_dim = 3 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x32x8x4xf32>) -> tensor<4x32x8x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, p, g, o, k, i) -> (n, p + k, g, i)>, affine_map<(n, p, g, o, k, i) -> (k, i, g, o)>, affine_map<(n, p, g, o, k, i) -> (n, p, g, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<4x34x8x4xf32>, tensor<3x4x8x4xf32>) outs(%f : tensor<4x32x8x4xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x32x8x4xf32>
  return %r : tensor<4x32x8x4xf32>
}

// -----

// Groups lie side by side in the result; rows do not.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 6 loop dimensions, but got}}
func.func private @no_groups(%x: tensor<4x34x8x4xf32>, %w: tensor<3x4x8x4xf32>, %d: tensor<4x32x8x4xf32>) -> tensor<4x32x8x4xf32> attributes {memrev.kernel, memrev.strategy = {block_dims = array<i64>, block_tiles = array<i64>, chunk_dim = -1 : i64, chunk_size = 0 : i64, chunks = 1 : i64, engine = "contraction", group_dim = 1 : i64, lanes = 16 : i64, pack = false, panel = 1 : i64, parallel_dims = array<i64>, parallel_tiles = array<i64>, row_dim = 1 : i64, rows = 4 : i64, swap = false, unroll = 1 : i64, unroll_dim = -1 : i64, vector_dim = 3 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x32x8x4xf32>) -> tensor<4x32x8x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, p, g, o, k, i) -> (n, p + k, g, i)>, affine_map<(n, p, g, o, k, i) -> (k, i, g, o)>, affine_map<(n, p, g, o, k, i) -> (n, p, g, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<4x34x8x4xf32>, tensor<3x4x8x4xf32>) outs(%f : tensor<4x32x8x4xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x32x8x4xf32>
  return %r : tensor<4x32x8x4xf32>
}
