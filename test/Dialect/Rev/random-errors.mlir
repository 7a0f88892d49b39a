// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

func.func private @f(%x: tensor<4xf32>, %rate: f32, %seed: i64) -> tensor<4xf32> {
  // expected-error @below {{expects a rate that is not differentiated; 'rev.stop_gradient' or 'wrt' takes it out}}
  %0 = rev.dropout %x rate %rate seed %seed layer %seed step %seed : (tensor<4xf32>, f32, i64, i64, i64) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %rate: f32, %seed: i64) -> (tensor<4xf32>, f32) {
  %0:2 = rev.vjp @f(%x, %rate, %seed) cotangents(%x) : (tensor<4xf32>, f32, i64, tensor<4xf32>) -> (tensor<4xf32>, f32)
  return %0#0, %0#1 : tensor<4xf32>, f32
}

// -----

func.func private @f(%x: tensor<4xf32>, %rate: f32, %seed: i64) -> tensor<4xf32> {
  // expected-error @below {{expects a rate that is not differentiated; 'rev.stop_gradient' or 'wrt' takes it out}}
  %0 = rev.dropout %x rate %rate seed %seed layer %seed step %seed : (tensor<4xf32>, f32, i64, i64, i64) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %rate: f32, %seed: i64) -> tensor<4xf32> {
  %0:2 = rev.jvp @f(%x, %rate, %seed) tangents(%rate) wrt [1] : (tensor<4xf32>, f32, i64, f32) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#1 : tensor<4xf32>
}
