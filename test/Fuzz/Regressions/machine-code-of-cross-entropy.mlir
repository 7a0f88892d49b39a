// Machine code of the gradient of a cross-entropy was wrong.
// RUN: memrev-fuzz-autodiff --replay=%s --native=100 --fail-on="native"

module attributes {fuzz.seed = 81007 : i64} {
  func.func @f(%arg0: tensor<3x2xf32> {fuzz.shape = array<i64: 3, 2>}) -> tensor<3xf32> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %cst = arith.constant dense<[0, 1, -1]> : tensor<3xi32>
    %loss, %log_sum_exp = rev.softmax_cross_entropy %arg0, %cst : (tensor<3x2xf32>, tensor<3xi32>) -> (tensor<3xf32>, tensor<3xf32>)
    return %loss : tensor<3xf32>
  }
}
