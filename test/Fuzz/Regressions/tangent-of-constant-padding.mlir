// The tangent of a pad had a static type where amounts are constants of the program.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 693 : i64} {
  func.func @f(%arg0: tensor<?x?x?x1xf64> {fuzz.shape = array<i64: 1, 1, 3, 1>}) -> tensor<?x?x?x?xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c0_0 = arith.constant 0 : index
    %c1_1 = arith.constant 1 : index
    %c1_2 = arith.constant 1 : index
    %padded = tensor.pad %arg0 low[%c0, %c2, %c0_0, 2] high[%c1, 0, %c1_1, %c1_2] {
    ^bb0(%arg1: index, %arg2: index, %arg3: index, %arg4: index):
      %cst = arith.constant 5.000000e-01 : f64
      tensor.yield %cst : f64
    } : tensor<?x?x?x1xf64> to tensor<?x?x?x?xf64>
    return %padded : tensor<?x?x?x?xf64>
  }
}
