// The gradient of a concat without elements took a slice behind the end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 306230 : i64} {
  func.func @f(%arg0: tensor<?x1x1xf32> {fuzz.shape = array<i64: 0, 1, 1>}, %arg1: tensor<0x?x1xf32> {fuzz.shape = array<i64: 0, 1, 1>}) -> tensor<0x?x1xf32> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 1>} {
    %concat = tensor.concat dim(1) %arg0, %arg0, %arg1 : (tensor<?x1x1xf32>, tensor<?x1x1xf32>, tensor<0x?x1xf32>) -> tensor<0x?x1xf32>
    return %concat : tensor<0x?x1xf32>
  }
}
