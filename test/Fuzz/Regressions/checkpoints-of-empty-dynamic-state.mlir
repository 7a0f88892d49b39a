// A checkpoint of a state with an extent of 0 and a dynamic one was read by a slice that starts behind its end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 309834 : i64} {
  func.func private @g0(%arg0: bf16, %arg1: bf16) -> tensor<3x1x3xbf16> {
    %cst = arith.constant dense<[[[6.601560e-01, 2.519530e-01, -4.609380e-01]], [[2.988280e-01, -8.281250e-01, 6.171880e-01]], [[6.328130e-01, 1.054690e-01, 9.082030e-02]]]> : tensor<3x1x3xbf16>
    return %cst : tensor<3x1x3xbf16>
  }
  func.func @f(%arg0: tensor<1x3xbf16> {fuzz.shape = array<i64: 1, 3>}, %arg1: index {fuzz.high = 4 : i64, fuzz.low = 2 : i64, fuzz.shape = array<i64>}) -> tensor<1x3xbf16> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %cst = arith.constant dense<5.000000e-01> : tensor<0x1x1xbf16>
    %cast = tensor.cast %cst : tensor<0x1x1xbf16> to tensor<0x?x1xbf16>
    %c1 = arith.constant 1 : index
    %c1_0 = arith.constant 1 : index
    %0:2 = scf.for %arg2 = %c1 to %arg1 step %c1_0 iter_args(%arg3 = %cast, %arg4 = %arg0) -> (tensor<0x?x1xbf16>, tensor<1x3xbf16>) {
      scf.yield %arg3, %arg4 : tensor<0x?x1xbf16>, tensor<1x3xbf16>
    } {rev.checkpoint = #rev.binomial<4>}
    return %0#1 : tensor<1x3xbf16>
  }
}
