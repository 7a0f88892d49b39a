// The gradient of a concat took a slice behind the end for a part without elements.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 10273 : i64} {
  func.func @f(%arg0: tensor<0x3xf64> {fuzz.shape = array<i64: 0, 3>}) -> tensor<0x9xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %concat = tensor.concat dim(1) %arg0, %arg0, %arg0 : (tensor<0x3xf64>, tensor<0x3xf64>, tensor<0x3xf64>) -> tensor<0x9xf64>
    return %concat : tensor<0x9xf64>
  }
}
