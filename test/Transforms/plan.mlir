// RUN: memrev-opt %s -rev-plan -split-input-file | FileCheck %s

// Couplings and loops that can be run backwards are inverted.
// CHECK-LABEL: func.func @loop
// CHECK-SAME: rev.planned = "invert"
func.func @loop(%x1: tensor<4xf32>, %x2: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  // CHECK: scf.for
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<4xf32>, tensor<4xf32>) {
    // CHECK: rev.coupling additive %{{.*}} given(%{{.*}}) attributes {rev.invert = 0 : i64}
    %y = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf32>):
      %t = math.tanh %c : tensor<4xf32>
      rev.yield %t : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    scf.yield %y, %b : tensor<4xf32>, tensor<4xf32>
  // CHECK: } {rev.invert = 0 : i64}
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @loop(%x, %x) cotangents(%x, %x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A body that loses its state is stored, and the plan says why.
// CHECK-LABEL: func.func @lossy
func.func @lossy(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %r = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    // CHECK: math.sin
    // CHECK-NOT: rev.invert
    %t = math.sin %a : tensor<4xf32>
    scf.yield %t : tensor<4xf32>
  // CHECK: {rev.reason = "no inverse edge gives iteration argument 0 back: 'math.sin' at {{.*}} has no inverse edge for iteration argument 0"}
  }
  return %r : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @lossy(%x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A plain addition has inverse edges too.
// CHECK-LABEL: func.func @plain
func.func @plain(%x1: tensor<4xf32>, %x2: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<4xf32>, tensor<4xf32>) {
    %t = math.tanh %b : tensor<4xf32>
    // CHECK: arith.addf %{{.*}}, %{{.*}} {rev.invert = 0 : i64}
    %y = arith.addf %a, %t : tensor<4xf32>
    scf.yield %b, %y : tensor<4xf32>, tensor<4xf32>
  // CHECK: } {rev.invert = 0 : i64}
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @plain(%x, %x) cotangents(%x, %x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Each policy gets a function of its own.
// CHECK-LABEL: func.func @f
// CHECK-SAME: rev.planned = "invert"
// CHECK: rev.coupling {{.*}} {rev.invert = 0 : i64}
// CHECK-LABEL: func.func private @f_store
// CHECK-SAME: rev.planned = "store"
// CHECK-NOT: rev.invert
func.func @f(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %y = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    rev.yield %a : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK: rev.vjp @f(
  %0:2 = rev.vjp @f(%x, %x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  // CHECK: rev.vjp @f_store(
  %1:2 = rev.vjp @f(%x, %x) cotangents(%x) policy(store) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %1#0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A coupling whose region depends on the coupled value is not inverted: the inverse would
// need what it solves for.
// CHECK-LABEL: func.func @depends
// CHECK: rev.coupling additive %{{.*}} given(%{{.*}}) attributes {rev.reason = "the region depends on the coupled value"}
func.func @depends(%x: tensor<4xf32>) -> tensor<4xf32> {
  %n = math.sin %x : tensor<4xf32>
  %y = rev.coupling additive %x given(%n) {
  ^bb0(%c: tensor<4xf32>):
    rev.yield %c : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @depends(%x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// What the region of another coupling computes is no state that is had back.
// CHECK-LABEL: func.func @depends_on_auxiliary
// CHECK: rev.coupling {{.*}} {rev.invert = 0 : i64}
// CHECK: rev.coupling {{.*}} {rev.reason = "the region depends on the coupled value"}
func.func @depends_on_auxiliary(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %z, %u = rev.coupling additive %w given() {
    %n = arith.negf %x : tensor<4xf32>
    rev.yield %n, %n : tensor<4xf32>, tensor<4xf32>
  } : tensor<4xf32>, () -> tensor<4xf32>
  %y = rev.coupling additive %x given(%u) {
  ^bb0(%c: tensor<4xf32>):
    rev.yield %c : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @depends_on_auxiliary(%x, %x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// Two streams, the second computed from the first: the second coupling gives it back, so
// that the first can be inverted. Not if the second reads what the first couples.
// CHECK-LABEL: func.func @streams
// CHECK: rev.coupling {{.*}} {rev.invert = 0 : i64}
// CHECK: rev.coupling {{.*}} {rev.invert = 0 : i64}
// CHECK: rev.coupling {{.*}} {rev.reason = "the region depends on the coupled value"}
// CHECK: rev.coupling {{.*}} {rev.invert = 0 : i64}
func.func @streams(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %n = math.sin %x : tensor<4xf32>
  %y = rev.coupling additive %x given(%n) {
  ^bb0(%c: tensor<4xf32>):
    rev.yield %c : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  %z = rev.coupling additive %n given(%y) {
  ^bb0(%c: tensor<4xf32>):
    rev.yield %c : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  %u = math.sin %y : tensor<4xf32>
  %v = rev.coupling additive %y given(%u) {
  ^bb0(%c: tensor<4xf32>):
    rev.yield %c : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  %w = rev.coupling additive %u given(%y) {
  ^bb0(%c: tensor<4xf32>):
    rev.yield %c : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %v, %w : tensor<4xf32>, tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @streams(%x) cotangents(%x, %x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
