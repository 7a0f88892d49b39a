// A gradient had the static extents of an operation, not the dynamic ones of its argument.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 68 : i64} {
  func.func @f(%arg0: tensor<1x?x?xf64> {fuzz.shape = array<i64: 1, 1, 1>}) -> tensor<1x1x1xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %cst = arith.constant dense<5.000000e-01> : tensor<1x1x1xf64>
    %0 = linalg.copy ins(%arg0 : tensor<1x?x?xf64>) outs(%cst : tensor<1x1x1xf64>) -> tensor<1x1x1xf64>
    return %0 : tensor<1x1x1xf64>
  }
}
