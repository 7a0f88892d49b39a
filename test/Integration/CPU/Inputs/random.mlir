// What random.test compares with the same generator in Python.

func.func @bits(%seed: i64, %layer: i32, %step: i64) -> (tensor<3x5x7xi32>, tensor<3x5x7xi64>) {
  %0 = rev.random_bits seed %seed layer %layer step %step
      : (i64, i32, i64) -> tensor<3x5x7xi32>
  %1 = rev.random_bits seed %seed layer %layer step %step {word = 1 : i64}
      : (i64, i32, i64) -> tensor<3x5x7xi64>
  return %0, %1 : tensor<3x5x7xi32>, tensor<3x5x7xi64>
}

func.func @part(%seed: i32, %layer: i64, %step: i32, %offset: i64) -> tensor<2x3xi32> {
  %0 = rev.random_bits seed %seed layer %layer step %step offset %offset
      : (i32, i64, i32, i64) -> tensor<2x3xi32>
  return %0 : tensor<2x3xi32>
}

func.func @uniform(%seed: i64, %layer: i32, %step: i64)
    -> (tensor<200x500xf64>, tensor<200x500xf32>, tensor<200x500xf32>, tensor<200x500xf32>) {
  %0 = rev.random_uniform seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<200x500xf64>
  %1 = rev.random_uniform seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<200x500xf32>
  %2 = rev.random_uniform seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<200x500xf16>
  %3 = rev.random_uniform seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<200x500xbf16>
  %4 = arith.extf %2 : tensor<200x500xf16> to tensor<200x500xf32>
  %5 = arith.extf %3 : tensor<200x500xbf16> to tensor<200x500xf32>
  return %0, %1, %4, %5 : tensor<200x500xf64>, tensor<200x500xf32>, tensor<200x500xf32>, tensor<200x500xf32>
}

func.func @normal(%seed: i64, %layer: i32, %step: i64)
    -> (tensor<200x500xf64>, tensor<200x500xf32>, tensor<200x500xf32>) {
  %0 = rev.random_normal seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<200x500xf64>
  %1 = rev.random_normal seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<200x500xf32>
  %2 = rev.random_normal seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<200x500xbf16>
  %3 = arith.extf %2 : tensor<200x500xbf16> to tensor<200x500xf32>
  return %0, %1, %3 : tensor<200x500xf64>, tensor<200x500xf32>, tensor<200x500xf32>
}

func.func @dropout(%x: tensor<200x500xf32>, %rate: f32, %seed: i64, %layer: i32, %step: i64)
    -> (tensor<200x500xf32>, tensor<200x500xf64>, tensor<200x500xf32>) {
  %0 = rev.dropout %x rate %rate seed %seed layer %layer step %step
      : (tensor<200x500xf32>, f32, i64, i32, i64) -> tensor<200x500xf32>
  %wide = arith.extf %x : tensor<200x500xf32> to tensor<200x500xf64>
  %1 = rev.dropout %wide rate %rate seed %seed layer %layer step %step
      : (tensor<200x500xf64>, f32, i64, i32, i64) -> tensor<200x500xf64>
  %narrow = arith.truncf %x : tensor<200x500xf32> to tensor<200x500xbf16>
  %2 = rev.dropout %narrow rate %rate seed %seed layer %layer step %step
      : (tensor<200x500xbf16>, f32, i64, i32, i64) -> tensor<200x500xbf16>
  %3 = arith.extf %2 : tensor<200x500xbf16> to tensor<200x500xf32>
  return %0, %1, %3 : tensor<200x500xf32>, tensor<200x500xf64>, tensor<200x500xf32>
}

func.func @stream(%seed: i64, %layer: i32, %step: i64) -> tensor<200x500xf64> {
  %0 = rev.random_uniform seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<200x500xf64>
  return %0 : tensor<200x500xf64>
}

func.func @rate(%x: tensor<200x500xf32>, %rate: f64, %seed: i64, %layer: i32, %step: i64) -> tensor<200x500xf32> {
  %0 = rev.dropout %x rate %rate seed %seed layer %layer step %step
      : (tensor<200x500xf32>, f64, i64, i32, i64) -> tensor<200x500xf32>
  return %0 : tensor<200x500xf32>
}
