// RUN: memrev-opt %s -rev-differentiate -allow-unregistered-dialect -split-input-file -verify-diagnostics

// expected-note@+1 {{function declared here}}
func.func private @outside(%x: f64) -> f64
func.func @f(%x: f64) -> f64 {
  // expected-error@+1 {{expects calls of functions with a body of one block or a custom rule where a gradient flows, but got '@outside'}}
  %0 = call @outside(%x) : (f64) -> f64
  return %0 : f64
}
func.func @vjp(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @f(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// -----

// expected-note@+1 {{function declared here}}
func.func private @outside(%x: f64) -> f64
func.func @f(%x: f64) -> f64 {
  // expected-error@+1 {{expects calls of functions with a body of one block or a custom rule where a tangent flows, but got '@outside'}}
  %0 = call @outside(%x) : (f64) -> f64
  return %0 : f64
}
func.func @jvp(%x: f64, %c: f64) -> f64 {
  %0:2 = rev.jvp @f(%x) tangents(%c) : (f64, f64) -> (f64, f64)
  return %0#1 : f64
}

// -----

// What no gradient takes may be called.
func.func private @outside(%x: f64) -> f64
func.func @f(%x: f64, %y: f64) -> f64 {
  %0 = call @outside(%y) : (f64) -> f64
  %1 = arith.mulf %x, %0 : f64
  return %1 : f64
}
func.func @vjp(%x: f64, %y: f64, %c: f64) -> f64 {
  %0 = rev.vjp @f(%x, %y) cotangents(%c) wrt [0] : (f64, f64, f64) -> f64
  return %0 : f64
}

// -----

// Recursion through a function that is called twice.
// expected-note@+1 {{function defined here}}
func.func @even(%x: f64) -> f64 {
  %0 = call @odd(%x) : (f64) -> f64
  %1 = call @odd(%0) : (f64) -> f64
  return %1 : f64
}
func.func private @odd(%x: f64) -> f64 {
  // expected-error@+1 {{expects calls without recursion to differentiate, but '@even' calls itself}}
  %0 = call @even(%x) : (f64) -> f64
  %1 = call @even(%0) : (f64) -> f64
  return %1 : f64
}
func.func @vjp(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @even(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// -----

func.func @f(%x: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{expects operations with a forward-mode rule where a tangent flows, but 'test.unknown' has none}}
  %0 = "test.unknown"(%x) : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
func.func @jvp(%x: tensor<4xf64>, %c: tensor<4xf64>) -> tensor<4xf64> {
  %0:2 = rev.jvp @f(%x) tangents(%c) : (tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0#1 : tensor<4xf64>
}

// -----

func.func @f(%x: f64) -> f64 {
  // expected-error@+1 {{expects floats and ranked tensors of floats where a tangent flows, but got 'vector<4xf64>'}}
  %0 = vector.broadcast %x : f64 to vector<4xf64>
  %1 = vector.extract %0[0] : f64 from vector<4xf64>
  return %1 : f64
}
func.func @jvp(%x: f64, %c: f64) -> f64 {
  %0:2 = rev.jvp @f(%x) tangents(%c) : (f64, f64) -> (f64, f64)
  return %0#1 : f64
}
