// RUN: memrev-opt %s -rev-unroll-permuted-loops | FileCheck %s

// A swap is back after two iterations.
// CHECK-LABEL: @swap
func.func @swap(%x1: tensor<4xf32>, %x2: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  // CHECK: %[[STEP:.*]] = arith.constant 2 : index
  // CHECK: scf.for {{.*}} step %[[STEP]] iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}})
  // CHECK: %[[Y1:.*]] = rev.coupling additive %[[A]] given(%[[B]])
  // CHECK: %[[Y2:.*]] = rev.coupling additive %[[B]] given(%[[Y1]])
  // CHECK: scf.yield %[[Y1]], %[[Y2]]
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf32>):
      rev.yield %c : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    scf.yield %b, %y : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// What stays in place needs no unrolling, nor does what is made anew.
// CHECK-LABEL: @in_place
func.func @in_place(%x1: tensor<4xf32>, %x2: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  // CHECK-COUNT-1: rev.coupling
  // CHECK-NOT: rev.coupling
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf32>):
      rev.yield %c : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    %z = math.tanh %b : tensor<4xf32>
    scf.yield %y, %z : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// What starts as one value stays apart while it is carried. A loop of one iteration
// would be dissolved, so none is left over.
// CHECK-LABEL: @one_start
func.func @one_start(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c6 = arith.constant 6 : index
  // CHECK: scf.for
  // CHECK-COUNT-2: rev.coupling
  // CHECK: scf.for
  // CHECK-COUNT-1: rev.coupling
  // CHECK-NOT: rev.coupling
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x, %b = %x) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf32>):
      rev.yield %c : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    scf.yield %b, %y : tensor<4xf32>, tensor<4xf32>
  }
  %s:2 = scf.for %i = %c0 to %c2 step %c1 iter_args(%a = %x, %b = %x) -> (tensor<4xf32>, tensor<4xf32>) {
    %y = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4xf32>):
      rev.yield %c : tensor<4xf32>
    } : tensor<4xf32>, (tensor<4xf32>)
    scf.yield %b, %y : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1, %s#0, %s#1 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
