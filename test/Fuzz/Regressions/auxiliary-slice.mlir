// A slice that a coupling gives as an auxiliary result takes the cotangents of the
// tensor that it is of.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 2018203 : i64} {
  func.func @f(%arg0: tensor<3x4xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 3, 4>}) -> tensor<3x4xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %0:3 = scf.for %arg1 = %c0 to %c2 step %c1 iter_args(%arg2 = %arg0, %arg3 = %arg0, %arg4 = %arg0) -> (tensor<3x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>) {
      %result, %auxiliary:2 = rev.coupling additive %arg3 given(%arg2) {
      ^bb0(%arg5: tensor<3x4xf64>):
        %extracted_slice = tensor.extract_slice %arg0[2, 0] [1, 4] [1, 1] : tensor<3x4xf64> to tensor<4xf64>
        %cast = tensor.cast %extracted_slice : tensor<4xf64> to tensor<?xf64>
        %cast_0 = tensor.cast %cast : tensor<?xf64> to tensor<4xf64>
        %cst = arith.constant dense<5.000000e-01> : tensor<4xf64>
        %cst_1 = arith.constant dense<5.000000e-01> : tensor<4xf64>
        %cst_2 = arith.constant dense<5.000000e-01> : tensor<4xf64>
        %1 = rev.batch_norm_inference %arg5, %cast_0, %cst, %cst_1, %cst_2 epsilon 0.26804339108971431 : (tensor<3x4xf64>, tensor<4xf64>, tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> tensor<3x4xf64>
        rev.yield %1, %cast, %1 : tensor<3x4xf64>, tensor<?xf64>, tensor<3x4xf64>
      } : tensor<3x4xf64>, (tensor<3x4xf64>) -> (tensor<?xf64>, tensor<3x4xf64>)
      scf.yield %arg2, %result, %arg4 : tensor<3x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>
    }
    return %0#1 : tensor<3x4xf64>
  }
}