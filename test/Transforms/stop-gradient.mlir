// RUN: memrev-opt %s -rev-differentiate -convert-rev-to-linalg -canonicalize | FileCheck %s

// x * stop(x) has the derivative stop(x) = x, in both modes.
// CHECK-LABEL: func.func private @f_jvp(
// CHECK-SAME:    %[[X:[^:]*]]: f64, %[[T:[^:]*]]: f64)
// CHECK:         %[[D:.*]] = arith.mulf %[[T]], %[[X]]
// CHECK-NEXT:    return %{{.*}}, %[[D]]
// CHECK-LABEL: func.func private @f_vjp(
// CHECK-SAME:    %[[X:[^:]*]]: f64, %[[C:[^:]*]]: f64)
// CHECK-NEXT:    %[[D:.*]] = arith.mulf %[[C]], %[[X]]
// CHECK-NEXT:    return %[[D]]
func.func @f(%x: f64) -> f64 {
  %0 = rev.stop_gradient %x : f64
  %1 = arith.mulf %x, %0 : f64
  return %1 : f64
}
func.func @vjp(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @f(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}
func.func @jvp(%x: f64, %c: f64) -> f64 {
  %0:2 = rev.jvp @f(%x) tangents(%c) : (f64, f64) -> (f64, f64)
  return %0#1 : f64
}

// A second derivative is stopped as well: d/dx (x stop(x)) = stop(x) is constant.
// CHECK-LABEL: func.func private @f_vjp_bwd(
// CHECK:         %[[ZERO:.*]] = arith.constant 0.0
// CHECK-NEXT:    return %[[ZERO]]
// CHECK-LABEL: func.func private @first_vjp(
// CHECK:         %[[D:.*]] = call @f_vjp_bwd(%{{.*}})
// CHECK:         return %[[D]]
func.func @first(%x: f64) -> f64 {
  %one = arith.constant 1.0 : f64
  %0 = rev.vjp @f(%x) cotangents(%one) : (f64, f64) -> f64
  return %0 : f64
}
func.func @second(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @first(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// It can be inverted.
// CHECK-LABEL: func.func private @flow_inverse(
// CHECK:         arith.subf
func.func @flow(%x: tensor<4xf64>, %c: tensor<4xf64>) -> tensor<4xf64> {
  %0 = rev.stop_gradient %x : tensor<4xf64>
  %1 = arith.addf %0, %c : tensor<4xf64>
  return %1 : tensor<4xf64>
}
func.func @inverse(%y: tensor<4xf64>, %c: tensor<4xf64>) -> tensor<4xf64> {
  %0 = rev.inverse @flow(%y, %c) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
