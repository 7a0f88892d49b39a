// RUN: memrev-opt %s -rev-differentiate -symbol-dce -canonicalize -split-input-file | FileCheck %s

// Statistics that a loop of couplings collects. The forward loop computes them; the
// reverse loop knows neither them nor their cotangents, which are zero, and
// evaluates F once.
// CHECK-LABEL: func.func private @statistics_value_and_grad
// CHECK: %[[FORWARD:.*]]:3 = scf.for
// CHECK: %[[Y:.*]], %[[MEAN:.*]] = rev.coupling
// CHECK: tensor.insert_slice %[[MEAN]] into
// CHECK: scf.yield
// CHECK: %[[REVERSE:.*]]:5 = scf.for {{.*}} iter_args(%{{.*}} = %[[FORWARD]]#0, %{{.*}} = %[[FORWARD]]#1,
// CHECK: rev.batch_norm
// CHECK-NOT: rev.batch_norm
// CHECK: return %{{.*}}, %[[FORWARD]]#2, %[[REVERSE]]#4
func.func private @statistics(%x1: tensor<8x4xf64>, %x2: tensor<8x4xf64>, %scale: tensor<3x4xf64>, %means: tensor<3x4xf64>) -> (f64, tensor<3x4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %offset = arith.constant dense<0.5> : tensor<4xf64>
  %r:3 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x1, %b = %x2, %s = %means) -> (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>) {
    %g = tensor.extract_slice %scale[%i, 0] [1, 4] [1, 1] : tensor<3x4xf64> to tensor<4xf64>
    %a1, %mean = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<8x4xf64>):
      %y, %m, %v = rev.batch_norm %c, %g, %offset epsilon 1.0e-5 : (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>)
      rev.yield %y, %m : tensor<8x4xf64>, tensor<4xf64>
    } : tensor<8x4xf64>, (tensor<8x4xf64>) -> tensor<4xf64>
    %s1 = tensor.insert_slice %mean into %s[%i, 0] [1, 4] [1, 1] : tensor<4xf64> into tensor<3x4xf64>
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%c: tensor<8x4xf64>):
      %t = math.sin %c : tensor<8x4xf64>
      rev.yield %t : tensor<8x4xf64>
    } : tensor<8x4xf64>, (tensor<8x4xf64>)
    scf.yield %a1, %b1, %s1 : tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>
  }
  %z = arith.constant dense<0.0> : tensor<f64>
  %q = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%r#0, %r#1 : tensor<8x4xf64>, tensor<8x4xf64>) outs(%z : tensor<f64>) {
  ^bb0(%u: f64, %v: f64, %sum: f64):
    %p = arith.mulf %u, %v : f64
    %n = arith.addf %sum, %p : f64
    linalg.yield %n : f64
  } -> tensor<f64>
  %l = tensor.extract %q[] : tensor<f64>
  return %l, %r#2 : f64, tensor<3x4xf64>
}
func.func @main(%x1: tensor<8x4xf64>, %x2: tensor<8x4xf64>, %scale: tensor<3x4xf64>, %means: tensor<3x4xf64>) -> (f64, tensor<3x4xf64>, tensor<3x4xf64>) {
  %0:3 = rev.value_and_grad @statistics(%x1, %x2, %scale, %means) wrt [2] : (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>) -> (f64, tensor<3x4xf64>, tensor<3x4xf64>)
  return %0#0, %0#1, %0#2 : f64, tensor<3x4xf64>, tensor<3x4xf64>
}

// -----

// A result that a gradient flows through joins the derivative of F, which is
// evaluated once more, for the inverse and for all derivatives.
// CHECK-LABEL: func.func private @penalty_vjp
// CHECK-COUNT-2: math.sin
// CHECK-NOT: math.sin
// CHECK: return
func.func private @penalty(%x: tensor<4xf64>, %w: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %y, %u = rev.coupling affine<exp> %x given(%w) {
  ^bb0(%c: tensor<4xf64>):
    %s = math.sin %c : tensor<4xf64>
    %t = arith.mulf %s, %w : tensor<4xf64>
    rev.yield %s, %t, %t : tensor<4xf64>, tensor<4xf64>, tensor<4xf64>
  } : tensor<4xf64>, (tensor<4xf64>) -> tensor<4xf64>
  %n = arith.mulf %u, %u : tensor<4xf64>
  return %y, %n : tensor<4xf64>, tensor<4xf64>
}
func.func @main(%x: tensor<4xf64>, %w: tensor<4xf64>, %dy: tensor<4xf64>, %du: tensor<4xf64>) -> tensor<4xf64> {
  %0 = rev.vjp @penalty(%x, %w) cotangents(%dy, %du) wrt [1] : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

// In a loop a later operation asks for the result before it is the coupling's turn.
// CHECK-LABEL: func.func private @asked_vjp
// CHECK: scf.for
// CHECK: scf.yield
// CHECK: scf.for
// CHECK-COUNT-2: math.sin
// CHECK-NOT: math.sin
// CHECK: return
func.func private @asked(%x: tensor<4xf64>, %e: tensor<4xf64>, %w: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r:3 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x, %b = %e, %s = %e) -> (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) {
    %a1, %u = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf64>):
      %t = math.sin %c : tensor<4xf64>
      rev.yield %t, %t : tensor<4xf64>, tensor<4xf64>
    } : tensor<4xf64>, (tensor<4xf64>) -> tensor<4xf64>
    %v = arith.mulf %u, %u : tensor<4xf64>
    %s1 = arith.addf %s, %v : tensor<4xf64>
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%c: tensor<4xf64>):
      %t = math.sin %c : tensor<4xf64>
      %p = arith.mulf %t, %w : tensor<4xf64>
      rev.yield %p : tensor<4xf64>
    } : tensor<4xf64>, (tensor<4xf64>)
    scf.yield %a1, %b1, %s1 : tensor<4xf64>, tensor<4xf64>, tensor<4xf64>
  }
  return %r#0, %r#1, %r#2 : tensor<4xf64>, tensor<4xf64>, tensor<4xf64>
}
func.func @main(%x: tensor<4xf64>, %e: tensor<4xf64>, %w: tensor<4xf64>) -> tensor<4xf64> {
  %0 = rev.vjp @asked(%x, %e, %w) cotangents(%x, %x, %x) wrt [2] : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>, tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

// An inverse has the result too: it evaluates F.
// CHECK-LABEL: func.func private @shifted_inverse(
// CHECK-SAME: %[[Y:.*]]: tensor<4xf64>, %[[Z:.*]]: tensor<4xf64>, %[[C:.*]]: tensor<4xf64>)
// CHECK: %[[X:.*]], %[[U:.*]] = rev.coupling inverse_of<additive> %[[Y]] given(%[[C]]) {
// CHECK: ^bb0(%[[A:.*]]: tensor<4xf64>):
// CHECK: %[[T:.*]] = math.sin %[[A]]
// CHECK: %[[V:.*]] = math.tanh %[[T]]
// CHECK: rev.yield %[[T]], %[[V]]
// CHECK: %[[W:.*]] = arith.subf %[[Z]], %[[U]]
// CHECK: return %[[X]], %[[W]]
func.func private @shifted(%x: tensor<4xf64>, %w: tensor<4xf64>, %c: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %y, %u = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf64>):
    %t = math.sin %a : tensor<4xf64>
    %u = math.tanh %t : tensor<4xf64>
    rev.yield %t, %u : tensor<4xf64>, tensor<4xf64>
  } : tensor<4xf64>, (tensor<4xf64>) -> tensor<4xf64>
  %z = arith.addf %w, %u : tensor<4xf64>
  return %y, %z : tensor<4xf64>, tensor<4xf64>
}
func.func @main(%y: tensor<4xf64>, %z: tensor<4xf64>, %c: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %0:2 = rev.inverse @shifted(%y, %z, %c) wrt [0, 1] : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0#0, %0#1 : tensor<4xf64>, tensor<4xf64>
}

// -----

// The tangent of an active auxiliary result is one of the coupling of tangents.
// CHECK-LABEL: func.func private @tangent_jvp
// CHECK: %[[TY:.*]], %[[TU:.*]] = rev.coupling additive %{{.*}} given(%{{.*}}) attributes {rev.of_tangents} {
// CHECK: rev.yield %{{.*}}, %{{.*}} : tensor<4xf64>, f64
// CHECK: } : tensor<4xf64>, (tensor<4xf64>) -> f64
// CHECK: %[[Y:.*]], %[[U:.*]]:2 = rev.coupling additive
// CHECK: } : tensor<4xf64>, (tensor<4xf64>) -> (f64, i32)
// CHECK: return %[[Y]], %[[U]]#0, %[[U]]#1, %[[TY]], %[[TU]]
func.func private @tangent(%x: tensor<4xf64>, %c: tensor<4xf64>, %n: i32) -> (tensor<4xf64>, f64, i32) {
  %y, %u, %m = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf64>):
    %c0 = arith.constant 0 : index
    %t = math.sin %a : tensor<4xf64>
    %u = tensor.extract %t[%c0] : tensor<4xf64>
    %m = arith.addi %n, %n : i32
    rev.yield %t, %u, %m : tensor<4xf64>, f64, i32
  } : tensor<4xf64>, (tensor<4xf64>) -> (f64, i32)
  return %y, %u, %m : tensor<4xf64>, f64, i32
}
func.func @main(%x: tensor<4xf64>, %c: tensor<4xf64>, %n: i32) -> (tensor<4xf64>, f64, i32, tensor<4xf64>, f64) {
  %0:5 = rev.jvp @tangent(%x, %c, %n) tangents(%x, %c) : (tensor<4xf64>, tensor<4xf64>, i32, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, f64, i32, tensor<4xf64>, f64)
  return %0#0, %0#1, %0#2, %0#3, %0#4 : tensor<4xf64>, f64, i32, tensor<4xf64>, f64
}
