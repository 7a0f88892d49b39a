// What a copy gives back equals its result, which has a cotangent of its own.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 1021063 : i64} {
  func.func @f(%arg0: tensor<4xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 4>}) -> tensor<4xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %cst = arith.constant dense<5.000000e-01> : tensor<4xf64>
    %0 = math.exp %arg0 : tensor<4xf64>
    %1 = linalg.copy ins(%0 : tensor<4xf64>) outs(%cst : tensor<4xf64>) -> tensor<4xf64>
    %2 = math.erf %1 : tensor<4xf64>
    return %2 : tensor<4xf64>
  }
}
