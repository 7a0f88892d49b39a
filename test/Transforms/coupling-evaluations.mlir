// RUN: memrev-opt %s --memrev-differentiate --memrev-lower --inline --canonicalize --symbol-dce | FileCheck %s
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower --inline --canonicalize --symbol-dce | FileCheck %s --check-prefix=TAPES

// How often the training step of each kind of coupling, and of its inverse,
// evaluates what its region holds: once forward and once backward, where the
// gradient costs two more. So a coupling with a residual block of three
// convolutions takes 12 (peers take 15), a leapfrog step with two takes 8.
// Gradients of filters are generic operations with three reduction loops. No
// loop stores anything.

!X = tensor<2x8x8x4xf32>
!P = tensor<2x10x10x4xf32>
!W = tensor<3x3x4x4xf32>
!S = tensor<5x3x3x4x4xf32>
!L = tensor<2xf32>

// TAPES-NOT: tensor<5x2x
// TAPES-NOT: tensor<5x{{[12]}}x8x8x4xf32>

func.func private @conv(%x: !X, %w: !W) -> !X {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : !X to !P
  %e = tensor.empty() : !X
  %f = linalg.fill ins(%zero : f32) outs(%e : !X) -> !X
  %y = linalg.conv_2d_nhwc_hwcf ins(%p, %w : !P, !W) outs(%f : !X) -> !X
  return %y : !X
}
func.func private @block(%c: !X, %w1: !W, %w2: !W, %w3: !W) -> !X {
  %h1 = call @conv(%c, %w1) : (!X, !W) -> !X
  %r1 = math.tanh %h1 : !X
  %h2 = call @conv(%r1, %w2) : (!X, !W) -> !X
  %r2 = math.tanh %h2 : !X
  %h3 = call @conv(%r2, %w3) : (!X, !W) -> !X
  return %h3 : !X
}

// Affine with a log-determinant, conditioned on a further image.
func.func private @affine(%x: !X, %c: !X, %d: !X, %w1: !W, %w2: !W, %w3: !W) -> (!X, !L) {
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 5 : index
  %init = arith.constant dense<0.0> : !L
  %y:2 = scf.for %i = %begin to %end step %one iter_args(%v = %x, %sum = %init) -> (!X, !L) {
    %u, %ld = rev.coupling affine<exp> %v given(%c, %d) log_det {
    ^bb0(%a: !X, %b: !X):
      %ab = arith.addf %a, %b : !X
      %t = func.call @block(%ab, %w1, %w2, %w3) : (!X, !W, !W, !W) -> !X
      %s = math.tanh %t : !X
      rev.yield %s, %t : !X, !X
    } : !X, (!X, !X) -> !L
    %next = arith.addf %sum, %ld : !L
    scf.yield %u, %next : !X, !L
  }
  return %y#0, %y#1 : !X, !L
}

// CHECK-LABEL:   func.func @affine_step(
// CHECK:         scf.for
// CHECK-COUNT-3:   linalg.conv_2d
// CHECK-NOT:       linalg.conv_2d
// CHECK:         scf.for
// CHECK-COUNT-9:   {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
// CHECK-NOT:       {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
func.func @affine_step(%x: !X, %c: !X, %d: !X, %w1: !W, %w2: !W, %w3: !W, %dy: !X, %dl: !L) -> (!X, !X, !W) {
  %y:2 = call @affine(%x, %c, %d, %w1, %w2, %w3) : (!X, !X, !X, !W, !W, !W) -> (!X, !L)
  %0:6 = rev.vjp @affine(%x, %c, %d, %w1, %w2, %w3) cotangents(%y#0, %dl)
      : (!X, !X, !X, !W, !W, !W, !X, !L) -> (!X, !X, !X, !W, !W, !W)
  return %0#0, %0#1, %0#3 : !X, !X, !W
}

// The other direction: the gradient of what is sampled.
func.func private @sample(%y: !X, %c: !X, %d: !X, %w1: !W, %w2: !W, %w3: !W) -> !X {
  %l = arith.constant dense<0.0> : !L
  %x = rev.inverse @affine(%y, %l, %c, %d, %w1, %w2, %w3) wrt [0]
      : (!X, !L, !X, !X, !W, !W, !W) -> !X
  return %x : !X
}

// CHECK-LABEL:   func.func @sample_step(
// CHECK:         scf.for
// CHECK-COUNT-3:   linalg.conv_2d
// CHECK-NOT:       linalg.conv_2d
// CHECK:         scf.for
// CHECK-COUNT-9:   {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
// CHECK-NOT:       {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
func.func @sample_step(%y: !X, %c: !X, %d: !X, %w1: !W, %w2: !W, %w3: !W, %dx: !X) -> (!X, !X, !W) {
  %0:6 = rev.vjp @sample(%y, %c, %d, %w1, %w2, %w3) cotangents(%dx)
      : (!X, !X, !X, !W, !W, !W, !X) -> (!X, !X, !X, !W, !W, !W)
  return %0#0, %0#1, %0#3 : !X, !X, !W
}

// Two-sided, written in the inverse direction, with its log-determinant.
func.func private @sides(%x1: !X, %x2: !X, %w1: !W, %w2: !W, %w3: !W) -> (!X, !X, !L) {
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 5 : index
  %init = arith.constant dense<0.0> : !L
  %y:3 = scf.for %i = %begin to %end step %one iter_args(%v1 = %x1, %v2 = %x2, %sum = %init) -> (!X, !X, !L) {
    %u1, %ld1 = rev.coupling inverse_of<affine<sigmoid>> %v1 given(%v2) log_det {
    ^bb0(%a: !X):
      %t = func.call @block(%a, %w1, %w2, %w3) : (!X, !W, !W, !W) -> !X
      rev.yield %t, %t : !X, !X
    } : !X, (!X) -> !L
    %u2, %ld2 = rev.coupling inverse_of<affine<sigmoid>> %v2 given(%u1) log_det {
    ^bb0(%a: !X):
      %t = func.call @block(%a, %w1, %w2, %w3) : (!X, !W, !W, !W) -> !X
      rev.yield %t, %t : !X, !X
    } : !X, (!X) -> !L
    %ld = arith.addf %ld1, %ld2 : !L
    %next = arith.addf %sum, %ld : !L
    scf.yield %u1, %u2, %next : !X, !X, !L
  }
  return %y#0, %y#1, %y#2 : !X, !X, !L
}

// CHECK-LABEL:    func.func @sides_step(
// CHECK:          scf.for
// CHECK-COUNT-6:    linalg.conv_2d
// CHECK-NOT:        linalg.conv_2d
// CHECK:          scf.for
// CHECK-COUNT-18:   {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
// CHECK-NOT:        {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
func.func @sides_step(%x1: !X, %x2: !X, %w1: !W, %w2: !W, %w3: !W, %dl: !L) -> (!X, !X, !W) {
  %0:5 = rev.vjp @sides(%x1, %x2, %w1, %w2, %w3) cotangents(%x1, %x2, %dl)
      : (!X, !X, !W, !W, !W, !X, !X, !L) -> (!X, !X, !W, !W, !W)
  return %0#0, %0#1, %0#2 : !X, !X, !W
}

// The region of a coupling holds a coupling, as in HINT. The region is one
// evaluation, and so is what it holds.
func.func private @nested(%x: !X, %c: !X, %w1: !W, %w2: !W, %w3: !W) -> !X {
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 5 : index
  %y = scf.for %i = %begin to %end step %one iter_args(%v = %x) -> (!X) {
    %u = rev.coupling affine<exp> %v given(%c) {
    ^bb0(%a: !X):
      %s = math.sin %a : !X
      %r = rev.coupling affine<exp> %s given(%a) {
      ^bb0(%b: !X):
        %t = func.call @block(%b, %w1, %w2, %w3) : (!X, !W, !W, !W) -> !X
        rev.yield %t, %t : !X, !X
      } : !X, (!X)
      rev.yield %r, %a : !X, !X
    } : !X, (!X)
    scf.yield %u : !X
  }
  return %y : !X
}
func.func private @nested_sample(%y: !X, %c: !X, %w1: !W, %w2: !W, %w3: !W) -> !X {
  %x = rev.inverse @nested(%y, %c, %w1, %w2, %w3) wrt [0] : (!X, !X, !W, !W, !W) -> !X
  return %x : !X
}

// CHECK-LABEL:   func.func @nested_step(
// CHECK:         scf.for
// CHECK-COUNT-3:   linalg.conv_2d
// CHECK-NOT:       linalg.conv_2d
// CHECK:         scf.for
// CHECK-COUNT-9:   {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
// CHECK-NOT:       {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
func.func @nested_step(%y: !X, %c: !X, %w1: !W, %w2: !W, %w3: !W, %dx: !X) -> (!X, !X, !W) {
  %0:5 = rev.vjp @nested_sample(%y, %c, %w1, %w2, %w3) cotangents(%dx)
      : (!X, !X, !W, !W, !W, !X) -> (!X, !X, !W, !W, !W)
  return %0#0, %0#1, %0#2 : !X, !X, !W
}

// Two leapfrog steps x1' = 2 x2 - x1 + f(x2), the second one for x2'.
func.func private @leapfrog(%x1: !X, %x2: !X, %w1: !W, %w2: !W) -> (!X, !X) {
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 5 : index
  %minus = arith.constant dense<-1.0> : !X
  %y:2 = scf.for %i = %begin to %end step %one iter_args(%v1 = %x1, %v2 = %x2) -> (!X, !X) {
    %u1 = rev.coupling affine<identity> %v1 given(%v2) {
    ^bb0(%a: !X):
      %h = func.call @conv(%a, %w1) : (!X, !W) -> !X
      %r = math.tanh %h : !X
      %f = func.call @conv(%r, %w2) : (!X, !W) -> !X
      %double = arith.addf %a, %a : !X
      %t = arith.addf %double, %f : !X
      rev.yield %minus, %t : !X, !X
    } : !X, (!X)
    %u2 = rev.coupling affine<identity> %v2 given(%u1) {
    ^bb0(%a: !X):
      %h = func.call @conv(%a, %w1) : (!X, !W) -> !X
      %r = math.tanh %h : !X
      %f = func.call @conv(%r, %w2) : (!X, !W) -> !X
      %double = arith.addf %a, %a : !X
      %t = arith.addf %double, %f : !X
      rev.yield %minus, %t : !X, !X
    } : !X, (!X)
    scf.yield %u1, %u2 : !X, !X
  }
  return %y#0, %y#1 : !X, !X
}

// CHECK-LABEL:    func.func @leapfrog_steps(
// CHECK:          scf.for
// CHECK-COUNT-4:    linalg.conv_2d
// CHECK-NOT:        linalg.conv_2d
// CHECK:          scf.for
// CHECK-COUNT-12:   {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
// CHECK-NOT:        {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
func.func @leapfrog_steps(%x1: !X, %x2: !X, %w1: !W, %w2: !W) -> (!X, !X, !W) {
  %0:4 = rev.vjp @leapfrog(%x1, %x2, %w1, %w2) cotangents(%x1, %x2)
      : (!X, !X, !W, !W, !X, !X) -> (!X, !X, !W, !W)
  return %0#0, %0#1, %0#2 : !X, !X, !W
}

// With the log-determinant of the loop of nested couplings, both as one.
func.func private @density(%x: !X, %c: !X, %w1: !W, %w2: !W, %w3: !W) -> (!X, !L) {
  %y:2 = rev.log_det @nested(%x, %c, %w1, %w2, %w3) : (!X, !X, !W, !W, !W) -> (!X, !L)
  return %y#0, %y#1 : !X, !L
}

// CHECK-LABEL:   func.func @density_step(
// CHECK:         scf.for
// CHECK-COUNT-3:   linalg.conv_2d
// CHECK-NOT:       linalg.conv_2d
// CHECK:         scf.for
// CHECK-COUNT-9:   {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
// CHECK-NOT:       {{linalg.conv_2d|"reduction", "reduction", "reduction"]}}
func.func @density_step(%x: !X, %c: !X, %w1: !W, %w2: !W, %w3: !W, %dl: !L) -> (!X, !X, !W) {
  %y:2 = call @density(%x, %c, %w1, %w2, %w3) : (!X, !X, !W, !W, !W) -> (!X, !L)
  %0:5 = rev.vjp @density(%x, %c, %w1, %w2, %w3) cotangents(%y#0, %y#1)
      : (!X, !X, !W, !W, !W, !X, !L) -> (!X, !X, !W, !W, !W)
  return %0#0, %0#1, %0#2 : !X, !X, !W
}
