// The gradient of a pad that cuts off, by a constant of the program, left the bounds.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 90620 : i64} {
  func.func @f(%arg0: f64 {fuzz.shape = array<i64>}, %arg1: tensor<f64> {fuzz.shape = array<i64>}, %arg2: tensor<?x?x1x3x?xf64> {fuzz.shape = array<i64: 2, 3, 1, 3, 2>}) -> tensor<7x3xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 2>} {
    %c0 = arith.constant 0 : index
    %c0_0 = arith.constant 0 : index
    %c-1 = arith.constant -1 : index
    %c0_1 = arith.constant 0 : index
    %padded = tensor.pad %arg2 low[2, 2, 1, %c0_0, 2] high[%c0, 2, 1, %c-1, %c0_1] {
    ^bb0(%arg3: index, %arg4: index, %arg5: index, %arg6: index, %arg7: index):
      tensor.yield %arg0 : f64
    } : tensor<?x?x1x3x?xf64> to tensor<?x?x3x?x?xf64>
    %cst = arith.constant dense<5.000000e-01> : tensor<7x3xf64>
    %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> ()>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d1, d2)>], iterator_types = ["reduction", "parallel", "parallel", "reduction", "reduction"]} ins(%arg1, %padded : tensor<f64>, tensor<?x?x3x?x?xf64>) outs(%cst : tensor<7x3xf64>) {
    ^bb0(%in: f64, %in_2: f64, %out: f64):
      %1 = arith.maximumf %in_2, %out : f64
      linalg.yield %1 : f64
    } -> tensor<7x3xf64>
    return %0 : tensor<7x3xf64>
  }
}
