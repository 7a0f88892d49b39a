module attributes {fuzz.seed = 15216 : i64} {
  func.func @f(%arg0: tensor<2x3x2xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 2, 3, 2>}, %arg1: tensor<2xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 2>}, %arg2: tensor<2xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 2>}) -> (tensor<2xf64>, tensor<2xf64>, tensor<2xf64>) attributes {fuzz.of = array<i64: 0, 1, 2>, fuzz.wrt = array<i64: 0, 1, 2>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %0:3 = scf.for %arg3 = %c0 to %c4 step %c1 iter_args(%arg4 = %arg1, %arg5 = %arg2, %arg6 = %arg2) -> (tensor<2xf64>, tensor<2xf64>, tensor<2xf64>) {
      %result, %auxiliary:2 = rev.coupling affine<soft_atan, alpha = 1.1689635649859937 : f64> %arg4 given(%arg5) {
      ^bb0(%arg7: tensor<2xf64>):
        %cst_1 = arith.constant dense<[0.34927864682909671, 0.93136560090318498]> : tensor<2xf64>
        rev.yield %arg2, %cst_1, %arg7, %cst_1 : tensor<2xf64>, tensor<2xf64>, tensor<2xf64>, tensor<2xf64>
      } : tensor<2xf64>, (tensor<2xf64>) -> (tensor<2xf64>, tensor<2xf64>)
      %result_0 = rev.coupling additive %arg5 given(%result) {
      ^bb0(%arg7: tensor<2xf64>):
        rev.yield %arg2 : tensor<2xf64>
      } : tensor<2xf64>, (tensor<2xf64>)
      %cst = arith.constant dense<5.000000e-01> : tensor<2xf64>
      %4 = arith.mulf %auxiliary#0, %cst : tensor<2xf64>
      scf.yield %result, %result_0, %4 : tensor<2xf64>, tensor<2xf64>, tensor<2xf64>
    }
    %1 = math.tanh %0#0 : tensor<2xf64>
    %2 = math.tanh %0#1 : tensor<2xf64>
    %3 = math.tanh %0#2 : tensor<2xf64>
    return %1, %2, %3 : tensor<2xf64>, tensor<2xf64>, tensor<2xf64>
  }
}