module attributes {fuzz.seed = 1017299 : i64} {
  func.func @f(%arg0: tensor<f64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}, %arg1: f64 {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}, %arg2: f64 {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}) -> (tensor<f64>, tensor<f64>, tensor<2xf64>) attributes {fuzz.of = array<i64: 0, 1, 2>, fuzz.wrt = array<i64: 0, 1, 2>} {
    %0 = tensor.empty() : tensor<2xf64>
    %broadcasted = linalg.broadcast ins(%arg0 : tensor<f64>) outs(%0 : tensor<2xf64>) dimensions = [0] 
    %cst = arith.constant dense<1.000000e+06> : tensor<2xf64>
    %1 = arith.mulf %broadcasted, %cst : tensor<2xf64>
    %2 = tensor.empty() : tensor<2xf64>
    %3 = linalg.softmax dimension(0) ins(%1 : tensor<2xf64>) outs(%2 : tensor<2xf64>) -> tensor<2xf64>
    %c4 = arith.constant 4 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %4 = tensor.empty(%c4, %c1, %c2) : tensor<?x?x?xf64>
    %5 = linalg.fill ins(%arg1 : f64) outs(%4 : tensor<?x?x?xf64>) -> tensor<?x?x?xf64>
    %6 = math.cosh %arg1 : f64
    %reduced = linalg.reduce { arith.addf } ins(%3 : tensor<2xf64>) outs(%arg0 : tensor<f64>) dimensions = [0] 
    %cst_0 = arith.constant dense<2.000000e-01> : tensor<f64>
    %7 = arith.mulf %reduced, %cst_0 : tensor<f64>
    %splat = tensor.splat %arg2 : tensor<f64>
    %cst_1 = arith.constant dense<1.000000e+06> : tensor<2xf64>
    %8 = arith.mulf %3, %cst_1 : tensor<2xf64>
    %9 = tensor.empty() : tensor<2xf64>
    %10 = linalg.softmax dimension(0) ins(%8 : tensor<2xf64>) outs(%9 : tensor<2xf64>) -> tensor<2xf64>
    return %7, %splat, %10 : tensor<f64>, tensor<f64>, tensor<2xf64>
  }
}