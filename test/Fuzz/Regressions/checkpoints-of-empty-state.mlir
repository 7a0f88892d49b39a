// A checkpoint of a state without elements was read by a slice that starts behind its end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 304835 : i64} {
  func.func @f(%arg0: tensor<0x1xf64> {fuzz.shape = array<i64: 0, 1>}, %arg1: f64 {fuzz.shape = array<i64>}) -> f64 attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 1>} {
    %c0 = arith.constant 0 : index
    %c2 = arith.constant 2 : index
    %c1 = arith.constant 1 : index
    %0:2 = scf.for %arg2 = %c0 to %c2 step %c1 iter_args(%arg3 = %arg0, %arg4 = %arg1) -> (tensor<0x1xf64>, f64) {
      %cst = arith.constant 5.000000e-01 : f64
      scf.yield %arg0, %cst : tensor<0x1xf64>, f64
    } {rev.checkpoint = #rev.binomial<3>}
    return %0#1 : f64
  }
}
