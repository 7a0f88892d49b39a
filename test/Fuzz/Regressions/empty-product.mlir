// The gradient of products without factors took a slice behind the end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 71033 : i64} {
  func.func @f(%arg0: tensor<2xf32> {fuzz.shape = array<i64: 2>}, %arg1: tensor<2x2x0xf32> {fuzz.shape = array<i64: 2, 2, 0>}) -> tensor<0xf32> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %cst = arith.constant dense<5.000000e-01> : tensor<0xf32>
    %cst_0 = arith.constant dense<> : tensor<0xf32>
    %0:2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d0, d1)>, affine_map<(d0, d1) -> (d0, -d0 + 1, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]} ins(%arg1, %arg1, %arg0 : tensor<2x2x0xf32>, tensor<2x2x0xf32>, tensor<2xf32>) outs(%cst, %cst_0 : tensor<0xf32>, tensor<0xf32>) {
    ^bb0(%in: f32, %in_1: f32, %in_2: f32, %out: f32, %out_3: f32):
      %1 = arith.mulf %out_3, %in_2 : f32
      linalg.yield %out, %1 : f32, f32
    } -> (tensor<0xf32>, tensor<0xf32>)
    return %0#1 : tensor<0xf32>
  }
}
