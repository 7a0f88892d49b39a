module attributes {fuzz.seed = 965999 : i64} {
  func.func @f(%arg0: tensor<0x3xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 0, 3>}, %arg1: tensor<3xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 3>}, %arg2: tensor<0xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 0>}) -> tensor<0xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 1, 2>} {
    %0 = linalg.matvec ins(%arg0, %arg1 : tensor<0x3xf64>, tensor<3xf64>) outs(%arg2 : tensor<0xf64>) -> tensor<0xf64>
    %cst = arith.constant dense<0.18181818181818182> : tensor<0xf64>
    %1 = arith.mulf %0, %cst : tensor<0xf64>
    %2 = tensor.empty() : tensor<0xf64>
    %3 = linalg.softmax dimension(0) ins(%1 : tensor<0xf64>) outs(%2 : tensor<0xf64>) -> tensor<0xf64>
    return %3 : tensor<0xf64>
  }
}