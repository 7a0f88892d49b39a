// RUN: memrev-opt %s -rev-plan -rev-differentiate -split-input-file | FileCheck %s

// Straight-line programs are inverted by the edges of their operations.

// A RevNet without couplings: from the last two states each addition gives a
// state back, with the function that it added evaluated again.
// CHECK-LABEL: func.func private @revnet_vjp(
// CHECK-SAME:    %[[X1:[a-z0-9]+]]: tensor<4xf32>, %[[X2:[a-z0-9]+]]: tensor<4xf32>,
// CHECK:         %[[T0:.*]] = math.sin %[[X2]]
// CHECK:         %[[Y1:.*]] = arith.addf %[[X1]], %[[T0]]
// CHECK:         %[[T1:.*]] = math.sin %[[Y1]]
// CHECK:         %[[Y2:.*]] = arith.addf %[[X2]], %[[T1]]
// CHECK:         %[[T2:.*]] = math.sin %[[Y2]]
// CHECK:         %[[Y3:.*]] = arith.addf %[[Y1]], %[[T2]]
// CHECK:         %[[T3:.*]] = math.sin %[[Y3]]
// CHECK:         %[[Y4:.*]] = arith.addf %[[Y2]], %[[T3]]
// CHECK:         %[[U3:.*]] = math.sin %[[Y3]]
// CHECK:         %[[Z2:.*]] = arith.subf %[[Y4]], %[[U3]]
// CHECK-NOT:     %[[Y2]]{{[, )]}}
// CHECK:         %[[U2:.*]] = math.sin %[[Z2]]
// CHECK:         %[[Z1:.*]] = arith.subf %[[Y3]], %[[U2]]
// CHECK-NOT:     %[[Y1]]{{[, )]}}
// CHECK-NOT:     %[[Y2]]{{[, )]}}
// CHECK:         return
func.func private @revnet(%x1: tensor<4xf32>, %x2: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %t0 = math.sin %x2 : tensor<4xf32>
  %y1 = arith.addf %x1, %t0 : tensor<4xf32>
  %t1 = math.sin %y1 : tensor<4xf32>
  %y2 = arith.addf %x2, %t1 : tensor<4xf32>
  %t2 = math.sin %y2 : tensor<4xf32>
  %y3 = arith.addf %y1, %t2 : tensor<4xf32>
  %t3 = math.sin %y3 : tensor<4xf32>
  %y4 = arith.addf %y2, %t3 : tensor<4xf32>
  return %y3, %y4 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %d: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @revnet(%x, %x) cotangents(%d, %d) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// What an addition adds depends on what it would give back: a residual network
// stores.
// CHECK-LABEL: func.func private @resnet_vjp(
// CHECK-NOT:     arith.subf
// CHECK:         return
func.func private @resnet(%x: tensor<4xf32>) -> tensor<4xf32> {
  %t0 = math.sin %x : tensor<4xf32>
  %y1 = arith.addf %x, %t0 : tensor<4xf32>
  %t1 = math.sin %y1 : tensor<4xf32>
  %y2 = arith.addf %y1, %t1 : tensor<4xf32>
  %t2 = math.sin %y2 : tensor<4xf32>
  %y3 = arith.addf %y2, %t2 : tensor<4xf32>
  return %y3 : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %d: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @resnet(%x) cotangents(%d) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Pieces of what a concatenation joined come back from it: between couplings
// nothing is stored.
// CHECK-LABEL: func.func private @joined_vjp(
// CHECK:         %[[FIRST:.*]] = tensor.concat
// CHECK:         %[[LAST:.*]] = tensor.concat
// CHECK-NOT:     %[[FIRST]][
// CHECK:         tensor.extract_slice %[[LAST]][0]
// CHECK-NOT:     %[[FIRST]][
// CHECK:         arith.subf
// CHECK-NOT:     %[[FIRST]][
// CHECK:         return
func.func private @joined(%x: tensor<8xf32>) -> tensor<8xf32> {
  %a0 = tensor.extract_slice %x[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %b0 = tensor.extract_slice %x[4] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %a1 = rev.coupling additive %a0 given(%b0) {
  ^bb0(%c: tensor<4xf32>):
    %t = math.sin %c : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  %x1 = tensor.concat dim(0) %b0, %a1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %a2 = tensor.extract_slice %x1[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %b2 = tensor.extract_slice %x1[4] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %a3 = rev.coupling additive %a2 given(%b2) {
  ^bb0(%c: tensor<4xf32>):
    %t = math.sin %c : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  %x2 = tensor.concat dim(0) %b2, %a3 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  return %x2 : tensor<8xf32>
}
func.func @main(%x: tensor<8xf32>, %d: tensor<8xf32>) -> tensor<8xf32> {
  %0 = rev.vjp @joined(%x) cotangents(%d) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// A broadcast is made again of what is smaller, not kept to have that back.
// CHECK-LABEL: func.func private @enlarged_vjp(
// CHECK:         %[[S:.*]] = math.sin
// CHECK:         %[[B:.*]] = linalg.broadcast ins(%[[S]]
// CHECK-NOT:     tensor.extract_slice
// CHECK:         return
func.func private @enlarged(%x: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %s = math.sin %x : tensor<8xf32>
  %t = math.cos %s : tensor<8xf32>
  %e = tensor.empty() : tensor<8x8xf32>
  %b = linalg.broadcast ins(%s : tensor<8xf32>) outs(%e : tensor<8x8xf32>) dimensions = [0]
  %c = linalg.broadcast ins(%t : tensor<8xf32>) outs(%e : tensor<8x8xf32>) dimensions = [0]
  %k = arith.mulf %b, %w : tensor<8x8xf32>
  %y = arith.addf %k, %c : tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}
func.func @main(%x: tensor<8xf32>, %w: tensor<8x8xf32>) -> (tensor<8xf32>, tensor<8x8xf32>) {
  %0:2 = rev.vjp @enlarged(%x, %w) cotangents(%w) : (tensor<8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) -> (tensor<8xf32>, tensor<8x8xf32>)
  return %0#0, %0#1 : tensor<8xf32>, tensor<8x8xf32>
}

// -----

// A broadcast of an argument is made again for the inverse that is given it, and
// not had back from a sum, whoever else reads it.
// CHECK-LABEL: func.func private @shared_vjp(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<4x8xf32>, %[[W:[a-z0-9]+]]: tensor<2x8xf32>,
// CHECK:         %[[A:.*]] = tensor.extract_slice %[[W]]
// CHECK:         %[[B:.*]] = linalg.broadcast ins(%[[A]]
// CHECK:         call @scaled(%[[X]], %[[B]])
// CHECK:         call @scaled(%{{.*}}, %[[B]])
// CHECK-NOT:     %[[B]]{{[, )]}}
// CHECK:         %[[C:.*]] = tensor.extract_slice %[[W]]
// CHECK:         %[[D:.*]] = linalg.broadcast ins(%[[C]]
// CHECK:         call @unscaled(%{{.*}}, %[[D]])
// CHECK-NOT:     %[[B]]{{[, )]}}
// CHECK:         return
func.func private @scaled(%x: tensor<4x8xf32>, %a: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {rev.inverse = @unscaled} {
  %s = math.exp %a : tensor<4x8xf32>
  %y = arith.mulf %x, %s : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
func.func private @unscaled(%y: tensor<4x8xf32>, %a: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %s = math.exp %a : tensor<4x8xf32>
  %x = arith.divf %y, %s : tensor<4x8xf32>
  return %x : tensor<4x8xf32>
}
func.func private @shared(%x: tensor<4x8xf32>, %w: tensor<2x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %a = tensor.extract_slice %w[0, 0] [1, 8] [1, 1] : tensor<2x8xf32> to tensor<8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %b = linalg.broadcast ins(%a : tensor<8xf32>) outs(%e : tensor<4x8xf32>) dimensions = [0]
  %y = func.call @scaled(%x, %b) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %z = func.call @scaled(%y, %b) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %c = math.cos %y : tensor<4x8xf32>
  %l = arith.addf %c, %b : tensor<4x8xf32>
  return %z, %l : tensor<4x8xf32>, tensor<4x8xf32>
}
func.func @main(%x: tensor<4x8xf32>, %w: tensor<2x8xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>) {
  %0:2 = rev.vjp @shared(%x, %w) cotangents(%x, %x) : (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>)
  return %0#0, %0#1 : tensor<4x8xf32>, tensor<2x8xf32>
}

// -----

// What equals the result has a cotangent of its own.
// CHECK-LABEL: func.func private @equal_vjp(
// CHECK-SAME:    %{{[a-z0-9]+}}: tensor<4xf32>, %[[DC:[a-z0-9]+]]: tensor<4xf32>, %[[DD:[a-z0-9]+]]: tensor<4xf32>
// CHECK:         %[[Y:.*]] = rev.fixed_point
// CHECK:         %[[COS:.*]] = math.cos %[[Y]]
// CHECK:         %[[DY:.*]] = arith.mulf %[[DD]], %[[COS]]
// CHECK:         %[[H:.*]] = tensor.cast %[[Y]] : tensor<4xf32> to tensor<4xf32>
// CHECK:         %[[SIN:.*]] = math.sin %[[H]]
// CHECK:         %[[PRODUCT:.*]] = arith.mulf %[[DC]], %[[SIN]]
// CHECK:         %[[DH:.*]] = arith.negf %[[PRODUCT]]
// CHECK:         linalg.generic {{.*}} ins(%[[DH]], %[[DY]]
func.func private @equal(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %h = math.sinh %x : tensor<4xf32>
  %c = math.cos %h : tensor<4xf32>
  %y = rev.fixed_point %h fraction = 20 checked : tensor<4xf32>
  %d = math.sin %y : tensor<4xf32>
  return %c, %d : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @equal(%x) cotangents(%x, %x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A leaky rectifier between what is at hand and what the derivative reads.
// CHECK-LABEL: func.func private @leaky_vjp(
// CHECK:         %[[Y:.*]] = arith.select
// CHECK:         %[[M:.*]] = arith.divf %[[Y]],
// CHECK:         %[[X:.*]] = arith.select %{{.*}}, %[[Y]], %[[M]]
// CHECK:         math.cos %[[X]]
func.func private @leaky(%a: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %zero = arith.constant dense<0.0> : tensor<8xf32>
  %half = arith.constant dense<0.5> : tensor<8xf32>
  %x = arith.addf %a, %b : tensor<8xf32>
  %c = arith.cmpf ogt, %x, %zero : tensor<8xf32>
  %m = arith.mulf %x, %half : tensor<8xf32>
  %s = math.sin %x : tensor<8xf32>
  %y = arith.select %c, %x, %m : tensor<8xi1>, tensor<8xf32>
  %z = math.sin %y : tensor<8xf32>
  return %y, %z, %s : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}
func.func @main(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %0:2 = rev.vjp @leaky(%x, %x) cotangents(%x, %x, %x) : (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
  return %0#0, %0#1 : tensor<8xf32>, tensor<8xf32>
}
