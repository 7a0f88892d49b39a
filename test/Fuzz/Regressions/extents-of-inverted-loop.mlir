// Inversion asked for the cotangent of an index.
// RUN: memrev-fuzz-autodiff --replay=%s --fail-on="but got 'index'"

module attributes {fuzz.seed = 60068 : i64} {
  func.func @f(%arg0: tensor<?x?xf64> {fuzz.shape = array<i64: 3, 3>}, %arg1: tensor<?x?xf64> {fuzz.shape = array<i64: 3, 3>}, %arg2: tensor<?x?xf64> {fuzz.shape = array<i64: 3, 3>}) -> tensor<?x?xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 2>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c1_0 = arith.constant 1 : index
    %0:2 = scf.for %arg3 = %c0 to %c1_0 step %c1 iter_args(%arg4 = %arg0, %arg5 = %arg1) -> (tensor<?x?xf64>, tensor<?x?xf64>) {
      %result = rev.coupling affine<identity> %arg4 given(%arg5) {
      ^bb0(%arg6: tensor<?x?xf64>):
        %c0_2 = arith.constant 0 : index
        %dim = tensor.dim %arg2, %c0_2 : tensor<?x?xf64>
        %c1_3 = arith.constant 3 : index
        %cst = arith.constant 5.000000e-01 : f64
        %splat = tensor.splat %cst[%dim, %c1_3] : tensor<?x?xf64>
        rev.yield %splat, %arg6 : tensor<?x?xf64>, tensor<?x?xf64>
      } : tensor<?x?xf64>, (tensor<?x?xf64>)
      %result_1 = rev.coupling affine<identity> %arg5 given(%result) {
      ^bb0(%arg6: tensor<?x?xf64>):
        %cst = arith.constant dense<[[-0.8558503687421295, -0.027654507937565631, 0.29373276988166341], [0.21328957908073698, 0.17306766059261802, -0.21240428520280941], [0.63097299672319962, 0.0020662910423943082, -0.48620639401228893]]> : tensor<3x3xf64>
        %cast = tensor.cast %cst : tensor<3x3xf64> to tensor<?x?xf64>
        rev.yield %arg2, %cast : tensor<?x?xf64>, tensor<?x?xf64>
      } : tensor<?x?xf64>, (tensor<?x?xf64>)
      scf.yield %result, %result_1 : tensor<?x?xf64>, tensor<?x?xf64>
    }
    return %0#0 : tensor<?x?xf64>
  }
}
