// seed 1017299, vjp-linear: J^T (w + u / 2) against J^T w + J^T u / 2: error 3.814697e-06, tolerance 1.000001e-06
module attributes {fuzz.seed = 3017305 : i64} {
  func.func @f(%arg0: tensor<f64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}) -> tensor<2xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %cst = arith.constant dense<5.000000e-01> : tensor<2xf64>
    %broadcasted = linalg.broadcast ins(%arg0 : tensor<f64>) outs(%cst : tensor<2xf64>) dimensions = [0] 
    %cst_0 = arith.constant dense<1.000000e+06> : tensor<2xf64>
    %0 = arith.mulf %broadcasted, %cst_0 : tensor<2xf64>
    %cst_1 = arith.constant dense<5.000000e-01> : tensor<2xf64>
    %1 = linalg.softmax dimension(0) ins(%0 : tensor<2xf64>) outs(%cst_1 : tensor<2xf64>) -> tensor<2xf64>
    %cst_2 = arith.constant dense<1.000000e+06> : tensor<2xf64>
    %2 = arith.mulf %1, %cst_2 : tensor<2xf64>
    return %2 : tensor<2xf64>
  }
}