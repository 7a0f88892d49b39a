// Machine code that adds to a diagonal was wrong.
// RUN: memrev-fuzz-autodiff --replay=%s --native=100 --fail-on="native"

module attributes {fuzz.seed = 81302 : i64} {
  func.func @f(%arg0: tensor<2x2x2xf64> {fuzz.shape = array<i64: 2, 2, 2>}) -> tensor<2x2xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %cst = arith.constant dense<5.000000e-01> : tensor<2x2xf64>
    %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<2x2x2xf64>) outs(%cst : tensor<2x2xf64>) {
    ^bb0(%in: f64, %out: f64):
      linalg.yield %in : f64
    } -> tensor<2x2xf64>
    return %0 : tensor<2x2xf64>
  }
}
