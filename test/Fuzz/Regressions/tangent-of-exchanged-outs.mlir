// A body that yields the out operand of another result crashed forward mode.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 1325 : i64} {
  func.func @f(%arg0: tensor<1x1xf16> {fuzz.shape = array<i64: 1, 1>}, %arg1: tensor<?xf16> {fuzz.shape = array<i64: 1>}, %arg2: tensor<?x?xf16> {fuzz.shape = array<i64: 1, 1>}) -> tensor<1x?xf16> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 2>} {
    %cst = arith.constant dense<[-8.818350e-01, -5.791020e-01, 1.811520e-01, 1.149900e-01, 2.033690e-01, -7.109380e-01, 6.879880e-01, 6.992180e-01]> : tensor<8xf16>
    %c1 = arith.constant 1 : index
    %0 = tensor.empty(%c1) : tensor<1x?xf16>
    %1:2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1 + d0 * 2)>, affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d1, d0)>], iterator_types = ["parallel", "parallel"]} ins(%arg0, %arg1, %arg0, %cst : tensor<1x1xf16>, tensor<?xf16>, tensor<1x1xf16>, tensor<8xf16>) outs(%arg2, %0 : tensor<?x?xf16>, tensor<1x?xf16>) {
    ^bb0(%in: f16, %in_0: f16, %in_1: f16, %in_2: f16, %out: f16, %out_3: f16):
      linalg.yield %in_2, %out : f16, f16
    } -> (tensor<?x?xf16>, tensor<1x?xf16>)
    return %1#1 : tensor<1x?xf16>
  }
}
