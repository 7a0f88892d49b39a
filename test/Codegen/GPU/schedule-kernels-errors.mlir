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
