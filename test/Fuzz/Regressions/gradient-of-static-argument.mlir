// A gradient had the dynamic extents of a copy, not the static ones of its argument.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 997 : i64} {
  func.func @f(%arg0: tensor<1x1x?xf64> {fuzz.shape = array<i64: 1, 1, 1>}) -> tensor<?x1x1xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %c0 = arith.constant 0 : index
    %dim = tensor.dim %arg0, %c0 : tensor<1x1x?xf64>
    %0 = tensor.empty(%dim) : tensor<?x1x1xf64>
    %1 = linalg.copy ins(%arg0 : tensor<1x1x?xf64>) outs(%0 : tensor<?x1x1xf64>) -> tensor<?x1x1xf64>
    return %1 : tensor<?x1x1xf64>
  }
}
