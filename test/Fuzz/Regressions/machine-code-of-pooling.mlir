// Machine code of a gradient of a sum over windows was wrong.
// RUN: memrev-fuzz-autodiff --replay=%s --native=100 --fail-on="native"

module attributes {fuzz.seed = 50139 : i64} {
  func.func @f(%arg0: tensor<1x2x2xf64> {fuzz.shape = array<i64: 1, 2, 2>}) -> tensor<1x1x2xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %cst = arith.constant dense<5.000000e-01> : tensor<2xf64>
    %cst_0 = arith.constant dense<5.000000e-01> : tensor<1x1x2xf64>
    %0 = linalg.pooling_nwc_sum {dilations = dense<1> : tensor<1xi64>, strides = dense<1> : tensor<1xi64>} ins(%arg0, %cst : tensor<1x2x2xf64>, tensor<2xf64>) outs(%cst_0 : tensor<1x1x2xf64>) -> tensor<1x1x2xf64>
    return %0 : tensor<1x1x2xf64>
  }
}// func.func private @f(%arg0: tensor<1x2x2xf64>) -> tensor<1x1x2xf64> {
