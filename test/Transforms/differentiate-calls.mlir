// RUN: memrev-opt %s -rev-differentiate -symbol-dce -split-input-file | FileCheck %s

// A function that is called twice is differentiated once; what its backward
// function reads are arguments and results of the calls and what it saves.

// CHECK-LABEL: func.func private @layer_fwd(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<4xf64>, %{{.*}}: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
// CHECK:         %[[SIN:.*]] = math.sin %[[X]]
// CHECK:         %[[Y:.*]] = arith.mulf %[[SIN]]
// CHECK:         return %[[Y]], %[[SIN]]
// CHECK-LABEL: func.func private @layer_bwd(
// CHECK-NOT:     math.sin
// CHECK:         return
// CHECK-NOT: func.func private @layer_fwd
// CHECK-LABEL: func.func private @twice_vjp(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<4xf64>, %[[W:[^:]*]]: tensor<4xf64>, %[[C:[^:]*]]: tensor<4xf64>)
// CHECK:         %[[A:.*]]:2 = call @layer_fwd(%[[X]], %[[W]])
// CHECK:         %[[B:.*]]:2 = call @layer_fwd(%[[A]]#0, %[[W]])
// CHECK:         %[[DB:.*]]:2 = call @layer_bwd(%[[W]], %[[B]]#1, %[[A]]#0, %[[C]])
// CHECK:         %[[DA:.*]]:2 = call @layer_bwd(%[[W]], %[[A]]#1, %[[X]], %[[DB]]#0)
// CHECK:         %[[DW:.*]] = linalg.generic {{.*}} ins(%[[DA]]#1 : tensor<4xf64>) outs(%[[DB]]#1
// CHECK:         return %[[DA]]#0, %[[DW]]
// CHECK-NOT:     rev.backward
func.func private @layer(%x: tensor<4xf64>, %w: tensor<4xf64>) -> tensor<4xf64> {
  %0 = math.sin %x : tensor<4xf64>
  %1 = arith.mulf %0, %w : tensor<4xf64>
  return %1 : tensor<4xf64>
}
func.func @twice(%x: tensor<4xf64>, %w: tensor<4xf64>) -> tensor<4xf64> {
  %0 = call @layer(%x, %w) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %1 = call @layer(%0, %w) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %1 : tensor<4xf64>
}
func.func @vjp(%x: tensor<4xf64>, %w: tensor<4xf64>, %c: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %0:2 = rev.vjp @twice(%x, %w) cotangents(%c) : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0#0, %0#1 : tensor<4xf64>, tensor<4xf64>
}

// -----

// Forward mode too. A call without active operands is left alone.
// CHECK-LABEL: func.func private @layer_jvp(
// CHECK-LABEL: func.func private @mixed_jvp(
// CHECK:         %[[A:.*]]:2 = call @layer_jvp(%[[X:.*]], %[[W:.*]], %{{.*}}) : (f64, f64, f64) -> (f64, f64)
// CHECK:         %[[B:.*]]:2 = call @layer_jvp(%[[A]]#0, %[[W]], %[[A]]#1)
// CHECK:         %[[C:.*]] = call @layer(%[[W]], %[[W]])
// CHECK:         return %[[B]]#0, %[[C]], %[[B]]#1
func.func private @layer(%x: f64, %w: f64) -> f64 {
  %0 = math.sin %x : f64
  %1 = arith.mulf %0, %w : f64
  return %1 : f64
}
func.func @mixed(%x: f64, %w: f64) -> (f64, f64) {
  %0 = call @layer(%x, %w) : (f64, f64) -> f64
  %1 = call @layer(%0, %w) : (f64, f64) -> f64
  %2 = call @layer(%w, %w) : (f64, f64) -> f64
  return %1, %2 : f64, f64
}
func.func @jvp(%x: f64, %w: f64, %t: f64) -> f64 {
  %0:3 = rev.jvp @mixed(%x, %w) tangents(%t) wrt [0] of [0] : (f64, f64, f64) -> (f64, f64, f64)
  return %0#2 : f64
}

// -----

// Gradients that rules add to in place are added to sums that the call hands
// over, as far as they are nobody else's: %0 is passed twice to the second call.
// CHECK-LABEL: func.func private @product_bwd(
// CHECK-SAME:    %[[A:[^:]*]]: tensor<4x4xf64>, %[[B:[^:]*]]: tensor<4x4xf64>, %[[C:[^:]*]]: tensor<4x4xf64>, %[[SA:[^:]*]]: tensor<4x4xf64>, %[[SB:[^:]*]]: tensor<4x4xf64>)
// CHECK:         %[[DA:.*]] = linalg.matmul {{.*}} outs(%[[SA]] :
// CHECK:         %[[DB:.*]] = linalg.matmul {{.*}} outs(%[[SB]] :
// CHECK:         return %[[DA]], %[[DB]]
// CHECK-LABEL: func.func private @f_vjp(
// CHECK:         %[[Z0:.*]] = linalg.fill
// CHECK:         %[[Z1:.*]] = linalg.fill
// CHECK:         %[[D1:.*]]:2 = call @product_bwd(%{{.*}}, %{{.*}}, %{{.*}}, %[[Z0]], %[[Z1]])
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[D1]]#1 : tensor<4x4xf64>) outs(%[[D1]]#0 :
// CHECK:         %[[Z2:.*]] = linalg.fill
// CHECK:         %[[Z3:.*]] = linalg.fill
// CHECK:         %[[D0:.*]]:2 = call @product_bwd(%{{.*}}, %{{.*}}, %[[SUM]], %[[Z2]], %[[Z3]])
// CHECK:         return %[[D0]]#0, %[[D0]]#1
func.func private @product(%a: tensor<4x4xf64>, %b: tensor<4x4xf64>) -> tensor<4x4xf64> {
  %z = arith.constant dense<0.0> : tensor<4x4xf64>
  %m = linalg.matmul ins(%a, %b : tensor<4x4xf64>, tensor<4x4xf64>) outs(%z : tensor<4x4xf64>) -> tensor<4x4xf64>
  return %m : tensor<4x4xf64>
}
func.func @f(%x: tensor<4x4xf64>, %w: tensor<4x4xf64>) -> tensor<4x4xf64> {
  %0 = call @product(%x, %w) : (tensor<4x4xf64>, tensor<4x4xf64>) -> tensor<4x4xf64>
  %1 = call @product(%0, %0) : (tensor<4x4xf64>, tensor<4x4xf64>) -> tensor<4x4xf64>
  return %1 : tensor<4x4xf64>
}
func.func @vjp(%x: tensor<4x4xf64>, %w: tensor<4x4xf64>, %c: tensor<4x4xf64>) -> (tensor<4x4xf64>, tensor<4x4xf64>) {
  %0:2 = rev.vjp @f(%x, %w) cotangents(%c) : (tensor<4x4xf64>, tensor<4x4xf64>, tensor<4x4xf64>) -> (tensor<4x4xf64>, tensor<4x4xf64>)
  return %0#0, %0#1 : tensor<4x4xf64>, tensor<4x4xf64>
}

// -----

// What is called once is inlined.
// CHECK-LABEL: func.func private @once_vjp(
// CHECK-NOT:     call
// CHECK:         math.cos
func.func private @layer(%x: f64) -> f64 {
  %0 = math.sin %x : f64
  return %0 : f64
}
func.func @once(%x: f64) -> f64 {
  %0 = call @layer(%x) : (f64) -> f64
  return %0 : f64
}
func.func @vjp(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @once(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// -----

// Inversion crosses calls: a function with couplings is inlined. Storing, it is
// called.
// CHECK-LABEL: func.func private @chain_vjp(
// CHECK-NOT:     call
// CHECK:         return
// CHECK-LABEL: func.func private @chain_store_vjp(
// CHECK:         call @block_fwd
// CHECK:         call @block_fwd
// CHECK:         call @block_bwd
// CHECK:         call @block_bwd
func.func private @block(%x: tensor<4xf64>, %c: tensor<4xf64>) -> tensor<4xf64> {
  %y = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf64>):
    %t = math.tanh %a : tensor<4xf64>
    rev.yield %t : tensor<4xf64>
  } : tensor<4xf64>, (tensor<4xf64>)
  return %y : tensor<4xf64>
}
func.func @chain(%x: tensor<4xf64>, %c: tensor<4xf64>) -> tensor<4xf64> {
  %0 = call @block(%x, %c) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %1 = call @block(%c, %0) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %1 : tensor<4xf64>
}
func.func @chain_store(%x: tensor<4xf64>, %c: tensor<4xf64>) -> tensor<4xf64> {
  %0 = call @block(%x, %c) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %1 = call @block(%c, %0) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %1 : tensor<4xf64>
}
func.func @vjp(%x: tensor<4xf64>, %c: tensor<4xf64>, %d: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %0 = rev.vjp @chain(%x, %c) cotangents(%d) wrt [0] : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %1 = rev.vjp @chain_store(%x, %c) cotangents(%d) wrt [0] policy(store) : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %0, %1 : tensor<4xf64>, tensor<4xf64>
}

// -----

// A call and a vjp of the same function at the same arguments evaluate it
// once, and so do several. Other arguments, and a call whose results nobody
// reads, have nothing to share.
// CHECK-LABEL: func.func @residual(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<4xf64>, %[[W:[^:]*]]: tensor<4xf64>, %[[T:[^:]*]]: tensor<4xf64>)
// CHECK-NEXT:    %[[Y:.*]]:2 = call @layer_fwd(%[[X]], %[[W]])
// CHECK-NEXT:    %[[C:.*]] = arith.subf %[[Y]]#0, %[[T]]
// CHECK-NEXT:    %[[D:.*]]:2 = call @layer_bwd(%[[W]], %[[Y]]#1, %[[X]], %[[C]])
// CHECK-NEXT:    %[[E:.*]]:2 = call @layer_bwd(%[[W]], %[[Y]]#1, %[[X]], %[[T]])
// CHECK-NEXT:    return %[[Y]]#0, %[[D]]#0, %[[E]]#1
// CHECK-LABEL: func.func @apart(
// CHECK:         call @layer(
// CHECK:         call @layer_vjp(
func.func private @layer(%x: tensor<4xf64>, %w: tensor<4xf64>) -> tensor<4xf64> {
  %0 = math.sin %x : tensor<4xf64>
  %1 = arith.mulf %0, %w : tensor<4xf64>
  return %1 : tensor<4xf64>
}
func.func @residual(%x: tensor<4xf64>, %w: tensor<4xf64>, %t: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) {
  %0 = call @layer(%x, %w) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %1 = arith.subf %0, %t : tensor<4xf64>
  %2:2 = rev.vjp @layer(%x, %w) cotangents(%1) : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  %3:2 = rev.vjp @layer(%x, %w) cotangents(%t) : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0, %2#0, %3#1 : tensor<4xf64>, tensor<4xf64>, tensor<4xf64>
}
func.func @apart(%x: tensor<4xf64>, %w: tensor<4xf64>, %t: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %0 = call @layer(%x, %w) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %1 = call @layer(%t, %w) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %2:2 = rev.vjp @layer(%x, %w) cotangents(%1) : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %1, %2#0 : tensor<4xf64>, tensor<4xf64>
}
