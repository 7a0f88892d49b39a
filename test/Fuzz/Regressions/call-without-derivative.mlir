// A function without a derivative, called twice, was said to have no body.
// RUN: memrev-fuzz-autodiff --replay=%s --fail-on="calls of functions"

module attributes {fuzz.seed = 182 : i64} {
  func.func private @g1(%arg0: tensor<1x1x1xf64>) -> (tensor<1x1x1xf64>, tensor<1x1x1xf64>) {
    return %arg0, %arg0 : tensor<1x1x1xf64>, tensor<1x1x1xf64>
  }
  func.func private @g0(%arg0: tensor<1x1x1xf64>, %arg1: tensor<1x1x1xf64>) -> tensor<1x1xf64> {
    %cst = arith.constant dense<0.000000e+00> : tensor<1x1xf64>
    return %cst : tensor<1x1xf64>
  }
  func.func @f(%arg0: tensor<1x1x1xf64> {fuzz.shape = array<i64: 1, 1, 1>}) -> tensor<1x1xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %0 = call @g0(%arg0, %arg0) : (tensor<1x1x1xf64>, tensor<1x1x1xf64>) -> tensor<1x1xf64>
    %1 = call @g0(%arg0, %arg0) : (tensor<1x1x1xf64>, tensor<1x1x1xf64>) -> tensor<1x1xf64>
    %cst = arith.constant dense<0.000000e+00> : tensor<1x1xf64>
    return %cst : tensor<1x1xf64>
  }
}
