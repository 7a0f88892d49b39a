// RUN: memrev-opt %s -rev-differentiate -split-input-file -allow-unregistered-dialect -verify-diagnostics | FileCheck %s

// What other differentiation systems for MLIR refuse, or do silently, without
// numbers. Those with numbers are in Integration/Rules/peer_bugs.py.

// LAGrad: a function that is differentiated twice, with respect to different
// arguments, gives two functions of one name.
// CHECK: func.func private @f_vjp_0(
// CHECK: func.func private @f_vjp(
// CHECK-LABEL: func.func @lagrad_name_clash
// CHECK-DAG: call @f_vjp(
// CHECK-DAG: call @f_vjp_0(
func.func @f(%x: f64, %y: f64) -> f64 {
  %0 = arith.mulf %x, %y : f64
  return %0 : f64
}
func.func @lagrad_name_clash(%x: f64, %y: f64, %c: f64) -> (f64, f64) {
  %0 = rev.vjp @f(%x, %y) cotangents(%c) wrt [0] : (f64, f64, f64) -> f64
  %1 = rev.vjp @f(%x, %y) cotangents(%c) wrt [1] : (f64, f64, f64) -> f64
  return %0, %1 : f64, f64
}

// -----

// Enzyme-JAX (issue 1938): operations of the differentiation dialect are left in
// derivatives of derivatives.
// CHECK-LABEL: func.func private @f_vjp(
// CHECK-NOT:     rev.
// CHECK-LABEL: func.func @first(
// CHECK-NOT:     rev.
// CHECK-LABEL: func.func private @first_jvp(
// CHECK-NOT:     rev.
// CHECK-LABEL: func.func @enzyme_jax_transforms_left_in_second_derivatives(
// CHECK-NOT:     rev.
// CHECK:         return
func.func @f(%x: tensor<4xf64>, %n: index) -> tensor<4xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf64> {
    %y = rev.coupling additive %a given(%i) {
    ^bb0(%j: index):
      %k = arith.index_cast %j : index to i64
      %f = arith.sitofp %k : i64 to f64
      %s = tensor.splat %f : tensor<4xf64>
      rev.yield %s : tensor<4xf64>
    } : tensor<4xf64>, (index)
    %t = math.sin %y : tensor<4xf64>
    scf.yield %t : tensor<4xf64>
  }
  return %r : tensor<4xf64>
}
func.func @first(%x: tensor<4xf64>, %n: index, %c: tensor<4xf64>) -> tensor<4xf64> {
  %0 = rev.vjp @f(%x, %n) cotangents(%c) : (tensor<4xf64>, index, tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
func.func @enzyme_jax_transforms_left_in_second_derivatives(%x: tensor<4xf64>, %n: index, %c: tensor<4xf64>) -> tensor<4xf64> {
  %0:2 = rev.jvp @first(%x, %n, %c) tangents(%c) wrt [0] : (tensor<4xf64>, index, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0#1 : tensor<4xf64>
}

// -----

// LAGrad: an operation without a rule prints a line and the wrong value is used.
func.func @f(%x: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{expects operations with a derivative rule where a gradient flows, but 'test.unknown' has none}}
  %0 = "test.unknown"(%x) : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
func.func @lagrad_unknown_operation(%x: tensor<4xf64>) -> tensor<4xf64> {
  %0 = rev.vjp @f(%x) cotangents(%x) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
