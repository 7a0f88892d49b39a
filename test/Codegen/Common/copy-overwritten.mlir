// RUN: memrev-opt %s -codegen-copy-overwritten | FileCheck %s

// The sum reads a branch's tensor, which may be the one that it overwrites.
// CHECK-LABEL: func.func @branch
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}})
// CHECK: %[[B:.*]] = scf.if
// CHECK: %[[C:.*]] = bufferization.alloc_tensor() copy(%[[B]])
// CHECK: %[[S:.*]] = linalg.add ins(%[[A]], %[[C]] : {{.*}}) outs(%[[A]]
// CHECK: scf.yield %[[S]]
func.func @branch(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index, %c: i1) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %b = scf.if %c -> tensor<4xf32> {
      scf.yield %y : tensor<4xf32>
    } else {
      scf.yield %a : tensor<4xf32>
    }
    %s = linalg.add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %s : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// Only the element that every one is multiplied by is copied, and only for that.
// CHECK-LABEL: func.func @view
// CHECK: %[[E:.*]] = tensor.extract_slice
// CHECK: %[[C:.*]] = bufferization.alloc_tensor() copy(%[[E]]) : tensor<f32>
// CHECK: linalg.generic {{.*}} ins(%[[C]], %
// CHECK-NOT: copy
func.func @view(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<4xf32> {
    %e = tensor.extract_slice %a[0] [1] [1] : tensor<4xf32> to tensor<f32>
    %f = tensor.empty() : tensor<f32>
    %g = linalg.exp ins(%e : tensor<f32>) outs(%f : tensor<f32>) -> tensor<f32>
    %s = linalg.generic {indexing_maps = [affine_map<(i) -> ()>, affine_map<(i) -> ()>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%e, %g : tensor<f32>, tensor<f32>) outs(%a : tensor<4xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %0 = arith.mulf %u, %o : f32
      %1 = arith.addf %0, %v : f32
      linalg.yield %1 : f32
    } -> tensor<4xf32>
    scf.yield %s : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// In a branch that updates the tensor, and behind it.
// CHECK-LABEL: func.func @update_in_branch
// CHECK: scf.while (%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}})
// CHECK: ^bb0(%[[P:.*]]: tensor<4xf32>, %[[Q:.*]]: tensor<4xf32>):
// CHECK-COUNT-2: %{{.*}} = bufferization.alloc_tensor() copy(%[[P]])
// CHECK: scf.if
// CHECK: linalg.exp ins(%[[P]] : {{.*}}) outs(%[[P]]
// CHECK-NOT: linalg.mul ins(%[[P]]
// CHECK-NOT: linalg.add ins(%[[P]]
// CHECK: return
func.func @update_in_branch(%x: tensor<4xf32>, %y: tensor<4xf32>, %c: i1) -> (tensor<4xf32>, tensor<4xf32>) {
  %r:2 = scf.while (%a = %x, %b = %y) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.condition(%c) %a, %b : tensor<4xf32>, tensor<4xf32>
  } do {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
    %s = scf.if %c -> tensor<4xf32> {
      %t = linalg.exp ins(%a : tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
      %u = linalg.mul ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%t : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %u : tensor<4xf32>
    } else {
      scf.yield %a : tensor<4xf32>
    }
    %v = linalg.add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%b : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %s, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// Nothing is read late: elementwise in one operation, before the update, the shape.
// CHECK-LABEL: func.func @in_time
// CHECK-NOT: copy
func.func @in_time(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %v = linalg.add ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%b : tensor<4xf32>) -> tensor<4xf32>
    %s = linalg.mul ins(%a, %a : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
    %d = tensor.dim %a, %c0 : tensor<4xf32>
    scf.yield %s, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// What a second update overwrites is copied for its readers as well.
// CHECK-LABEL: func.func @second_update
// CHECK: %[[B:.*]] = linalg.exp
// CHECK: %[[COPY:.*]] = bufferization.alloc_tensor() copy(%[[B]])
// CHECK: %[[C:.*]] = linalg.log {{.*}} outs(%[[B]] :
// CHECK: linalg.add ins(%[[COPY]], %[[C]]
// CHECK-NOT: copy
func.func @second_update(%x: tensor<4xf32>, %e: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %d = %e) -> (tensor<4xf32>, tensor<4xf32>) {
    %b = linalg.exp ins(%a : tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
    %c = linalg.log ins(%b : tensor<4xf32>) outs(%b : tensor<4xf32>) -> tensor<4xf32>
    %s = linalg.add ins(%b, %c : tensor<4xf32>, tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %c, %s : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
