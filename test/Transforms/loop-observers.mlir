// RUN: memrev-opt %s -rev-differentiate -symbol-dce -split-input-file | FileCheck %s

// Running averages in a loop of couplings. They are no part of what runs backwards:
// the forward loop updates them once, the reverse loop inverts the couplings and
// knows no averages.
// CHECK-LABEL: func.func private @train_value_and_grad
// CHECK: %[[FORWARD:.*]]:3 = scf.for
// CHECK: rev.running_average
// CHECK-NOT: rev.running_average
// CHECK: scf.yield
// CHECK: %[[REVERSE:.*]]:5 = scf.for {{.*}} iter_args(%{{.*}} = %[[FORWARD]]#0, %{{.*}} = %[[FORWARD]]#1,
// CHECK-NOT: rev.running_average
// CHECK: return %{{.*}}, %[[FORWARD]]#2, %[[REVERSE]]#4
func.func private @train(%x1: tensor<8x4xf64>, %x2: tensor<8x4xf64>, %scale: tensor<3x4xf64>, %offset: tensor<3x4xf64>, %running: tensor<3x4xf64>) -> (f64, tensor<3x4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %m = arith.constant dense<0.1> : tensor<4xf64>
  %r:3 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x1, %b = %x2, %s = %running) -> (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>) {
    %g = tensor.extract_slice %scale[%i, 0] [1, 4] [1, 1] : tensor<3x4xf64> to tensor<4xf64>
    %o = tensor.extract_slice %offset[%i, 0] [1, 4] [1, 1] : tensor<3x4xf64> to tensor<4xf64>
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<8x4xf64>):
      %t = math.sin %c : tensor<8x4xf64>
      %y, %mean, %var = rev.batch_norm %t, %g, %o epsilon 1.0e-5 : (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>)
      rev.yield %y : tensor<8x4xf64>
    } : tensor<8x4xf64>, (tensor<8x4xf64>)
    %t = math.sin %b : tensor<8x4xf64>
    %y, %mean, %var = rev.batch_norm %t, %g, %o epsilon 1.0e-5 : (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>)
    %old = tensor.extract_slice %s[%i, 0] [1, 4] [1, 1] : tensor<3x4xf64> to tensor<4xf64>
    %new = rev.running_average %old, %mean momentum 0.1 : tensor<4xf64>
    %s1 = tensor.insert_slice %new into %s[%i, 0] [1, 4] [1, 1] : tensor<4xf64> into tensor<3x4xf64>
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%c: tensor<8x4xf64>):
      %t1 = math.sin %c : tensor<8x4xf64>
      rev.yield %t1 : tensor<8x4xf64>
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

func.func @main(%x1: tensor<8x4xf64>, %x2: tensor<8x4xf64>, %scale: tensor<3x4xf64>, %offset: tensor<3x4xf64>, %running: tensor<3x4xf64>) -> (f64, tensor<3x4xf64>, tensor<3x4xf64>) {
  %0:3 = rev.value_and_grad @train(%x1, %x2, %scale, %offset, %running) wrt [2] policy(invert) : (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>) -> (f64, tensor<3x4xf64>, tensor<3x4xf64>)
  return %0#0, %0#1, %0#2 : f64, tensor<3x4xf64>, tensor<3x4xf64>
}

// -----

// A stack that statistics are inserted into, and a sum, observe the loop too: the
// old values are lost, and no derivative reads them. They are active, but without a
// cotangent the reverse loop carries none. Of the sum it carries that.
// CHECK-LABEL: func.func private @collect_vjp_0(
// CHECK: scf.for {{.*}} -> (tensor<4xf32>)
// CHECK: scf.for {{.*}} -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
// CHECK-LABEL: func.func private @collect_vjp(
// CHECK: %[[FORWARD:.*]] = scf.for {{.*}} -> (tensor<4xf32>)
// CHECK: scf.for {{.*}} iter_args(%{{[a-z0-9]+}} = %[[FORWARD]], {{.*}}) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
func.func private @collect(%x: tensor<4xf32>, %w: tensor<4xf32>, %s: tensor<5x4xf32>, %t: tensor<4xf32>) -> (tensor<4xf32>, tensor<5x4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %r:3 = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %b = %s, %c = %t) -> (tensor<4xf32>, tensor<5x4xf32>, tensor<4xf32>) {
    %a1, %u = rev.coupling affine<exp> %a given(%w) {
    ^bb0(%g: tensor<4xf32>):
      %e = math.sin %g : tensor<4xf32>
      rev.yield %g, %g, %e : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>) -> tensor<4xf32>
    %b1 = tensor.insert_slice %u into %b[%i, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<5x4xf32>
    %c2 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%u : tensor<4xf32>) outs(%c : tensor<4xf32>) {
    ^bb0(%v: f32, %sum: f32):
      %n = arith.addf %sum, %v : f32
      linalg.yield %n : f32
    } -> tensor<4xf32>
    scf.yield %a1, %b1, %c2 : tensor<4xf32>, tensor<5x4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1, %r#2 : tensor<4xf32>, tensor<5x4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %w: tensor<4xf32>, %s: tensor<5x4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = rev.vjp @collect(%x, %w, %s, %x) cotangents(%x) wrt [1] of [0] : (tensor<4xf32>, tensor<4xf32>, tensor<5x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = rev.vjp @collect(%x, %w, %s, %x) cotangents(%x, %x) wrt [1] of [0, 2] : (tensor<4xf32>, tensor<4xf32>, tensor<5x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// An integer that nothing else reads, and that its next value does not give back,
// does not keep a loop from running backwards.
// CHECK-LABEL: func.func private @counter_vjp
// CHECK: %[[FORWARD:.*]] = scf.for {{.*}} -> (tensor<4xf32>)
// CHECK: scf.for {{.*}} iter_args(%{{[a-z0-9]+}} = %[[FORWARD]], {{.*}}) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
func.func private @counter(%x: tensor<4xf32>, %w: tensor<4xf32>) -> (tensor<4xf32>, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %start = arith.constant 1 : i32
  %three = arith.constant 3 : i32
  %r:2 = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %n = %start) -> (tensor<4xf32>, i32) {
    %a1 = rev.coupling affine<exp> %a given(%w) {
    ^bb0(%c: tensor<4xf32>):
      rev.yield %c, %c : tensor<4xf32>, tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    %n1 = arith.muli %n, %three : i32
    scf.yield %a1, %n1 : tensor<4xf32>, i32
  }
  return %r#0, %r#1 : tensor<4xf32>, i32
}
func.func @main(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @counter(%x, %w) cotangents(%x) wrt [1] of [0] : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// One that the state depends on does: the loop stores.
// CHECK-LABEL: func.func private @reader_vjp
// CHECK: scf.for
// CHECK: tensor.insert_slice {{.*}} into tensor<5x4xf32>
func.func private @reader(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %one = arith.constant 1 : i32
  %r:2 = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %n = %one) -> (tensor<4xf32>, i32) {
    %f = arith.sitofp %n : i32 to f32
    %s = tensor.splat %f : tensor<4xf32>
    %a1 = rev.coupling affine<exp> %a given(%s) {
    ^bb0(%c: tensor<4xf32>):
      %p = arith.mulf %c, %w : tensor<4xf32>
      rev.yield %p, %p : tensor<4xf32>, tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    %n1 = arith.addi %n, %n : i32
    scf.yield %a1, %n1 : tensor<4xf32>, i32
  }
  return %r#0 : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @reader(%x, %w) cotangents(%x) wrt [1] : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Averages that loops inside of the loop update. Neither loop runs backwards with them,
// and nothing is stored.
// CHECK-LABEL: func.func private @nested_value_and_grad
// CHECK: %[[FORWARD:.*]]:3 = scf.for
// CHECK: :3 = scf.for
// CHECK: rev.running_average
// CHECK-NOT: rev.running_average
// CHECK: %[[REVERSE:.*]]:5 = scf.for {{.*}} iter_args(%[[Y1:.*]] = %[[FORWARD]]#0, %[[Y2:.*]] = %[[FORWARD]]#1,
// CHECK: :5 = scf.for {{.*}} iter_args(%{{.*}} = %[[Y1]], %{{.*}} = %[[Y2]],
// CHECK-NOT: rev.running_average
// CHECK: return %{{.*}}, %[[FORWARD]]#2, %[[REVERSE]]#4
func.func private @nested(%x1: tensor<8x4xf64>, %x2: tensor<8x4xf64>, %w: tensor<4xf64>, %running: tensor<3x2x4xf64>) -> (f64, tensor<3x2x4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %r:3 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x1, %b = %x2, %s = %running) -> (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x2x4xf64>) {
    %part = tensor.extract_slice %s[%i, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<3x2x4xf64> to tensor<2x4xf64>
    %inner:3 = scf.for %j = %c0 to %c2 step %c1 iter_args(%d = %a, %e = %b, %p = %part) -> (tensor<8x4xf64>, tensor<8x4xf64>, tensor<2x4xf64>) {
      %d1, %mean = rev.coupling additive %d given(%e) {
      ^bb0(%c: tensor<8x4xf64>):
        %t = math.sin %c : tensor<8x4xf64>
        %y, %m, %var = rev.batch_norm %t, %w, %w epsilon 1.0e-5 : (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>)
        rev.yield %y, %m : tensor<8x4xf64>, tensor<4xf64>
      } : tensor<8x4xf64>, (tensor<8x4xf64>) -> (tensor<4xf64>)
      %old = tensor.extract_slice %p[%j, 0] [1, 4] [1, 1] : tensor<2x4xf64> to tensor<4xf64>
      %new = rev.running_average %old, %mean momentum 0.1 : tensor<4xf64>
      %p1 = tensor.insert_slice %new into %p[%j, 0] [1, 4] [1, 1] : tensor<4xf64> into tensor<2x4xf64>
      %e1 = rev.coupling additive %e given(%d1) {
      ^bb0(%c: tensor<8x4xf64>):
        %t = math.sin %c : tensor<8x4xf64>
        rev.yield %t : tensor<8x4xf64>
      } : tensor<8x4xf64>, (tensor<8x4xf64>)
      scf.yield %d1, %e1, %p1 : tensor<8x4xf64>, tensor<8x4xf64>, tensor<2x4xf64>
    }
    %s1 = tensor.insert_slice %inner#2 into %s[%i, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<2x4xf64> into tensor<3x2x4xf64>
    scf.yield %inner#0, %inner#1, %s1 : tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x2x4xf64>
  }
  %z = arith.constant dense<0.0> : tensor<f64>
  %q = linalg.reduce { arith.addf } ins(%r#0 : tensor<8x4xf64>) outs(%z : tensor<f64>) dimensions = [0, 1]
  %l = tensor.extract %q[] : tensor<f64>
  return %l, %r#2 : f64, tensor<3x2x4xf64>
}
func.func @main(%x1: tensor<8x4xf64>, %x2: tensor<8x4xf64>, %w: tensor<4xf64>, %running: tensor<3x2x4xf64>) -> (f64, tensor<3x2x4xf64>, tensor<4xf64>) {
  %0:3 = rev.value_and_grad @nested(%x1, %x2, %w, %running) wrt [2] policy(invert) : (tensor<8x4xf64>, tensor<8x4xf64>, tensor<4xf64>, tensor<3x2x4xf64>) -> (f64, tensor<3x2x4xf64>, tensor<4xf64>)
  return %0#0, %0#1, %0#2 : f64, tensor<3x2x4xf64>, tensor<4xf64>
}

// -----

// A loop that only inserts, in a loop that only inserts, carries nothing back.
// CHECK-LABEL: func.func private @insert_rows_vjp(
// CHECK: %[[R:.*]]:2 = scf.for
// CHECK:   scf.for
// CHECK-NOT: tensor.insert_slice %extracted
func.func private @insert_rows(%x: tensor<2x3x4xf64>, %a: tensor<2x3x4xf64>) -> tensor<2x3x4xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%outer = %a) -> (tensor<2x3x4xf64>) {
    %q = scf.for %j = %c0 to %c3 step %c1 iter_args(%inner = %outer) -> (tensor<2x3x4xf64>) {
      %row = tensor.extract_slice %x[%i, %j, 0] [1, 1, 4] [1, 1, 1] : tensor<2x3x4xf64> to tensor<4xf64>
      %e = tensor.insert_slice %row into %inner[%i, %j, 0] [1, 1, 4] [1, 1, 1] : tensor<4xf64> into tensor<2x3x4xf64>
      scf.yield %e : tensor<2x3x4xf64>
    }
    scf.yield %q : tensor<2x3x4xf64>
  }
  return %r : tensor<2x3x4xf64>
}
func.func @insert_rows_gradient(%x: tensor<2x3x4xf64>, %a: tensor<2x3x4xf64>, %d: tensor<2x3x4xf64>) -> tensor<2x3x4xf64> {
  %0 = rev.vjp @insert_rows(%x, %a) cotangents(%d) wrt [0] : (tensor<2x3x4xf64>, tensor<2x3x4xf64>, tensor<2x3x4xf64>) -> tensor<2x3x4xf64>
  return %0 : tensor<2x3x4xf64>
}

// -----

// A loop that stores starts from its state: the loop around it stores it.
// CHECK-LABEL: func.func private @insert_states_vjp(
func.func private @insert_states(%x: tensor<4xf64>, %a: tensor<2x3x4xf64>) -> tensor<2x3x4xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%outer = %a) -> (tensor<2x3x4xf64>) {
    %q:2 = scf.for %j = %c0 to %c3 step %c1 iter_args(%s = %x, %inner = %outer) -> (tensor<4xf64>, tensor<2x3x4xf64>) {
      %t = math.sin %s : tensor<4xf64>
      %e = tensor.insert_slice %t into %inner[%i, %j, 0] [1, 1, 4] [1, 1, 1] : tensor<4xf64> into tensor<2x3x4xf64>
      scf.yield %t, %e : tensor<4xf64>, tensor<2x3x4xf64>
    }
    scf.yield %q#1 : tensor<2x3x4xf64>
  }
  return %r : tensor<2x3x4xf64>
}
func.func @insert_states_gradient(%x: tensor<4xf64>, %a: tensor<2x3x4xf64>, %d: tensor<2x3x4xf64>) -> tensor<4xf64> {
  %0 = rev.vjp @insert_states(%x, %a) cotangents(%d) wrt [0] : (tensor<4xf64>, tensor<2x3x4xf64>, tensor<2x3x4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

// A log-determinant that a loop adds up, and a running mean. The reverse loop carries
// the streams and cotangents, and neither the sum nor the mean nor a log-determinant.
// CHECK-LABEL: func.func private @density_vjp(
// CHECK: %[[FORWARD:.*]]:2 = scf.for
// CHECK: %[[D:.*]]:5 = scf.for {{.*}} iter_args(%{{[a-z0-9]+}} = %[[FORWARD]]#0, %{{[a-z0-9]+}} = %[[FORWARD]]#1, {{.*}}) -> (tensor<4x8xf64>, tensor<4x8xf64>, tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>)
// CHECK-NOT: "reduction"
// CHECK: return %[[D]]#2
func.func private @density(%x: tensor<4x8xf64>, %w: tensor<4x8xf64>, %l: tensor<4xf64>, %r: tensor<4xf64>) -> (tensor<4x8xf64>, tensor<4xf64>, tensor<4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %old = arith.constant dense<0.9> : tensor<4xf64>
  %new = arith.constant dense<0.1> : tensor<4xf64>
  %y:4 = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %b = %w, %sum = %l, %mean = %r) -> (tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>, tensor<4xf64>) {
    %a1, %d = rev.coupling affine<exp> %a given(%b) log_det {
    ^bb0(%g: tensor<4x8xf64>):
      %e = math.sin %g : tensor<4x8xf64>
      rev.yield %e, %e : tensor<4x8xf64>, tensor<4x8xf64>
    } : tensor<4x8xf64>, (tensor<4x8xf64>) -> tensor<4xf64>
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%g: tensor<4x8xf64>):
      %e = math.sin %g : tensor<4x8xf64>
      rev.yield %e : tensor<4x8xf64>
    } : tensor<4x8xf64>, (tensor<4x8xf64>)
    %sum1 = arith.addf %sum, %d : tensor<4xf64>
    %kept = arith.mulf %old, %mean : tensor<4xf64>
    %share = arith.mulf %new, %d : tensor<4xf64>
    %mean1 = arith.addf %kept, %share : tensor<4xf64>
    scf.yield %a1, %b1, %sum1, %mean1 : tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>, tensor<4xf64>
  }
  return %y#0, %y#2, %y#3 : tensor<4x8xf64>, tensor<4xf64>, tensor<4xf64>
}
func.func @density_gradient(%x: tensor<4x8xf64>, %w: tensor<4x8xf64>, %l: tensor<4xf64>) -> tensor<4x8xf64> {
  %0 = rev.vjp @density(%x, %w, %l, %l) cotangents(%x, %l) wrt [0] of [0, 1] : (tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>, tensor<4xf64>, tensor<4x8xf64>, tensor<4xf64>) -> tensor<4x8xf64>
  return %0 : tensor<4x8xf64>
}

// -----

// An inverse that is asked for the sum gives it back; one that is not does without.
// CHECK-LABEL: func.func private @flow_inverse_0(
// CHECK: scf.for {{.*}} -> (tensor<4x8xf64>, tensor<4xf64>) {
// CHECK: %{{.*}}, %[[L:.*]] = rev.coupling inverse_of<affine<exp>> {{.*}} log_det
// CHECK: %[[D:.*]] = arith.negf %[[L]]
// CHECK: arith.subf %{{.*}}, %[[D]] : tensor<4xf64>
// CHECK-LABEL: func.func private @flow_inverse(
// CHECK: scf.for {{.*}} -> (tensor<4x8xf64>) {
// CHECK-NOT: log_det
// CHECK: return
func.func private @flow(%x: tensor<4x8xf64>, %w: tensor<4x8xf64>, %l: tensor<4xf64>) -> (tensor<4x8xf64>, tensor<4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %y:2 = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %sum = %l) -> (tensor<4x8xf64>, tensor<4xf64>) {
    %a1, %d = rev.coupling affine<exp> %a given(%w) log_det {
    ^bb0(%g: tensor<4x8xf64>):
      %e = math.sin %g : tensor<4x8xf64>
      rev.yield %e, %e : tensor<4x8xf64>, tensor<4x8xf64>
    } : tensor<4x8xf64>, (tensor<4x8xf64>) -> tensor<4xf64>
    %sum1 = arith.addf %sum, %d : tensor<4xf64>
    scf.yield %a1, %sum1 : tensor<4x8xf64>, tensor<4xf64>
  }
  return %y#0, %y#1 : tensor<4x8xf64>, tensor<4xf64>
}
func.func @sample(%z: tensor<4x8xf64>, %l: tensor<4xf64>, %w: tensor<4x8xf64>) -> (tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>) {
  %0 = rev.inverse @flow(%z, %l, %w, %l) wrt [0] : (tensor<4x8xf64>, tensor<4xf64>, tensor<4x8xf64>, tensor<4xf64>) -> tensor<4x8xf64>
  %1:2 = rev.inverse @flow(%z, %l, %w) wrt [0, 2] : (tensor<4x8xf64>, tensor<4xf64>, tensor<4x8xf64>) -> (tensor<4x8xf64>, tensor<4xf64>)
  return %0, %1#0, %1#1 : tensor<4x8xf64>, tensor<4x8xf64>, tensor<4xf64>
}
