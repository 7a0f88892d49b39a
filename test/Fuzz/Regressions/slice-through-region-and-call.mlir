// The cotangent of a slice that passes a call and a region began in the region.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 1134 : i64} {
  func.func private @g0(%arg0: tensor<f64>, %arg1: tensor<?xf64>) -> tensor<f64> {
    %cst = arith.constant 0.24818207483611787 : f64
    %0:2 = scf.execute_region -> (tensor<f64>, f64) {
      scf.yield %arg0, %cst : tensor<f64>, f64
    }
    return %0#0 : tensor<f64>
  }
  func.func @f(%arg0: tensor<f64> {fuzz.shape = array<i64>}, %arg1: tensor<?xf64> {fuzz.shape = array<i64: 4>}) -> tensor<f64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %extracted_slice = tensor.extract_slice %arg0[] [] [] : tensor<f64> to tensor<f64>
    %0 = call @g0(%extracted_slice, %arg1) : (tensor<f64>, tensor<?xf64>) -> tensor<f64>
    return %0 : tensor<f64>
  }
}
