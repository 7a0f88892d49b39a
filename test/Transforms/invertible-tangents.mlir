// RUN: memrev-opt %s -rev-plan -rev-differentiate -split-input-file | FileCheck %s

// What names its inverse has a tangent with an inverse, the tangent of that, where
// the tangent is differentiated in reverse mode: nothing is stored.
// CHECK-LABEL: func.func private @scale_invertible_jvp(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<4xf32>, %[[TX:[a-z0-9]*]]: tensor<4xf32>, %[[S:[a-z0-9]*]]: tensor<4xf32>, %[[TS:[a-z0-9]*]]: tensor<4xf32>)
// CHECK-SAME:    attributes {rev.gain = 2.000000e+00 : f64, rev.inverse = @scale_jvp_inverse}
// CHECK:         %[[Y:.*]]:2 = call @scale_jvp(%[[X]], %[[S]], %[[TX]], %[[TS]])
// CHECK:         return %[[Y]]#0, %[[Y]]#1
// CHECK-LABEL: func.func private @scale_jvp_inverse(
// CHECK-SAME:    %[[Y:[a-z0-9]*]]: tensor<4xf32>, %[[TY:[a-z0-9]*]]: tensor<4xf32>, %[[S:[a-z0-9]*]]: tensor<4xf32>, %[[TS:[a-z0-9]*]]: tensor<4xf32>)
// CHECK:         %[[X:.*]]:2 = call @unscale_jvp(%[[Y]], %[[S]], %[[TY]], %[[TS]])
// CHECK:         return %[[X]]#0, %[[X]]#1
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32>
    attributes {rev.inverse = @unscale, rev.gain = 2.0 : f64} {
  %y = arith.mulf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %x = arith.divf %y, %s : tensor<4xf32>
  return %x : tensor<4xf32>
}
func.func private @loop(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %r = scf.for %i = %c0 to %c9 step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %y = func.call @scale(%a, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
func.func private @along(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>, %u: tensor<4xf32>) -> tensor<4xf32> {
  %y:2 = rev.jvp @loop(%x, %s) tangents(%t, %u) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %y#1 : tensor<4xf32>
}
// CHECK-LABEL: func.func private @along_vjp(
// CHECK-NOT:     tensor<9x
// CHECK:         func.call @scale_invertible_jvp(
// CHECK-NOT:     tensor<9x
// CHECK:         func.call @scale_jvp_inverse(
// CHECK:         func.call @scale_invertible_jvp_again(
// CHECK:         return
func.func @gradient(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>, %u: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %d:2 = rev.vjp @along(%x, %s, %t, %u) cotangents(%x) wrt [0, 1]
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %d#0, %d#1 : tensor<4xf32>, tensor<4xf32>
}

// One that is not differentiated again needs no inverse.
// CHECK-LABEL: func.func private @twice_jvp(
// CHECK-NOT:     _invertible_jvp
// CHECK-LABEL: func.func @tangent(
func.func private @twice(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %y = func.call @scale(%x, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %z = func.call @scale(%y, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func @tangent(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %y:2 = rev.jvp @twice(%x, %s) tangents(%x, %s) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %y#1 : tensor<4xf32>
}

// -----

// An inverse without a body has no tangent: that of the function is enough.
// CHECK-NOT: _invertible_jvp
// CHECK:     func.func private @along_vjp(
// CHECK-NOT: _invertible_jvp
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32>
    attributes {rev.inverse = @unscale} {
  %y = arith.mulf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32>
func.func private @f(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %y = func.call @scale(%x, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @along(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %y:2 = rev.jvp @f(%x, %s) tangents(%t, %t) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %y#1 : tensor<4xf32>
}
func.func @gradient(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %d = rev.vjp @along(%x, %s, %t) cotangents(%x) wrt [0]
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// -----

// Nor has one of several blocks.
// CHECK-NOT: _invertible_jvp
// CHECK:     func.func private @along_vjp(
// CHECK-NOT: _invertible_jvp
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32>
    attributes {rev.inverse = @unscale} {
  %y = arith.mulf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^bb1
^bb1:
  %x = arith.divf %y, %s : tensor<4xf32>
  return %x : tensor<4xf32>
}
func.func private @f(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %y = func.call @scale(%x, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @along(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %y:2 = rev.jvp @f(%x, %s) tangents(%t, %t) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %y#1 : tensor<4xf32>
}
func.func @gradient(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %d = rev.vjp @along(%x, %s, %t) cotangents(%x) wrt [0]
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// -----

// One that calls the function would need its own tangent.
// CHECK-NOT: _invertible_jvp
// CHECK:     func.func private @along_vjp(
// CHECK-NOT: _invertible_jvp
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32>
    attributes {rev.inverse = @unscale} {
  %q = math.sin %x : tensor<4xf32>
  %p = arith.mulf %q, %s : tensor<4xf32>
  %y = arith.addf %x, %p : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %r = scf.for %i = %c0 to %c9 step %c1 iter_args(%a = %y) -> tensor<4xf32> {
    %z = func.call @scale(%a, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %e = arith.subf %y, %z : tensor<4xf32>
    %b = arith.addf %a, %e : tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
func.func private @f(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %y = func.call @scale(%x, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @along(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %y:2 = rev.jvp @f(%x, %s) tangents(%t, %t) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %y#1 : tensor<4xf32>
}
func.func @gradient(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %d = rev.vjp @along(%x, %s, %t) cotangents(%x) wrt [0]
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}
