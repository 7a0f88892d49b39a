// A tape of values without elements was read by a slice that starts behind its end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 10912 : i64} {
  func.func @f(%arg0: tensor<1x1x0xf32> {fuzz.shape = array<i64: 1, 1, 0>}, %arg1: f32 {fuzz.shape = array<i64>}) -> tensor<1x1x0xf32> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c1_0 = arith.constant 1 : index
    %0:2 = scf.for %arg2 = %c1 to %c2 step %c1_0 iter_args(%arg3 = %arg0, %arg4 = %arg1) -> (tensor<1x1x0xf32>, f32) {
      %1 = math.sinh %arg3 : tensor<1x1x0xf32>
      scf.yield %1, %arg4 : tensor<1x1x0xf32>, f32
    }
    return %0#0 : tensor<1x1x0xf32>
  }
}
