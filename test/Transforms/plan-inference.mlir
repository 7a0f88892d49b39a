// RUN: memrev-opt %s -rev-plan -split-input-file | FileCheck %s

// Which inverse edges a plan uses in loops, and why it uses none.

// A sum over the iterations is left out of the loop's inverse.
// CHECK-LABEL: func.func @sum
// CHECK: arith.addf
// CHECK-NOT: rev.invert
// CHECK: scf.yield
// CHECK-NEXT: } {rev.invert = 0 : i64, rev.left_out = array<i64: 1>}
func.func @sum(%x: tensor<4xf32>, %s: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x, %b = %s) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = arith.negf %a : tensor<4xf32>
    %c = arith.addf %b, %y : tensor<4xf32>
    scf.yield %y, %c : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @sum(%x, %x) cotangents(%x, %x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// So is a mean with constant weights. With weights that may have a cotangent its old
// value is read, and no edge gives that back.
// CHECK-LABEL: func.func @means
// CHECK: rev.left_out = array<i64: 1>
// CHECK: rev.reason = "no inverse edge gives iteration argument 1 back: 'arith.mulf' at {{.*}}plan-inference.mlir:[[@LINE+15]]:10 has no inverse edge for iteration argument 1"
func.func @means(%x: tensor<4xf32>, %s: tensor<4xf32>, %m: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %old = arith.constant 0.9 : f32
  %scale = tensor.splat %old : tensor<4xf32>
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x, %b = %s) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = arith.negf %a : tensor<4xf32>
    %p = arith.mulf %b, %scale : tensor<4xf32>
    %c = arith.addf %p, %y : tensor<4xf32>
    scf.yield %y, %c : tensor<4xf32>, tensor<4xf32>
  }
  %t:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %r#0, %b = %r#1) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = arith.negf %a : tensor<4xf32>
    %p = arith.mulf %b, %m : tensor<4xf32>
    %c = arith.addf %p, %y : tensor<4xf32>
    scf.yield %y, %c : tensor<4xf32>, tensor<4xf32>
  }
  return %t#0, %t#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0:3 = rev.vjp @means(%x, %x, %x) cotangents(%x, %x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// The outer loop reads what the inner one adds up: its inverse needs the old sum, so
// that the inner loop's gives it back. The next loop reads it nowhere.
// CHECK-LABEL: func.func @nested
// CHECK: arith.addf {{.*}} {rev.invert = 0 : i64}
// CHECK: scf.yield
// CHECK-NEXT: } {rev.invert = 0 : i64}
// CHECK: scf.yield
// CHECK-NEXT: } {rev.invert = 0 : i64}
// CHECK: arith.addf
// CHECK-NOT: rev.invert
// CHECK: scf.yield
// CHECK-NEXT: } {rev.invert = 0 : i64, rev.left_out = array<i64: 0>}
func.func @nested(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x, %b = %w) -> (tensor<4xf32>, tensor<4xf32>) {
    %t = math.tanh %a : tensor<4xf32>
    %b1 = arith.addf %b, %t : tensor<4xf32>
    %u = math.tanh %b1 : tensor<4xf32>
    %a1 = scf.for %j = %c0 to %c6 step %c1 iter_args(%s = %a) -> tensor<4xf32> {
      %v = math.sin %u : tensor<4xf32>
      %s1 = arith.addf %s, %v : tensor<4xf32>
      scf.yield %s1 : tensor<4xf32>
    }
    scf.yield %a1, %b1 : tensor<4xf32>, tensor<4xf32>
  }
  %z = scf.for %j = %c0 to %c6 step %c1 iter_args(%s = %r#0) -> tensor<4xf32> {
    %v = math.sin %w : tensor<4xf32>
    %s1 = arith.addf %s, %v : tensor<4xf32>
    scf.yield %s1 : tensor<4xf32>
  }
  return %z : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @nested(%x, %x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// The reason follows the edges that there are to the value that none gives back.
// CHECK-LABEL: func.func @chain
// CHECK: rev.reason = "no inverse edge gives iteration argument 0 back: 'math.sin' at {{.*}}:[[@LINE+8]]:10 and 'math.cos' at {{.*}}:[[@LINE+9]]:10 have no inverse edge for result 0 of 'arith.subf' at {{.*}}:[[@LINE+7]]:10"
func.func @chain(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %r = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %n = arith.negf %a : tensor<4xf32>
    %s = arith.subf %n, %w : tensor<4xf32>
    %e = math.sin %s : tensor<4xf32>
    %t = math.cos %s : tensor<4xf32>
    %p = arith.mulf %e, %t : tensor<4xf32>
    scf.yield %p : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @chain(%x, %x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// An inverse that needs what it solves for.
// CHECK-LABEL: func.func @circle
// CHECK: rev.reason = "no inverse edge gives iteration argument 0 back: the inverse of 'arith.addf' at {{.*}}:[[@LINE+7]]:10 needs result 0 of 'math.sin' at {{.*}}:[[@LINE+6]]:10, and that needs iteration argument 0 first"
func.func @circle(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %r = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %t = math.sin %a : tensor<4xf32>
    %y = arith.addf %a, %t : tensor<4xf32>
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @circle(%x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Nothing reads what the loop drops.
// CHECK-LABEL: func.func @dropped
// CHECK: rev.reason = "no inverse edge gives iteration argument 0 back: nothing that could be undone reads iteration argument 0"
func.func @dropped(%x: tensor<?xf32>, %w: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x, %b = %w) -> (tensor<?xf32>, tensor<?xf32>) {
    %y = arith.negf %b : tensor<?xf32>
    scf.yield %y, %y : tensor<?xf32>, tensor<?xf32>
  }
  return %r#0 : tensor<?xf32>
}
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %0:2 = rev.vjp @dropped(%x, %x) cotangents(%x) : (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>)
  return %0#0 : tensor<?xf32>
}

// -----

// An inner loop that stores starts from state that the outer one leaves out.
// CHECK-LABEL: func.func @inner
// CHECK: rev.reason = "a loop in it, at {{.*}}plan-inference.mlir:[[@LINE+6]]:12, stores, and starts from what this loop only updates"
func.func @inner(%x: tensor<4xf64>, %a: tensor<3x4xf64>) -> tensor<3x4xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%outer = %a) -> (tensor<3x4xf64>) {
    %q:2 = scf.for %j = %c0 to %c3 step %c1 iter_args(%s = %x, %rows = %outer) -> (tensor<4xf64>, tensor<3x4xf64>) {
      %t = math.sin %s : tensor<4xf64>
      %e = tensor.insert_slice %t into %rows[%j, 0] [1, 4] [1, 1] : tensor<4xf64> into tensor<3x4xf64>
      scf.yield %t, %e : tensor<4xf64>, tensor<3x4xf64>
    }
    scf.yield %q#1 : tensor<3x4xf64>
  }
  return %r : tensor<3x4xf64>
}
func.func @main(%x: tensor<4xf64>, %a: tensor<3x4xf64>) -> tensor<4xf64> {
  %0 = rev.vjp @inner(%x, %a) cotangents(%a) wrt [0] : (tensor<4xf64>, tensor<3x4xf64>, tensor<3x4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

// What a function with rules of its own makes of parameters is had again by
// another call, alone and in an operation with regions.
// CHECK-LABEL: func.func @called
// CHECK: scf.for
// CHECK: arith.addf %{{.*}}, %{{.*}} {rev.invert = 0 : i64
// CHECK: } {rev.invert = 0 : i64
func.func private @scaled(%w: tensor<4xf64>) -> tensor<4xf64> attributes {
    rev.custom_vjp = #rev.custom_vjp<forward = @scaled_fwd, backward = @scaled_bwd>}
func.func private @scaled_fwd(%w: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
func.func private @scaled_bwd(%r: tensor<4xf64>, %d: tensor<4xf64>) -> tensor<4xf64>
func.func @called(%x: tensor<4xf64>, %w: tensor<4xf64>, %c: i1) -> tensor<4xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%s = %x) -> (tensor<4xf64>) {
    %p = func.call @scaled(%w) : (tensor<4xf64>) -> tensor<4xf64>
    %q = scf.if %c -> (tensor<4xf64>) {
      %t = func.call @scaled(%p) : (tensor<4xf64>) -> tensor<4xf64>
      scf.yield %t : tensor<4xf64>
    } else {
      scf.yield %p : tensor<4xf64>
    }
    %y = arith.addf %s, %q : tensor<4xf64>
    %z = math.sin %y : tensor<4xf64>
    %u = arith.mulf %q, %q : tensor<4xf64>
    %v = arith.addf %y, %u : tensor<4xf64>
    scf.yield %v : tensor<4xf64>
  }
  return %r : tensor<4xf64>
}
func.func @main(%x: tensor<4xf64>, %w: tensor<4xf64>, %c: i1) -> tensor<4xf64> {
  %0 = rev.vjp @called(%x, %w, %c) cotangents(%x) wrt [1] : (tensor<4xf64>, tensor<4xf64>, i1, tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
