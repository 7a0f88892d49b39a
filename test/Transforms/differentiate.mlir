// RUN: memrev-opt %s -rev-differentiate -split-input-file | FileCheck %s

// A coupling costs one evaluation of its region in the backward part (the
// second tanh below; the first is the forward part's), which gives the coupled
// value back and is what the derivative reads.
func.func private @block(%x1: tensor<4xf32>, %x2: tensor<4xf32>, %w: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>) {
  %y1 = rev.coupling additive %x1 given(%x2) {
  ^bb0(%c: tensor<4xf32>):
    %s = arith.mulf %c, %w : tensor<4xf32>
    %t = math.tanh %s : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  %y2 = rev.coupling additive %x2 given(%y1) {
  ^bb0(%c: tensor<4xf32>):
    %s = arith.mulf %c, %w : tensor<4xf32>
    %t = math.sin %s : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y1, %y2 : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func private @block_vjp(
// CHECK-SAME: %[[X1:.*]]: tensor<4xf32>, %[[X2:.*]]: tensor<4xf32>, %[[W:.*]]: tensor<4xf32>, %[[D1:.*]]: tensor<4xf32>, %[[D2:.*]]: tensor<4xf32>)
// CHECK: %[[Y1:.*]] = rev.coupling additive %[[X1]] given(%[[X2]])
// CHECK: %[[Y2:.*]] = rev.coupling additive %[[X2]] given(%[[Y1]])
// The second coupling backwards: its region again, its coupled value.
// CHECK: %[[S:.*]] = arith.mulf %[[Y1]], %[[W]]
// CHECK: %[[T:.*]] = math.sin %[[S]]
// CHECK: %[[X2_AGAIN:.*]] = linalg.generic {{.*}} ins(%[[T]] : tensor<4xf32>) outs(%[[Y2]] : tensor<4xf32>)
// CHECK: arith.subf
// CHECK-NOT: math.sin
// CHECK: math.cos %[[S]]
// The first one; its region reads the value that was given back.
// CHECK: %[[U:.*]] = arith.mulf %[[X2_AGAIN]], %[[W]]
// CHECK: math.tanh %[[U]]
// CHECK-NOT: math.tanh
// CHECK: return
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: call @block_vjp
  %0:3 = rev.vjp @block(%x, %x, %x) cotangents(%x, %x)
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
     -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %0#2 : tensor<4xf32>
}

// -----

// Couplings in the region of a coupling: each region is evaluated once too.
func.func private @nested(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %y = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %i = rev.coupling additive %a given() {
      %t = math.tanh %c : tensor<4xf32>
      rev.yield %t : tensor<4xf32>
    } : tensor<4xf32>, ()
    %s = math.sin %i : tensor<4xf32>
    rev.yield %s : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

// The forward part is dead: nothing of it is returned or read.
// CHECK-LABEL: func.func private @nested_vjp
// CHECK: math.tanh
// CHECK-NOT: math.tanh
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @nested(%x, %x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#1 : tensor<4xf32>
}

// -----

// The reversed loop of an invertible body carries the state and cotangents, and
// no tape, whatever the trip count.
func.func private @loop(%x1: tensor<4xf32>, %x2: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf32>):
      %t = math.tanh %c : tensor<4xf32>
      rev.yield %t : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    %z = rev.coupling additive %b given(%y) {
    ^bb0(%c: tensor<4xf32>):
      %t = math.tanh %c : tensor<4xf32>
      rev.yield %t : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    scf.yield %y, %z : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func private @loop_vjp(
// CHECK-SAME: %{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %[[N:.*]]: index
// CHECK: %[[R:.*]]:2 = scf.for
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[N]] step %{{.*}} iter_args(%[[A:.*]] = %[[R]]#0, %{{.*}} = %[[R]]#1, %{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
// CHECK: math.tanh %[[A]]
// CHECK-NOT: tensor.insert_slice
// CHECK: return
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %0:2 = rev.vjp @loop(%x, %x, %n) cotangents(%x, %x) : (tensor<4xf32>, tensor<4xf32>, index, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

func.func private @loop(%x1: tensor<4xf32>, %x2: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf32>):
      %t = math.tanh %c : tensor<4xf32>
      rev.yield %t : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    %z = rev.coupling additive %b given(%y) {
    ^bb0(%c: tensor<4xf32>):
      %t = math.tanh %c : tensor<4xf32>
      rev.yield %t : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    scf.yield %y, %z : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// Storing tapes what the derivative reads: one tensor for each tanh.
// CHECK-LABEL: func.func private @loop_vjp(
// CHECK: scf.for {{.*}} -> (tensor<4xf32>, tensor<4xf32>, tensor<?x4xf32>, tensor<?x4xf32>)
// CHECK: %[[T:.*]] = math.tanh
// CHECK-NEXT: tensor.insert_slice %[[T]]
// CHECK: scf.for
// CHECK: tensor.extract_slice
// CHECK-NOT: math.tanh
// CHECK: return
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %0:2 = rev.vjp @loop(%x, %x, %n) cotangents(%x, %x) policy(store) : (tensor<4xf32>, tensor<4xf32>, index, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// Transforms of functions that contain transforms expand innermost first; equal
// requests share one function.
func.func private @f(%x: f32) -> f32 {
  %0 = arith.mulf %x, %x : f32
  return %0 : f32
}

func.func private @df(%x: f32) -> f32 {
  %one = arith.constant 1.0 : f32
  %0 = rev.vjp @f(%x) cotangents(%one) : (f32, f32) -> f32
  return %0 : f32
}

// CHECK-LABEL: func.func @main
// CHECK: call @df_vjp
// CHECK: call @f_vjp
// CHECK: call @f_vjp
func.func @main(%x: f32) -> (f32, f32, f32) {
  %one = arith.constant 1.0 : f32
  %0 = rev.vjp @df(%x) cotangents(%one) : (f32, f32) -> f32
  %1 = rev.vjp @f(%x) cotangents(%one) : (f32, f32) -> f32
  %2 = rev.vjp @f(%x) cotangents(%one) wrt [0] of [0] : (f32, f32) -> f32
  return %0, %1, %2 : f32, f32, f32
}

// -----

// All results, then the gradients of result 0; what is not differentiated
// passes through.
func.func private @loss(%x: f32, %w: f32, %label: i32) -> (f32, i32) {
  %0 = arith.mulf %x, %w : f32
  return %0, %label : f32, i32
}

// CHECK-LABEL: func.func private @loss_value_and_grad(
// CHECK-SAME: %[[X:.*]]: f32, %[[W:.*]]: f32, %[[L:.*]]: i32) -> (f32, i32, f32)
// CHECK: %[[Y:.*]] = arith.mulf %[[X]], %[[W]]
// CHECK: %[[ONE:.*]] = arith.constant 1.0
// CHECK: %[[DW:.*]] = arith.mulf %[[ONE]], %[[X]]
// CHECK: return %[[Y]], %[[L]], %[[DW]]
func.func @main(%x: f32, %label: i32) -> f32 {
  %l, %i, %dw = rev.value_and_grad @loss(%x, %x, %label) wrt [1] : (f32, f32, i32) -> (f32, i32, f32)
  return %dw : f32
}

// -----

// The inverse of a chain: couplings backwards, in the other order.
func.func private @flow(%x1: tensor<4xf32>, %x2: tensor<4xf32>, %w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %y1 = rev.coupling additive %x1 given(%x2) {
  ^bb0(%c: tensor<4xf32>):
    %t = arith.mulf %c, %w : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  %y2 = arith.addf %x2, %y1 : tensor<4xf32>
  return %y1, %y2 : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func private @flow_inverse(
// CHECK-SAME: %[[Y1:.*]]: tensor<4xf32>, %[[Y2:.*]]: tensor<4xf32>, %[[W:.*]]: tensor<4xf32>)
// CHECK: %[[X2:.*]] = arith.subf %[[Y2]], %[[Y1]]
// CHECK: %[[X1:.*]] = rev.coupling inverse_of<additive> %[[Y1]] given(%[[X2]]) {
// CHECK: ^bb0(%[[C:.*]]: tensor<4xf32>):
// CHECK: %[[T:.*]] = arith.mulf %[[C]], %[[W]]
// CHECK: rev.yield %[[T]]
// CHECK: return %[[X1]], %[[X2]]
func.func @main(%z: tensor<4xf32>) -> tensor<4xf32> {
  %x:2 = rev.inverse @flow(%z, %z, %z) wrt [0, 1] : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %x#0 : tensor<4xf32>
}

// -----

// The second stream is computed from the first one, and given back by a coupling
// behind the one that reads it.
// CHECK-LABEL: func.func private @streams_vjp
// CHECK: math.exp
// CHECK: %[[Y1:.*]] = rev.coupling
// CHECK: %[[Y2:.*]] = rev.coupling
// CHECK-NOT: math.exp
// CHECK: %[[T:.*]] = math.cos %[[Y1]]
// CHECK: %[[X2:.*]] = linalg.generic {{.*}} ins(%[[T]] : {{.*}} outs(%[[Y2]]
// CHECK: arith.subf
// CHECK: math.cos %[[X2]]
// CHECK: arith.mulf {{.*}}, %[[X2]]
// CHECK: return
func.func private @streams(%x: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %x1 = math.sin %x : tensor<4xf64>
  %x2 = math.exp %x1 : tensor<4xf64>
  %y1 = rev.coupling additive %x1 given(%x2) {
  ^bb0(%c: tensor<4xf64>):
    %t = math.sin %c : tensor<4xf64>
    rev.yield %t : tensor<4xf64>
  } : tensor<4xf64>, (tensor<4xf64>)
  %y2 = rev.coupling additive %x2 given(%y1) {
  ^bb0(%c: tensor<4xf64>):
    %t = math.cos %c : tensor<4xf64>
    rev.yield %t : tensor<4xf64>
  } : tensor<4xf64>, (tensor<4xf64>)
  return %y1, %y2 : tensor<4xf64>, tensor<4xf64>
}
func.func @main(%x: tensor<4xf64>) -> tensor<4xf64> {
  %0 = rev.vjp @streams(%x) cotangents(%x, %x) : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
