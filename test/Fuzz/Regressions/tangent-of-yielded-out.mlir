// The tangent of a body that yields its out operand was read from an empty tensor.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 78 : i64} {
  func.func @f(%arg0: tensor<?xf32> {fuzz.shape = array<i64: 1>}, %arg1: tensor<1xf32> {fuzz.shape = array<i64: 1>}, %arg2: f32 {fuzz.shape = array<i64>}) -> (tensor<1xf32>, f32) attributes {fuzz.of = array<i64: 0, 1>, fuzz.wrt = array<i64: 1>} {
    %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%arg0 : tensor<?xf32>) outs(%arg1 : tensor<1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %out : f32
    } -> tensor<1xf32>
    return %0, %arg2 : tensor<1xf32>, f32
  }
}
