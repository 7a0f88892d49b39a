// RUN: memrev-opt %s -rev-differentiate | FileCheck %s
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower | FileCheck %s --check-prefix=LOWERED

// The tangent of a coupling is a coupling of the tangent, before the coupled
// value is overwritten.
// CHECK-LABEL: func.func private @affine_jvp(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<4xf32>, %[[C:[a-z0-9]*]]: tensor<4xf32>, %[[TX:[a-z0-9]*]]: tensor<4xf32>, %[[TC:[a-z0-9]*]]: tensor<4xf32>)
// CHECK:         %[[TY:.*]] = rev.coupling affine<identity> %[[TX]] given(%[[C]]) attributes {rev.of_tangents} {
// CHECK:         ^bb0(%[[A:.*]]: tensor<4xf32>):
// CHECK:           %[[T:.*]] = math.tanh %[[A]]
// CHECK:           %[[P:.*]]:2 = linalg.generic {{.*}} ins(%[[X]], %[[T]], %[[A]], %{{.*}}, %[[TC]] :
// CHECK:             math.exp
// CHECK:           rev.yield %[[P]]#0, %[[P]]#1
// CHECK:         %[[Y:.*]] = rev.coupling affine<exp> %[[X]] given(%[[C]]) {
// CHECK:         return %[[Y]], %[[TY]]
func.func private @affine(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %y = rev.coupling affine<exp> %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %t = math.tanh %a : tensor<4xf32>
    rev.yield %t, %a : tensor<4xf32>, tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

func.func private @affine_tangent(%x: tensor<4xf32>, %c: tensor<4xf32>, %v: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %y, %ty = rev.jvp @affine(%x, %c) tangents(%v, %w)
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %ty : tensor<4xf32>
}

// An additive coupling stays one.
// CHECK-LABEL: func.func private @additive_jvp(
// CHECK:         rev.coupling additive %{{.*}} attributes {rev.of_tangents}
// CHECK:           %[[T:.*]] = math.tanh
// CHECK-NOT:       linalg.generic
// CHECK:           rev.yield
// CHECK:         rev.coupling additive
// CHECK:         return
func.func private @additive(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %y = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %t = math.tanh %a : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

// The derivative of a loop's tangent is inverted: it stores nothing, and each
// coupling evaluates its region once forward and once backward.
// LOWERED-LABEL: func.func private @loop_tangent_vjp(
// LOWERED-NOT:     tensor<9x
// LOWERED:         scf.for
// LOWERED-COUNT-2:   math.tanh
// LOWERED-NOT:       math.tanh
// LOWERED:         scf.for
// LOWERED-COUNT-2:   math.tanh
// LOWERED-NOT:       math.tanh
// LOWERED-NOT:     tensor<9x
// LOWERED-LABEL: func.func @hessian_vector
func.func private @loop(%x: tensor<4xf32>, %c: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %r:2 = scf.for %i = %c0 to %c9 step %c1 iter_args(%p = %x, %q = %c) -> (tensor<4xf32>, tensor<4xf32>) {
    %u = func.call @affine(%p, %q) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %v = func.call @additive(%q, %u) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    scf.yield %u, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

func.func private @loop_tangent(%x: tensor<4xf32>, %c: tensor<4xf32>, %v: tensor<4xf32>, %w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %y:4 = rev.jvp @loop(%x, %c) tangents(%v, %w)
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %y#2, %y#3 : tensor<4xf32>, tensor<4xf32>
}

func.func @hessian_vector(%x: tensor<4xf32>, %c: tensor<4xf32>, %v: tensor<4xf32>, %w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %d:2 = rev.vjp @loop_tangent(%x, %c, %v, %w) cotangents(%v, %w) wrt [0, 1]
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %d#0, %d#1 : tensor<4xf32>, tensor<4xf32>
}

// The same tangent twice: the coupled tangent is read by the region, so it is
// kept and not inverted.
// LOWERED-LABEL: func.func private @same_tangent_vjp(
// LOWERED:         math.tanh
// LOWERED-NOT:     math.tanh
// LOWERED:         return
func.func private @same_tangent(%x: tensor<4xf32>, %c: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<4xf32> {
  %y, %ty = rev.jvp @affine(%x, %c) tangents(%v, %v)
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %ty : tensor<4xf32>
}

func.func private @additive_tangent(%x: tensor<4xf32>, %c: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<4xf32> {
  %y, %ty = rev.jvp @additive(%x, %c) tangents(%v, %v)
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %ty : tensor<4xf32>
}

func.func @same(%x: tensor<4xf32>, %c: tensor<4xf32>, %v: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %d:2 = rev.vjp @same_tangent(%x, %c, %v) cotangents(%v) wrt [0, 1]
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %d#0, %d#1 : tensor<4xf32>, tensor<4xf32>
}

// The region computes the log-determinant, which is the sum of what it yields,
// and its tangent: the couplings stay couplings.
// CHECK-LABEL: func.func private @density_jvp(
// CHECK:         %[[TY:.*]], %[[TLD:.*]] = rev.coupling inverse_of<affine<identity>> %{{.*}} attributes {rev.of_tangents} {
// CHECK:           %[[SUM:.*]]:2 = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]}
// CHECK:           rev.yield %{{.*}}, %{{.*}}, %[[SUM]]#1 : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>
// CHECK:         %[[Y:.*]], %[[LD:.*]] = rev.coupling inverse_of<affine<soft_tanh, alpha = 2.000000e+00 : f64>> %{{.*}} given(%{{.*}}) {
// CHECK:           rev.yield %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>
// CHECK:         return %[[Y]], %[[LD]], %[[TY]], %[[TLD]]
func.func private @density(%x: tensor<2x4xf32>, %c: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>) {
  %y, %ld = rev.coupling inverse_of<affine<soft_tanh, alpha = 2.0 : f64>> %x given(%c) log_det {
  ^bb0(%a: tensor<2x4xf32>):
    %t = math.sin %a : tensor<2x4xf32>
    rev.yield %t, %a : tensor<2x4xf32>, tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>) -> tensor<2xf32>
  return %y, %ld : tensor<2x4xf32>, tensor<2xf32>
}

// That of a shift is zero, and has no tangent.
// CHECK-LABEL: func.func private @shifted_jvp(
// CHECK:         rev.coupling additive %{{.*}} attributes {rev.of_tangents} {
// CHECK:           rev.yield %{{[^,]*}} : tensor<2x4xf32>
// CHECK:         rev.coupling additive
// CHECK:         return
func.func private @shifted(%x: tensor<2x4xf32>, %c: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>) {
  %y, %ld = rev.coupling additive %x given(%c) log_det {
  ^bb0(%a: tensor<2x4xf32>):
    %t = math.sin %a : tensor<2x4xf32>
    rev.yield %t : tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>) -> tensor<2xf32>
  return %y, %ld : tensor<2x4xf32>, tensor<2xf32>
}

func.func @density_tangent(%x: tensor<2x4xf32>, %c: tensor<2x4xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %d:4 = rev.jvp @density(%x, %c) tangents(%x, %c)
      : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2x4xf32>, tensor<2xf32>)
  %s:4 = rev.jvp @shifted(%x, %c) tangents(%x, %c)
      : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2x4xf32>, tensor<2xf32>)
  return %d#3, %s#3 : tensor<2xf32>, tensor<2xf32>
}
