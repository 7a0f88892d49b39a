// A slice whose size a constant of the program gives has a dynamic type.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 1010712 : i64} {
  func.func @f(%arg0: tensor<1x1x1xf32> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 1, 1, 1>}, %arg1: tensor<8xf32> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 8>}) -> tensor<1x1x1x1xf32> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 1>} {
    %cast = tensor.cast %arg0 : tensor<1x1x1xf32> to tensor<1x?x1xf32>
    %cst = arith.constant dense<5.000000e-01> : tensor<1x1x1x1xf32>
    %cst_0 = arith.constant dense<5.000000e-01> : tensor<1x1x1x1xf32>
    %0:2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d1)>, affine_map<(d0, d1, d2, d3) -> (d2, d1, d1)>, affine_map<(d0, d1, d2, d3) -> (d3, d1, d1)>, affine_map<(d0, d1, d2, d3) -> (d0 * 2 + d1)>, affine_map<(d0, d1, d2, d3) -> (d1, d2, d0, d3)>, affine_map<(d0, d1, d2, d3) -> (d1, d2, d0, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cast, %cast, %cast, %arg1 : tensor<1x?x1xf32>, tensor<1x?x1xf32>, tensor<1x?x1xf32>, tensor<8xf32>) outs(%cst, %cst_0 : tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>) {
    ^bb0(%in: f32, %in_1: f32, %in_2: f32, %in_3: f32, %out: f32, %out_4: f32):
      %1 = arith.mulf %in_3, %in_3 : f32
      linalg.yield %in_2, %1 : f32, f32
    } -> (tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>)
    return %0#1 : tensor<1x1x1x1xf32>
  }
}