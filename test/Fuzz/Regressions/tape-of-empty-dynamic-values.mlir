// A tape of values with an extent of 0 and a dynamic one was read by a slice that starts behind its end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 403071 : i64} {
  func.func @f(%arg0: tensor<0x?xf64> {fuzz.shape = array<i64: 0, 2>}, %arg1: index {fuzz.high = 4 : i64, fuzz.low = 0 : i64, fuzz.shape = array<i64>}) -> tensor<0x?xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %0:2 = scf.for %arg2 = %c0 to %arg1 step %c1 iter_args(%arg3 = %arg0, %arg4 = %arg0) -> (tensor<0x?xf64>, tensor<0x?xf64>) {
      %result = rev.coupling affine<soft_atan, alpha = 1.67237369513431 : f64> %arg3 given(%arg4) {
      ^bb0(%arg5: tensor<0x?xf64>):
        rev.yield %arg0, %arg0 : tensor<0x?xf64>, tensor<0x?xf64>
      } : tensor<0x?xf64>, (tensor<0x?xf64>)
      scf.yield %arg4, %result : tensor<0x?xf64>, tensor<0x?xf64>
    }
    return %0#1 : tensor<0x?xf64>
  }
}
