// RUN: memrev-opt %s -rev-plan -rev-differentiate -split-input-file | FileCheck %s

// What a function names as its inverse (rev.inverse) gives the arguments of its
// calls back in derivatives.

// The calls stay calls: nothing of them is saved. Each is undone, and then its
// derivative evaluates it once more, at what came back. The argument of the
// first one is at hand.
// CHECK-LABEL: func.func private @scale_again(
// CHECK-COUNT-1: math.tanh
// CHECK-NOT:     math.tanh
// CHECK-LABEL: func.func private @unscale(
// CHECK-LABEL: func.func private @line_vjp(
// CHECK-SAME:    %[[X:.*]]: tensor<4xf32>, %[[S:.*]]: tensor<4xf32>, %[[D:.*]]: tensor<4xf32>)
// CHECK-NEXT:    %[[A:.*]] = call @scale(%[[X]], %[[S]])
// CHECK-NEXT:    %[[B:.*]] = call @scale(%[[A]], %[[S]])
// CHECK-NEXT:    %[[C:.*]] = call @unscale(%[[B]], %[[S]])
// CHECK-NEXT:    %[[G:.*]]:2 = call @scale_again(%[[C]], %[[S]], %[[D]]
// CHECK-NEXT:    call @scale_again(%[[X]], %[[S]], %[[G]]#0
// CHECK-NOT:     call
// CHECK:         return
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> attributes {rev.inverse = @unscale} {
  %t = math.tanh %s : tensor<4xf32>
  %y = arith.mulf %x, %t : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> {
  %t = math.tanh %s : tensor<4xf32>
  %x = arith.divf %y, %t : tensor<4xf32>
  return %x : tensor<4xf32>
}
func.func private @line(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %a = call @scale(%x, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = call @scale(%a, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %b : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %s: tensor<4xf32>, %d: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @line(%x, %s) cotangents(%d) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A loop over calls runs backwards. The inverse is undone by the function that
// names it.
// CHECK-LABEL: func.func private @loop_vjp(
// CHECK:         scf.for
// CHECK-NEXT:      call @unscale
// CHECK-NEXT:      yield
// CHECK:         scf.for
// CHECK:           call @scale(
// CHECK:           call @unscale_again(
// CHECK:           yield
// CHECK:         return
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> attributes {rev.inverse = @unscale} {
  %y = arith.mulf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> {
  %x = arith.divf %y, %s : tensor<4xf32>
  return %x : tensor<4xf32>
}
func.func private @loop(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 8 : index
  %y = scf.for %i = %zero to %end step %one iter_args(%v = %x) -> (tensor<4xf32>) {
    %z = func.call @unscale(%v, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    scf.yield %z : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %s: tensor<4xf32>, %d: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @loop(%x, %s) cotangents(%d) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// With policy(store) derivatives look into the function.
// CHECK-LABEL: func.func private @line_vjp(
// CHECK-NOT:     @unscale
// CHECK:         return
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> attributes {rev.inverse = @unscale} {
  %y = arith.mulf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> {
  %x = arith.divf %y, %s : tensor<4xf32>
  return %x : tensor<4xf32>
}
func.func private @line(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %a = call @scale(%x, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %b = call @scale(%a, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %b : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %s: tensor<4xf32>, %d: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @line(%x, %s) cotangents(%d) policy(store) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// What is handed over twice is not given back from itself: such a call is
// looked into like any other.
// CHECK-LABEL: func.func private @twice_vjp(
// CHECK-NOT:     @unscale
// CHECK:         return
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> attributes {rev.inverse = @unscale} {
  %y = arith.mulf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> {
  %x = arith.divf %y, %s : tensor<4xf32>
  return %x : tensor<4xf32>
}
func.func private @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = call @scale(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %a : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %d: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @twice(%x) cotangents(%d) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// 64 iterations of a function that says that its inverse loses digits lose too
// many: the loop stores.
// CHECK-LABEL: func.func private @lossy_vjp(
// CHECK:         tensor.empty() : tensor<64x4xf32>
// CHECK-NOT:     @unscale
// CHECK:         return
func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> attributes {rev.inverse = @unscale, rev.gain = 2.0 : f64} {
  %y = arith.mulf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> {
  %x = arith.divf %y, %s : tensor<4xf32>
  return %x : tensor<4xf32>
}
func.func private @lossy(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 64 : index
  %y = scf.for %i = %zero to %end step %one iter_args(%v = %x) -> (tensor<4xf32>) {
    %z = func.call @scale(%v, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    scf.yield %z : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %s: tensor<4xf32>, %d: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @lossy(%x, %s) cotangents(%d) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// What an inverse returns besides the argument (rev.side_results) is not
// evaluated again: neither for what reads it, nor in the call's derivative.
// CHECK-LABEL: func.func private @bend_again(
// CHECK-SAME:    %{{.*}}: tensor<4xf32>, %[[T:.*]]: tensor<4xf32>, %[[D:.*]]: tensor<4xf32>, %[[DT:.*]]: tensor<4xf32>
// CHECK-NOT:     math.tanh
// CHECK:         return
// CHECK-LABEL: func.func private @bends_vjp(
// CHECK:         scf.for
// CHECK:           call @bend(
// CHECK:         scf.for
// CHECK:           %[[X:.*]]:2 = func.call @unbend(%{{.*}}, %{{.*}}) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
// CHECK-NOT:       call @bend(
// CHECK:           arith.mulf %{{.*}}, %[[X]]#1
// CHECK:           call @bend_again(%{{.*}}, %[[X]]#1
// CHECK:         return
func.func private @bend(%x: tensor<4xf32>, %s: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>) attributes {
    rev.inverse = @unbend, rev.side_results = 1 : i64} {
  %t = math.tanh %s : tensor<4xf32>
  %y = arith.mulf %x, %t : tensor<4xf32>
  return %y, %t : tensor<4xf32>, tensor<4xf32>
}
func.func private @unbend(%y: tensor<4xf32>, %s: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>) {
  %t = math.tanh %s : tensor<4xf32>
  %x = arith.divf %y, %t : tensor<4xf32>
  return %x, %t : tensor<4xf32>, tensor<4xf32>
}
func.func private @bends(%x: tensor<4xf32>, %s: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 8 : index
  %y:2 = scf.for %i = %zero to %end step %one iter_args(%v = %x, %sum = %s) -> (tensor<4xf32>, tensor<4xf32>) {
    %z, %t = func.call @bend(%v, %s) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    %u = arith.mulf %t, %t : tensor<4xf32>
    %next = arith.addf %sum, %u : tensor<4xf32>
    scf.yield %z, %next : tensor<4xf32>, tensor<4xf32>
  }
  return %y#0, %y#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %s: tensor<4xf32>, %d: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @bends(%x, %s) cotangents(%d, %d) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// What takes all results is not what gives nothing back.
// CHECK-LABEL: func.func @both(
// CHECK:         call @f_inverse{{.*}}(%{{.*}}, %{{.*}}, %{{.*}})
// CHECK:         call @f_inverse{{.*}}(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
func.func private @f(%x: tensor<4xf32>, %s: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) attributes {rev.inverse = @g, rev.side_results = 1 : i64} {
  %y = arith.addf %x, %s : tensor<4xf32>
  return %y, %s : tensor<4xf32>, tensor<4xf32>
}
func.func private @g(%y: tensor<4xf32>, %s: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %x = arith.subf %y, %s : tensor<4xf32>
  return %x, %s : tensor<4xf32>, tensor<4xf32>
}
func.func @both(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = rev.inverse @f(%x, %x, %x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  rev.inverse @f(%x, %x, %x, %x) wrt [] : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> ()
  return %a : tensor<4xf32>
}
