// The gradient of a pad took a slice of another type than the sizes say.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 100401 : i64} {
  func.func @f(%arg0: tensor<?xf64> {fuzz.shape = array<i64: 3>}, %arg1: f64 {fuzz.shape = array<i64>}) -> tensor<?xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 1>} {
    %c2 = arith.constant 2 : index
    %c1 = arith.constant 1 : index
    %extracted_slice = tensor.extract_slice %arg0[1] [%c2] [%c1] : tensor<?xf64> to tensor<?xf64>
    %c0 = arith.constant 0 : index
    %padded = tensor.pad %extracted_slice low[%c0] high[0] {
    ^bb0(%arg2: index):
      tensor.yield %arg1 : f64
    } : tensor<?xf64> to tensor<?xf64>
    return %padded : tensor<?xf64>
  }
}
