// The cotangent of a slice began in one branch and was read behind both.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 617 : i64} {
  func.func @f(%arg0: tensor<5x3x2xf64> {fuzz.shape = array<i64: 5, 3, 2>}) -> tensor<3x2xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %extracted_slice = tensor.extract_slice %arg0[2, 0, 1] [3, 2, 1] [1, 1, 1] : tensor<5x3x2xf64> to tensor<3x2xf64>
    %cst = arith.constant dense<5.000000e-01> : tensor<2x3x2x3xf64>
    %cst_0 = arith.constant -0.83810745597625136 : f64
    %cst_1 = arith.constant 5.000000e-02 : f64
    %0 = arith.cmpf ogt, %cst_0, %cst_1 : f64
    %1:3 = scf.if %0 -> (tensor<2x3x2x3xf64>, tensor<3x2xf64>, tensor<3x2xf64>) {
      scf.yield %cst, %extracted_slice, %extracted_slice : tensor<2x3x2x3xf64>, tensor<3x2xf64>, tensor<3x2xf64>
    } else {
      scf.yield %cst, %extracted_slice, %extracted_slice : tensor<2x3x2x3xf64>, tensor<3x2xf64>, tensor<3x2xf64>
    }
    return %1#2 : tensor<3x2xf64>
  }
}
