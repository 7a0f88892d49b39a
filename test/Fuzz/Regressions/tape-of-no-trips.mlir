// A tape of a loop that never runs was read by a slice that starts behind its end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 60106 : i64} {
  func.func @f(%arg0: tensor<0x1xf64> {fuzz.shape = array<i64: 0, 1>}) -> tensor<0x1xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %0:2 = scf.for %arg1 = %c0 to %c4 step %c1 iter_args(%arg2 = %arg0, %arg3 = %arg0) -> (tensor<0x1xf64>, tensor<0x1xf64>) {
      %result = rev.coupling affine<sigmoid> %arg2 given(%arg3) {
      ^bb0(%arg4: tensor<0x1xf64>):
        rev.yield %arg4, %arg0 : tensor<0x1xf64>, tensor<0x1xf64>
      } : tensor<0x1xf64>, (tensor<0x1xf64>)
      scf.yield %result, %arg3 : tensor<0x1xf64>, tensor<0x1xf64>
    }
    return %0#1 : tensor<0x1xf64>
  }
}
