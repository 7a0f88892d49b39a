// RUN: memrev-opt %s --gpu-schedule-kernels --split-input-file --verify-diagnostics

// expected-error @below {{expects a kernel that can be scheduled, but its result is not that of a linalg op}}
func.func private @no_linalg(%x: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise"}} {
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{expects 'memrev.strategy' to be a strategy for 1 loop dimensions, but got {engine = "elementwise", lanes = 4 : i64}}}
func.func private @incomplete(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 4 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// expected-error @below {{expects 'memrev.strategy' to be a strategy for 1 loop dimensions, but got {engine = "unknown"}}}
func.func private @unknown(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {engine = "unknown"}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// expected-error @below {{expects 'memrev.strategy' to be a strategy for 1 loop dimensions, but got 3 : i64}}
func.func private @number(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = 3} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// A dimension that does not exist.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 1 loop dimensions, but got}}
func.func private @no_such_dim(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 1 : i64, order = array<i64: 1>, threads = 128 : i64, tile_dim = -1 : i64, vectors = 1 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// expected-error @below {{expects 'memrev.strategy' to be a strategy for 1 loop dimensions, but got}}
func.func private @lanes(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 3 : i64, order = array<i64: 0>, threads = 128 : i64, tile_dim = -1 : i64, vectors = 1 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// A tile has two dimensions.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 1 loop dimensions, but got}}
func.func private @tile(%d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {engine = "elementwise", lanes = 1 : i64, order = array<i64: 0>, threads = 256 : i64, tile_dim = 0 : i64, vectors = 1 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// Dimensions of the wrong kind.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 2 loop dimensions, but got}}
func.func private @parallel(%x: tensor<8x16xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {across = 8 : i64, along = 4 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 1>, reduced = array<i64: 0>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// Vectors are along the last dimension of their kind.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 2 loop dimensions, but got}}
func.func private @not_last(%x: tensor<8x16xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {across = 8 : i64, along = 4 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 2 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// Threads of a row are a power of two.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 2 loop dimensions, but got}}
func.func private @warp(%x: tensor<8x16xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {across = 8 : i64, along = 3 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// A block has at most 1024 threads.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 2 loop dimensions, but got}}
func.func private @crowd(%x: tensor<8x16xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {across = 512 : i64, along = 4 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// There are no more splits than vectors of terms.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 2 loop dimensions, but got}}
func.func private @splits(%x: tensor<8x16xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {across = 8 : i64, along = 4 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 5 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// Without a combiner one thread takes all terms.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 2 loop dimensions, but got}}
func.func private @in_order(%x: tensor<8x16xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {across = 8 : i64, along = 4 : i64, engine = "reduction", lanes = 4 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 1 : i64, vector_dim = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.divf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// An elementwise strategy for a reduction.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 2 loop dimensions, but got}}
func.func private @elementwise(%x: tensor<8x16xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel, memrev.strategy = {across = 8 : i64, along = 4 : i64, engine = "elementwise", lanes = 4 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, threads = 128 : i64, tile_dim = -1 : i64, unroll = 1 : i64, vector_dim = 1 : i64, vectors = 1 : i64}} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// A vector has no columns.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 2 loop dimensions, but got}}
func.func private @vector(%a: tensor<16x24xf32>, %b: tensor<24xf32>, %d: tensor<16xf32>) -> tensor<16xf32> attributes {memrev.kernel, memrev.strategy = {engine = "contraction", splits = 1 : i64, stages = 3 : i64, swap = false, tile = array<i64: 32, 16, 8>, unit = "scalar", warps = array<i64: 1, 1>}} {
  %r = linalg.matvec ins(%a, %b : tensor<16x24xf32>, tensor<24xf32>) outs(%d : tensor<16xf32>) -> tensor<16xf32>
  return %r : tensor<16xf32>
}

// -----

// The sums of the unit have fewer bits than those of the kernel.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 3 loop dimensions, but got}}
func.func private @wide(%a: tensor<16x24xf32>, %b: tensor<24x16xf32>, %d: tensor<16x16xf64>) -> tensor<16x16xf64> attributes {memrev.kernel, memrev.strategy = {engine = "contraction", splits = 1 : i64, stages = 3 : i64, swap = false, tile = array<i64: 32, 16, 8>, unit = "scalar", warps = array<i64: 1, 1>}} {
  %r = linalg.matmul ins(%a, %b : tensor<16x24xf32>, tensor<24x16xf32>) outs(%d : tensor<16x16xf64>) -> tensor<16x16xf64>
  return %r : tensor<16x16xf64>
}

// -----

// What is outside of a factor is not zero.
// expected-error @below {{expects 'memrev.strategy' to be a strategy for 3 loop dimensions, but got}}
func.func private @ones(%a: tensor<14x24xf32>, %b: tensor<24x16xf32>, %d: tensor<16x16xf32>) -> tensor<16x16xf32> attributes {memrev.kernel, memrev.strategy = {engine = "contraction", splits = 1 : i64, stages = 3 : i64, swap = false, tile = array<i64: 32, 16, 8>, unit = "scalar", warps = array<i64: 1, 1>}} {
  %c = arith.constant 1.0 : f32
  %p = tensor.pad %a low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %c : f32
  } : tensor<14x24xf32> to tensor<16x24xf32>
  %r = linalg.matmul ins(%p, %b : tensor<16x24xf32>, tensor<24x16xf32>) outs(%d : tensor<16x16xf32>) -> tensor<16x16xf32>
  return %r : tensor<16x16xf32>
}

// -----

// More rows than blocks, each of a block.
#row = affine_map<(i, j) -> (i)>
// expected-error @below {{expects at most 2147483647 blocks of threads for a kernel, but got 4294967296}}
func.func private @rows(%x: tensor<4096xf32>, %y: tensor<137438953472xf32>) -> tensor<137438953472xf32> attributes {memrev.kernel, memrev.strategy = {across = 32 : i64, along = 8 : i64, engine = "reduction", lanes = 1 : i64, order = array<i64: 0>, reduced = array<i64: 1>, splits = 1 : i64, unroll = 4 : i64, vector_dim = 0 : i64}} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%y : tensor<137438953472xf32>) -> tensor<137438953472xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4096xf32>) outs(%f : tensor<137438953472xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<137438953472xf32>
  return %r : tensor<137438953472xf32>
}
