// The second derivative of a mean read elements that nothing wrote.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 113 : i64} {
  func.func @f(%arg0: tensor<?x?xf64> {fuzz.shape = array<i64: 4, 2>}, %arg1: tensor<?xf64> {fuzz.shape = array<i64: 2>}) -> tensor<?xf64> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 1>} {
    %result, %mean, %variance = rev.batch_norm %arg0, %arg1, %arg1 epsilon 0.13753095835012813 : (tensor<?x?xf64>, tensor<?xf64>, tensor<?xf64>) -> (tensor<?x?xf64>, tensor<?xf64>, tensor<?xf64>)
    return %mean : tensor<?xf64>
  }
}
