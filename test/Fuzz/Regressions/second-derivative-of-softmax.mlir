// The second derivative of a softmax and a sum read elements that nothing wrote.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 1719 : i64} {
  func.func @f(%arg0: tensor<?xf64> {fuzz.shape = array<i64: 1>}, %arg1: tensor<1x1xf64> {fuzz.shape = array<i64: 1, 1>}) -> (tensor<f64>, tensor<?xf64>) attributes {fuzz.of = array<i64: 0, 1>, fuzz.wrt = array<i64: 0, 1>} {
    %cst = arith.constant dense<0.000000e+00> : tensor<f64>
    %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> ()>], iterator_types = ["reduction", "reduction"]} ins(%arg0, %arg0 : tensor<?xf64>, tensor<?xf64>) outs(%cst : tensor<f64>) {
    ^bb0(%in: f64, %in_0: f64, %out: f64):
      %3 = arith.addf %out, %in_0 : f64
      linalg.yield %3 : f64
    } -> tensor<f64>
    %c0 = arith.constant 0 : index
    %1 = tensor.empty(%c0) : tensor<?xf64>
    %2 = linalg.softmax dimension(0) ins(%arg0 : tensor<?xf64>) outs(%1 : tensor<?xf64>) -> tensor<?xf64>
    return %0, %2 : tensor<f64>, tensor<?xf64>
  }
}
