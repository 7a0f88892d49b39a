// RUN: memrev-opt %s -rev-differentiate -symbol-dce -split-input-file | FileCheck %s

// A declaration with rules is differentiated by calling them. The cotangent of
// an argument that is not asked for is dropped; a result without a cotangent
// gets a zero.

// CHECK-LABEL: func.func private @f_jvp(
// CHECK:         %[[T:.*]]:4 = call @clip_jvp(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) : (f64, f64, f64, f64) -> (f64, f64, f64, f64)
// CHECK:         return %[[T]]#0, %[[T]]#2
// CHECK-LABEL: func.func private @f_vjp(
// CHECK-SAME:    %[[X:[^:]*]]: f64, %[[W:[^:]*]]: f64, %[[C:[^:]*]]: f64) -> f64
// CHECK:         %[[F:.*]]:3 = call @clip_fwd(%[[X]], %[[W]]) : (f64, f64) -> (f64, f64, f64)
// CHECK:         %[[ZERO:.*]] = arith.constant 0.0
// CHECK:         %[[D:.*]]:2 = call @clip_bwd(%[[F]]#2, %[[C]], %[[ZERO]]) : (f64, f64, f64) -> (f64, f64)
// CHECK:         return %[[D]]#0
func.func private @clip(%x: f64, %w: f64) -> (f64, f64) attributes {
    rev.custom_vjp = #rev.custom_vjp<forward = @clip_fwd, backward = @clip_bwd>,
    rev.custom_jvp = @clip_jvp}
func.func private @clip_fwd(%x: f64, %w: f64) -> (f64, f64, f64)
func.func private @clip_bwd(%r: f64, %c0: f64, %c1: f64) -> (f64, f64)
func.func private @clip_jvp(%x: f64, %w: f64, %tx: f64, %tw: f64) -> (f64, f64, f64, f64)
func.func @f(%x: f64, %w: f64) -> f64 {
  %0:2 = call @clip(%x, %w) : (f64, f64) -> (f64, f64)
  return %0#0 : f64
}
func.func @vjp(%x: f64, %w: f64, %c: f64) -> f64 {
  %0 = rev.vjp @f(%x, %w) cotangents(%c) wrt [0] : (f64, f64, f64) -> f64
  return %0 : f64
}
func.func @jvp(%x: f64, %w: f64, %t: f64) -> f64 {
  %0:2 = rev.jvp @f(%x, %w) tangents(%t) wrt [0] : (f64, f64, f64) -> (f64, f64)
  return %0#1 : f64
}

// -----

// A transform of the function itself follows the rule too, though it has a body;
// and the rule may be written with transforms.
// CHECK-LABEL: func.func private @square_vjp(
// CHECK:         call @square_fwd
// CHECK:         call @square_bwd
// CHECK-LABEL: func.func private @square_bwd(
// CHECK:         call @twice_vjp
func.func @square(%x: f64) -> f64 attributes {
    rev.custom_vjp = #rev.custom_vjp<forward = @square_fwd, backward = @square_bwd>} {
  %0 = arith.mulf %x, %x : f64
  return %0 : f64
}
func.func private @square_fwd(%x: f64) -> (f64, f64) {
  %0 = arith.mulf %x, %x : f64
  return %0, %x : f64, f64
}
func.func private @twice(%x: f64) -> f64 {
  %0 = arith.addf %x, %x : f64
  return %0 : f64
}
func.func private @square_bwd(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @twice(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}
func.func @vjp(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @square(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// -----

// The inverse of a coupling keeps the rules of what its region calls, however
// deep: it may be differentiated.
// CHECK-LABEL: func.func private @sample_vjp(
// CHECK:         rev.coupling inverse_of<additive>
// CHECK:           func.call @ruled_fwd(
// CHECK:         call @ruled_bwd(
// CHECK-NOT:     math.sin
// CHECK:         return
func.func private @ruled(%x: tensor<4xf32>) -> tensor<4xf32> attributes {
    rev.custom_vjp = #rev.custom_vjp<forward = @ruled_fwd, backward = @ruled_bwd>} {
  %y = math.sin %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @ruled_fwd(%x: tensor<4xf32>) -> tensor<4xf32>
func.func private @ruled_bwd(%dy: tensor<4xf32>) -> tensor<4xf32>
func.func private @deep(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @ruled(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @coupled(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %y = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %t = func.call @deep(%a) : (tensor<4xf32>) -> tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}
func.func private @sample(%y: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %x = rev.inverse @coupled(%y, %c) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %dc = rev.vjp @sample(%y, %c) cotangents(%y) wrt [1] : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %dc : tensor<4xf32>
}
