// RUN: memrev-opt %s -rev-differentiate -split-input-file | FileCheck %s

// One branch backwards, on the same condition, for all cotangents. What a region
// reads is evaluated in it; what it does not use it hands through.
func.func private @branch(%x: tensor<4xf64>, %y: tensor<4xf64>, %c: i1) -> (tensor<4xf64>, tensor<4xf64>) {
  %r:2 = scf.if %c -> (tensor<4xf64>, tensor<4xf64>) {
    %s = math.sin %x : tensor<4xf64>
    %m = arith.mulf %s, %y : tensor<4xf64>
    scf.yield %m, %s : tensor<4xf64>, tensor<4xf64>
  } else {
    scf.yield %x, %x : tensor<4xf64>, tensor<4xf64>
  }
  return %r#0, %r#1 : tensor<4xf64>, tensor<4xf64>
}

// CHECK-LABEL: func.func private @branch_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<4xf64>, %[[Y:[^:]*]]: tensor<4xf64>, %[[C:[^:]*]]: i1,
// CHECK-NOT: scf.if
// CHECK: %[[R:.*]]:2 = scf.if %[[C]]
// CHECK: math.sin %[[X]]
// CHECK: math.cos %[[X]]
// CHECK: } else {
// CHECK-NOT: math
// CHECK: }
// CHECK-NOT: scf.if
// CHECK: return %[[R]]#0, %[[R]]#1
func.func @main(%x: tensor<4xf64>, %c: i1) -> (tensor<4xf64>, tensor<4xf64>) {
  %0:2 = rev.vjp @branch(%x, %x, %c) cotangents(%x, %x) : (tensor<4xf64>, tensor<4xf64>, i1, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0#0, %0#1 : tensor<4xf64>, tensor<4xf64>
}

// -----

// The loop that counts does what the condition depends on and no more. The tape
// has the length that it finds.
func.func private @while(%x: tensor<4xf64>, %n: index) -> tensor<4xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.while (%a = %x, %i = %c0) : (tensor<4xf64>, index) -> (tensor<4xf64>, index) {
    %more = arith.cmpi slt, %i, %n : index
    scf.condition(%more) %a, %i : tensor<4xf64>, index
  } do {
  ^bb0(%a: tensor<4xf64>, %i: index):
    %t = math.tanh %a : tensor<4xf64>
    %next = arith.addi %i, %c1 : index
    scf.yield %t, %next : tensor<4xf64>, index
  }
  return %r#0 : tensor<4xf64>
}

// CHECK-LABEL: func.func private @while_vjp
// CHECK: %[[COUNT:.*]]:2 = scf.while {{.*}} : (index, index) -> (index, index) {
// CHECK-NOT: math
// CHECK: %[[LENGTH:.*]] = arith.maxsi %[[COUNT]]#1,
// CHECK: tensor.empty(%[[LENGTH]]) : tensor<?x4xf64>
// CHECK: scf.for {{.*}} to %[[COUNT]]#1 step
// CHECK: math.tanh
// CHECK: tensor.insert_slice
// CHECK: scf.for {{.*}} to %[[COUNT]]#1 step
// CHECK: tensor.extract_slice
// CHECK-NOT: math.tanh
// CHECK: return
func.func @main(%x: tensor<4xf64>, %n: index) -> tensor<4xf64> {
  %0 = rev.vjp @while(%x, %n) cotangents(%x) : (tensor<4xf64>, index, tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

// With a body that can be inverted the number of iterations is all it takes.
func.func private @invertible_while(%x: tensor<4xf64>, %y: tensor<4xf64>, %n: index) -> (tensor<4xf64>, tensor<4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.while (%a = %x, %b = %y, %i = %c0) : (tensor<4xf64>, tensor<4xf64>, index) -> (tensor<4xf64>, tensor<4xf64>, index) {
    %more = arith.cmpi slt, %i, %n : index
    scf.condition(%more) %a, %b, %i : tensor<4xf64>, tensor<4xf64>, index
  } do {
  ^bb0(%a: tensor<4xf64>, %b: tensor<4xf64>, %i: index):
    %u = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf64>):
      %t = math.tanh %c : tensor<4xf64>
      rev.yield %t : tensor<4xf64>
    } : tensor<4xf64>, (tensor<4xf64>)
    %v = rev.coupling additive %b given(%u) {
    ^bb0(%c: tensor<4xf64>):
      %t = math.sin %c : tensor<4xf64>
      rev.yield %t : tensor<4xf64>
    } : tensor<4xf64>, (tensor<4xf64>)
    %next = arith.addi %i, %c1 : index
    scf.yield %u, %v, %next : tensor<4xf64>, tensor<4xf64>, index
  }
  return %r#0, %r#1 : tensor<4xf64>, tensor<4xf64>
}

// CHECK-LABEL: func.func private @invertible_while_vjp
// CHECK: scf.while
// CHECK-NOT: tensor<?x4xf64>
// CHECK: return
func.func @main(%x: tensor<4xf64>, %n: index) -> (tensor<4xf64>, tensor<4xf64>) {
  %0:2 = rev.vjp @invertible_while(%x, %x, %n) cotangents(%x, %x) : (tensor<4xf64>, tensor<4xf64>, index, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0#0, %0#1 : tensor<4xf64>, tensor<4xf64>
}

// -----

// Stored are tensors of an extent that no iteration changes, and the bit of a
// comparison, not the numbers. The product is the same in all iterations:
// evaluated once for all of them.
func.func private @tapes(%x: tensor<?xf64>, %w: tensor<8x8xf64>, %v: tensor<8x8xf64>, %n: index) -> (tensor<?xf64>, f64) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %f0 = arith.constant 0.0 : f64
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %f0) -> (tensor<?xf64>, f64) {
    %e = tensor.empty() : tensor<8x8xf64>
    %z = linalg.fill ins(%f0 : f64) outs(%e : tensor<8x8xf64>) -> tensor<8x8xf64>
    %p = linalg.matmul ins(%v, %v : tensor<8x8xf64>, tensor<8x8xf64>) outs(%z : tensor<8x8xf64>) -> tensor<8x8xf64>
    %q = arith.mulf %p, %w : tensor<8x8xf64>
    %s = tensor.extract %q[%c0, %c1] : tensor<8x8xf64>
    %t = math.tanh %a : tensor<?xf64>
    %g = arith.cmpf ogt, %b, %s : f64
    %h = arith.select %g, %b, %s : f64
    %sum = arith.addf %h, %s : f64
    scf.yield %t, %sum : tensor<?xf64>, f64
  }
  return %r#0, %r#1 : tensor<?xf64>, f64
}

// CHECK-LABEL: func.func private @tapes_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?xf64>
// CHECK: %[[DIM:.*]] = tensor.dim %[[X]],
// CHECK: tensor.empty({{.*}}) : tensor<?xi1>
// CHECK: tensor.empty(%{{.*}}, %[[DIM]]) : tensor<?x?xf64>
// CHECK: scf.for {{.*}} -> (tensor<?xf64>, f64, tensor<?xi1>, tensor<?x?xf64>)
// CHECK: linalg.matmul
// CHECK: }
// CHECK: %[[P:.*]] = linalg.matmul
// CHECK: scf.for
// CHECK-NOT: linalg.matmul
// CHECK: arith.mulf %{{.*}}, %[[P]]
// CHECK: return
func.func @main(%x: tensor<?xf64>, %w: tensor<8x8xf64>, %n: index, %d: f64) -> (tensor<?xf64>, tensor<8x8xf64>) {
  %0:2 = rev.vjp @tapes(%x, %w, %w, %n) cotangents(%x, %d) wrt [0, 1] policy(store) : (tensor<?xf64>, tensor<8x8xf64>, tensor<8x8xf64>, index, tensor<?xf64>, f64) -> (tensor<?xf64>, tensor<8x8xf64>)
  return %0#0, %0#1 : tensor<?xf64>, tensor<8x8xf64>
}

// -----

// Of the state the reverse needs the shape alone: nothing is stored.
func.func private @shape_only(%x: tensor<?xf64>, %n: index) -> tensor<f64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %z = arith.constant dense<0.0> : tensor<f64>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %s = %z) -> (tensor<?xf64>, tensor<f64>) {
    %t = linalg.reduce ins(%a : tensor<?xf64>) outs(%s : tensor<f64>) dimensions = [0] (%in: f64, %out: f64) {
      %sum = arith.addf %in, %out : f64
      linalg.yield %sum : f64
    }
    scf.yield %a, %t : tensor<?xf64>, tensor<f64>
  }
  return %r#1 : tensor<f64>
}

// CHECK-LABEL: func.func private @shape_only_vjp
// CHECK-NOT: tensor<?x?xf64>
// CHECK: return
func.func @main(%x: tensor<?xf64>, %d: tensor<f64>, %n: index) -> tensor<?xf64> {
  %0 = rev.vjp @shape_only(%x, %n) cotangents(%d) policy(store) : (tensor<?xf64>, index, tensor<f64>) -> tensor<?xf64>
  return %0 : tensor<?xf64>
}

// -----

// Four states and the one before the last iteration, of each of 100 iterations.
// On the way back a loop places checkpoints, then one goes to the iteration.
func.func private @binomial(%x: tensor<16xf64>) -> tensor<16xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %r = scf.for %i = %c0 to %c100 step %c1 iter_args(%a = %x) -> tensor<16xf64> {
    %b = arith.mulf %a, %a : tensor<16xf64>
    %c = math.sin %b : tensor<16xf64>
    scf.yield %c : tensor<16xf64>
  } {rev.checkpoint = #rev.binomial<4>}
  return %r : tensor<16xf64>
}

// CHECK-LABEL: func.func private @binomial_vjp
// CHECK-NOT: rev.
// CHECK-DAG: tensor.empty() : tensor<5x16xf64>
// CHECK-DAG: tensor.empty() : tensor<5xindex>
// CHECK-NOT: tensor<100x
// CHECK: scf.for
// CHECK: scf.if
// CHECK: scf.for
// CHECK-NOT: scf.if
// CHECK: scf.while
// CHECK: } do {
// CHECK: scf.while
// CHECK: scf.for
// CHECK: math.sin
// CHECK: }
// CHECK: scf.for
// CHECK: math.sin
// CHECK: math.cos
// CHECK: return
func.func @main(%x: tensor<16xf64>) -> tensor<16xf64> {
  %0 = rev.vjp @binomial(%x) cotangents(%x) : (tensor<16xf64>, tensor<16xf64>) -> tensor<16xf64>
  return %0 : tensor<16xf64>
}

// -----

// Ten states of the outer loop; on the way back the tape of ten iterations.
func.func private @periodic(%x: tensor<16xf64>) -> tensor<16xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c100 = arith.constant 100 : index
  %r = scf.for %i = %c0 to %c100 step %c1 iter_args(%a = %x) -> tensor<16xf64> {
    %b = arith.mulf %a, %a : tensor<16xf64>
    %c = math.sin %b : tensor<16xf64>
    scf.yield %c : tensor<16xf64>
  } {rev.checkpoint = #rev.periodic<10>}
  return %r : tensor<16xf64>
}

// CHECK-LABEL: func.func private @periodic_vjp
// CHECK-NOT: rev.
// CHECK: tensor.empty() : tensor<10x16xf64>
// CHECK: scf.for
// CHECK: tensor.insert_slice
// CHECK: scf.for
// CHECK: scf.for
// CHECK: tensor.extract_slice
// CHECK: tensor.empty() : tensor<10x16xf64>
// CHECK: scf.for
// CHECK: scf.for
// CHECK: return
func.func @main(%x: tensor<16xf64>) -> tensor<16xf64> {
  %0 = rev.vjp @periodic(%x) cotangents(%x) : (tensor<16xf64>, tensor<16xf64>) -> tensor<16xf64>
  return %0 : tensor<16xf64>
}

// -----

// Forward mode carries tangents as further state, of the active state alone.
func.func private @forward(%x: tensor<4xf64>, %y: tensor<4xf64>, %n: index) -> (tensor<4xf64>, tensor<4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf64>, tensor<4xf64>) {
    %c = arith.mulf %a, %b : tensor<4xf64>
    %d = math.exp %b : tensor<4xf64>
    scf.yield %c, %d : tensor<4xf64>, tensor<4xf64>
  }
  return %r#0, %r#1 : tensor<4xf64>, tensor<4xf64>
}

// CHECK-LABEL: func.func private @forward_jvp
// CHECK: %[[R:.*]]:3 = scf.for
// CHECK: return %[[R]]#0, %[[R]]#1, %[[R]]#2
func.func @main(%x: tensor<4xf64>, %n: index) -> tensor<4xf64> {
  %0:3 = rev.jvp @forward(%x, %x, %n) tangents(%x) wrt [0] of [0] : (tensor<4xf64>, tensor<4xf64>, index, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>)
  return %0#2 : tensor<4xf64>
}
