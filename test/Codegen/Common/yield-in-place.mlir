// RUN: memrev-opt %s -codegen-yield-in-place | FileCheck %s

// A tensor made in the body is written into the loop-carried one, without a copy.
// CHECK-LABEL: func.func @fresh
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}})
// CHECK: %[[S:.*]] = linalg.add
// CHECK-NEXT: %[[M:.*]] = bufferization.materialize_in_destination %[[S]] in %[[A]]
// CHECK-NEXT: scf.yield %[[M]]
func.func @fresh(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %e = tensor.empty() : tensor<4xf32>
    %s = linalg.add ins(%a, %a : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %s : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// What is updated in place, through an inner loop, a call and reshapes too, is
// left alone: a materialised value would be rejected.
func.func private @update(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = linalg.exp ins(%x : tensor<2x2xf32>) outs(%x : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
// CHECK-LABEL: func.func @in_place
// CHECK-NOT: materialize_in_destination
func.func @in_place(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %q = scf.for %j = %c0 to %n step %c1 iter_args(%b = %a) -> tensor<4xf32> {
      %v = tensor.expand_shape %b [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
      %u = func.call @update(%v) : (tensor<2x2xf32>) -> tensor<2x2xf32>
      %w = tensor.collapse_shape %u [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
      scf.yield %w : tensor<4xf32>
    }
    scf.yield %q : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// Loop-carried tensors that change places are copied where they are defined.
// CHECK-LABEL: func.func @swap
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}})
// CHECK-DAG: %[[CA:.*]] = bufferization.alloc_tensor() copy(%[[A]])
// CHECK-DAG: %[[CB:.*]] = bufferization.alloc_tensor() copy(%[[B]])
// CHECK-DAG: bufferization.materialize_in_destination %[[CB]] in %[[A]]
// CHECK-DAG: bufferization.materialize_in_destination %[[CA]] in %[[B]]
func.func @swap(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %b, %a : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0 : tensor<4xf32>
}

// A loop that reads what it starts from needs it until the end.
// CHECK-LABEL: @captured_init
func.func @captured_init(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[COPY:.*]] = bufferization.alloc_tensor() copy(%{{.*}})
  // CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[COPY]])
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %p = linalg.mul ins(%a, %x : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %p : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// What both regions of a branch update, or hand through, is in place; so is what
// a while loop carries.
// CHECK-LABEL: @branch_and_while
func.func @branch_and_while(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index, %c: i1) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK-NOT: bufferization
  // CHECK: return
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %b = scf.if %c -> tensor<4xf32> {
      %p = linalg.mul ins(%a, %y : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %p : tensor<4xf32>
    } else {
      scf.yield %a : tensor<4xf32>
    }
    %w:2 = scf.while (%d = %b, %j = %i) : (tensor<4xf32>, index) -> (tensor<4xf32>, index) {
      %more = arith.cmpi slt, %j, %n : index
      scf.condition(%more) %d, %j : tensor<4xf32>, index
    } do {
    ^bb0(%d: tensor<4xf32>, %j: index):
      %p = linalg.mul ins(%d, %y : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
      %k = arith.addi %j, %c1 : index
      scf.yield %p, %k : tensor<4xf32>, index
    }
    scf.yield %w#0 : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// A branch between two tensors yields copies of them.
// CHECK-LABEL: @branch_between
// CHECK-SAME: (%{{.*}}: tensor<4xf32>, %[[Y:.*]]: tensor<4xf32>,
func.func @branch_between(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index, %c: i1) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[CY:.*]] = bufferization.alloc_tensor() copy(%[[Y]])
  // CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}})
  // CHECK: %[[CA:.*]] = bufferization.alloc_tensor() copy(%[[A]])
  // CHECK: %[[B:.*]] = scf.if
  // CHECK-NEXT: scf.yield %[[CY]]
  // CHECK: scf.yield %[[CA]]
  // CHECK: bufferization.materialize_in_destination %[[B]] in %[[A]]
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %b = scf.if %c -> tensor<4xf32> {
      scf.yield %y : tensor<4xf32>
    } else {
      scf.yield %a : tensor<4xf32>
    }
    scf.yield %b : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// Two operations update one tensor: that whose result is yielded elsewhere works on
// a copy. Else bufferization would choose, and might copy for the other one.
// CHECK-LABEL: @two_updates
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}}) -> (tensor<4xf32>, tensor<4xf32>) {
// CHECK-NEXT: %[[COPY:.*]] = bufferization.alloc_tensor() copy(%[[A]])
// CHECK-NEXT: %[[NEXT:.*]] = linalg.mul {{.*}} outs(%[[A]]
// CHECK-NEXT: %[[P:.*]] = linalg.add {{.*}} outs(%[[COPY]]
// CHECK-NEXT: %[[Q:.*]] = linalg.add {{.*}} outs(%[[P]]
// CHECK-NEXT: %[[M:.*]] = bufferization.materialize_in_destination %[[Q]] in %[[B]]
// CHECK-NEXT: scf.yield %[[NEXT]], %[[M]]
func.func @two_updates(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %x) -> (tensor<4xf32>, tensor<4xf32>) {
    %s = linalg.mul ins(%a, %y : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
    %p = linalg.add ins(%y, %y : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
    %q = linalg.add ins(%p, %y : tensor<4xf32>, tensor<4xf32>) outs(%p : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %s, %q : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// Both regions of a loop of unknown trips; what the second makes of its own
// tensors is not copied.
// CHECK-LABEL: func.func @while
// CHECK: scf.while (%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}})
// CHECK: %[[CB:.*]] = bufferization.alloc_tensor() copy(%[[B]])
// CHECK: %[[M:.*]] = bufferization.materialize_in_destination %[[CB]] in %[[A]]
// CHECK: scf.condition(%{{.*}}) %[[M]], %[[B]]
// CHECK: ^bb0(%[[C:.*]]: tensor<4xf32>, %[[D:.*]]: tensor<4xf32>):
// CHECK: %[[S:.*]] = linalg.exp
// CHECK: %[[N:.*]] = bufferization.materialize_in_destination %[[S]] in %[[D]]
// CHECK: scf.yield %[[C]], %[[N]]
func.func @while(%x: tensor<4xf32>, %y: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  %r:2 = scf.while (%a = %x, %b = %y) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.condition(%c) %b, %b : tensor<4xf32>, tensor<4xf32>
  } do {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
    %e = tensor.empty() : tensor<4xf32>
    %s = linalg.exp ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %a, %s : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0 : tensor<4xf32>
}

// A branch that has made its tensor yields it, the other one a copy.
// CHECK-LABEL: func.func @branches
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}})
// CHECK: %[[CB:.*]] = bufferization.alloc_tensor() copy(%[[B]])
// CHECK: %[[I:.*]] = scf.if
// CHECK-NEXT: scf.yield %[[CB]]
// CHECK: %[[S:.*]] = linalg.exp
// CHECK-NEXT: scf.yield %[[S]]
// CHECK: %[[M:.*]] = bufferization.materialize_in_destination %[[I]] in %[[A]]
// CHECK-NEXT: scf.yield %[[M]], %[[B]]
func.func @branches(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index, %c: i1) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %s = scf.if %c -> tensor<4xf32> {
      scf.yield %b : tensor<4xf32>
    } else {
      %e = tensor.empty() : tensor<4xf32>
      %s = linalg.exp ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %s : tensor<4xf32>
    }
    scf.yield %s, %b : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0 : tensor<4xf32>
}
