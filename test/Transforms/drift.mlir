// RUN: memrev-opt %s -rev-differentiate | FileCheck %s

// An iteration is as many inverses as there are couplings in it, those of loops
// in it included: one with 2 x 3 of them rounds 2^6 - 1 times. No two iterations
// are within the tolerance, so that each starts from a state of its own.
// CHECK-LABEL: func.func private @loops_vjp(
// CHECK: scf.for %{{.*}} iter_args({{.*}}) -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<4x64x64xf32>, tensor<4x64x64xf32>)
// CHECK: tensor.extract_slice {{.*}} tensor<4x64x64xf32>
// CHECK: arith.subf
func.func private @loops(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {rev.drift_tolerance = 4.0e-6 : f64} {
  %zero = arith.constant 0.0 : f32
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant 4 : index
  %inner = arith.constant 3 : index
  %y:2 = scf.for %i = %begin to %end step %step iter_args(%a = %x, %b = %x)
      -> (tensor<64x64xf32>, tensor<64x64xf32>) {
    %z:2 = scf.for %j = %begin to %inner step %step iter_args(%c = %a, %d = %b)
        -> (tensor<64x64xf32>, tensor<64x64xf32>) {
      %c1 = rev.coupling additive %c given(%d) attributes {rev.gain = 2.0 : f64} {
      ^bb0(%e: tensor<64x64xf32>):
        %empty = tensor.empty() : tensor<64x64xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
        %t = linalg.matmul ins(%e, %w : tensor<64x64xf32>, tensor<64x64xf32>)
            outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
        %s = math.tanh %t : tensor<64x64xf32>
        rev.yield %s : tensor<64x64xf32>
      } : tensor<64x64xf32>, (tensor<64x64xf32>)
      %d1 = rev.coupling additive %d given(%c1) attributes {rev.gain = 2.0 : f64} {
      ^bb0(%e: tensor<64x64xf32>):
        %s = math.sin %e : tensor<64x64xf32>
        rev.yield %s : tensor<64x64xf32>
      } : tensor<64x64xf32>, (tensor<64x64xf32>)
      scf.yield %c1, %d1 : tensor<64x64xf32>, tensor<64x64xf32>
    }
    scf.yield %z#0, %z#1 : tensor<64x64xf32>, tensor<64x64xf32>
  }
  return %y#0 : tensor<64x64xf32>
}
func.func @loops_gradient(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>, %dy: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %dw = rev.vjp @loops(%x, %w) cotangents(%dy) wrt [1]
      : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %dw : tensor<64x64xf32>
}

// What would drift too far in the region of a coupling is stored.
// CHECK-LABEL: func.func private @deep_vjp(
// CHECK: scf.for %{{.*}} iter_args({{.*}}) -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<9x64x64xf32>
// CHECK: tensor.insert_slice {{.*}} tensor<9x64x64xf32>
func.func private @deep(%x: tensor<64x64xf32>, %z: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {rev.drift_tolerance = 1.0e-6 : f64} {
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant 9 : index
  %y = rev.coupling additive %x given(%z) {
  ^bb0(%c: tensor<64x64xf32>):
    %t = math.sin %c : tensor<64x64xf32>
    %s:2 = scf.for %i = %begin to %end step %step iter_args(%a = %c, %b = %t)
        -> (tensor<64x64xf32>, tensor<64x64xf32>) {
      %a1 = rev.coupling additive %a given(%b) {
      ^bb0(%d: tensor<64x64xf32>):
        %u = math.tanh %d : tensor<64x64xf32>
        rev.yield %u : tensor<64x64xf32>
      } : tensor<64x64xf32>, (tensor<64x64xf32>)
      scf.yield %b, %a1 : tensor<64x64xf32>, tensor<64x64xf32>
    }
    rev.yield %s#1 : tensor<64x64xf32>
  } : tensor<64x64xf32>, (tensor<64x64xf32>)
  return %y : tensor<64x64xf32>
}
func.func @deep_gradient(%x: tensor<64x64xf32>, %z: tensor<64x64xf32>, %dy: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %dz = rev.vjp @deep(%x, %z) cotangents(%dy) wrt [1]
      : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %dz : tensor<64x64xf32>
}

// The tightest tolerance of a function and of those that are inlined into it
// counts, whichever says it.
// CHECK-LABEL: func.func private @caller_vjp(
// CHECK: scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<2x64x64xf32>)
// CHECK-LABEL: func.func private @tight_caller_vjp(
// CHECK: scf.for {{.*}} -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<2x64x64xf32>)
// CHECK-LABEL: func.func private @loose_vjp(
// CHECK-NOT: tensor<{{[0-9]+}}x64x64xf32>
// CHECK-LABEL: func.func private @tight(
func.func private @caller(%x: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {rev.drift_tolerance = 1.0 : f64} {
  %s = math.sin %x : tensor<64x64xf32>
  %y = func.call @tight(%s) : (tensor<64x64xf32>) -> tensor<64x64xf32>
  return %y : tensor<64x64xf32>
}
func.func private @tight_caller(%x: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {rev.drift_tolerance = 1.0e-6 : f64} {
  %s = math.sin %x : tensor<64x64xf32>
  %y = func.call @loose(%s) : (tensor<64x64xf32>) -> tensor<64x64xf32>
  return %y : tensor<64x64xf32>
}
func.func private @loose(%x: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {rev.drift_tolerance = 1.0 : f64} {
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant 3 : index
  %y:2 = scf.for %i = %begin to %end step %step iter_args(%a = %x, %b = %x)
      -> (tensor<64x64xf32>, tensor<64x64xf32>) {
    %a1 = rev.coupling additive %a given(%b) attributes {rev.gain = 64.0 : f64} {
    ^bb0(%c: tensor<64x64xf32>):
      %t = math.tanh %c : tensor<64x64xf32>
      rev.yield %t : tensor<64x64xf32>
    } : tensor<64x64xf32>, (tensor<64x64xf32>)
    scf.yield %b, %a1 : tensor<64x64xf32>, tensor<64x64xf32>
  }
  return %y#0 : tensor<64x64xf32>
}
func.func private @tight(%x: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {rev.drift_tolerance = 1.0e-6 : f64} {
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant 3 : index
  %y:2 = scf.for %i = %begin to %end step %step iter_args(%a = %x, %b = %x)
      -> (tensor<64x64xf32>, tensor<64x64xf32>) {
    %a1 = rev.coupling additive %a given(%b) attributes {rev.gain = 64.0 : f64} {
    ^bb0(%c: tensor<64x64xf32>):
      %t = math.tanh %c : tensor<64x64xf32>
      rev.yield %t : tensor<64x64xf32>
    } : tensor<64x64xf32>, (tensor<64x64xf32>)
    scf.yield %b, %a1 : tensor<64x64xf32>, tensor<64x64xf32>
  }
  return %y#0 : tensor<64x64xf32>
}
func.func @calls(%x: tensor<64x64xf32>, %dy: tensor<64x64xf32>)
    -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) {
  %d0 = rev.vjp @caller(%x) cotangents(%dy) : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %d1 = rev.vjp @tight_caller(%x) cotangents(%dy) : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %d2 = rev.vjp @loose(%x) cotangents(%dy) : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %d0, %d1, %d2 : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
}

// The states of the second loop have one shape, for both of those that it starts
// from have that of the first loop's.
// CHECK-LABEL: func.func private @open_vjp(
// CHECK: %[[EXTENT:.*]] = tensor.dim %arg0
// CHECK: scf.for
// CHECK: scf.for {{.*}} -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>)
func.func private @open(%x: tensor<?x8xf32>, %n: index) -> tensor<?x8xf32>
    attributes {rev.drift_tolerance = 1.0e-6 : f64} {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %y:2 = scf.for %i = %zero to %n step %one iter_args(%a = %x, %b = %x) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<?x8xf32>):
      %t = math.tanh %c : tensor<?x8xf32>
      rev.yield %t : tensor<?x8xf32>
    } : tensor<?x8xf32>, (tensor<?x8xf32>)
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%d: tensor<?x8xf32>):
      %s = math.tanh %d : tensor<?x8xf32>
      rev.yield %s : tensor<?x8xf32>
    } : tensor<?x8xf32>, (tensor<?x8xf32>)
    scf.yield %a1, %b1 : tensor<?x8xf32>, tensor<?x8xf32>
  }
  %z:2 = scf.for %i = %zero to %n step %one iter_args(%a = %y#0, %b = %y#1) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<?x8xf32>):
      %t = math.tanh %c : tensor<?x8xf32>
      rev.yield %t : tensor<?x8xf32>
    } : tensor<?x8xf32>, (tensor<?x8xf32>)
    scf.yield %b, %a1 : tensor<?x8xf32>, tensor<?x8xf32>
  }
  return %z#0 : tensor<?x8xf32>
}
func.func @open_gradient(%x: tensor<?x8xf32>, %n: index, %dy: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %dx = rev.vjp @open(%x, %n) cotangents(%dy) wrt [0] : (tensor<?x8xf32>, index, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %dx : tensor<?x8xf32>
}
