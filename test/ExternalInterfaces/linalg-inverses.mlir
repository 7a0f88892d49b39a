// RUN: memrev-opt %s -rev-differentiate | FileCheck %s

// CHECK-DAG: #[[FLIP:.*]] = affine_map<(d0, d1) -> (-d0 + 3, d1)>
// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
#id = affine_map<(i, j) -> (i, j)>
#flip = affine_map<(i, j) -> (3 - i, j)>
#tr = affine_map<(i, j) -> (j, i)>

// Named elementwise operations and maps, in the operand that is asked for.
// CHECK-LABEL: func.func private @named_inverse(
// CHECK-SAME:    %[[Y:.*]]: tensor<4x6xf32>, %[[T:.*]]: tensor<4x6xf32>)
// CHECK:         %[[D:.*]] = linalg.generic {{.*}} ins(%[[Y]], %[[T]] :
// CHECK:           arith.subf %in, %in_0
// CHECK:         %[[C:.*]] = linalg.generic {{.*}} ins(%[[D]], %[[T]] :
// CHECK:           arith.subf %in, %in_0
// CHECK:         %[[B:.*]] = linalg.generic {{.*}} ins(%[[C]] :
// CHECK:           arith.negf %in
// CHECK:         %[[A:.*]] = linalg.generic {{.*}} ins(%[[B]], %[[T]] :
// CHECK:           arith.subf %in_0, %in
// CHECK:         %[[X:.*]] = linalg.generic {{.*}} ins(%[[A]], %[[T]] :
// CHECK:           arith.subf %in, %in_0
// CHECK:         return %[[X]]
func.func private @named(%x: tensor<4x6xf32>, %t: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %e = tensor.empty() : tensor<4x6xf32>
  %a = linalg.add ins(%x, %t : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %b = linalg.sub ins(%t, %a : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %c = linalg.negf ins(%b : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %d = linalg.elementwise kind=#linalg.elementwise_kind<add> ins(%c, %t : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %m = linalg.map {arith.addf} ins(%d, %t : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>)
  return %m : tensor<4x6xf32>
}

// A body runs backwards from what it yields; what else it reads is evaluated
// again, at the elements that the forward loops saw.
// CHECK-LABEL: func.func private @generic_inverse(
// CHECK-SAME:    %[[Y:.*]]: tensor<6x4xf32>, %[[T:.*]]: tensor<6xf32>, %[[S:.*]]: f32)
// CHECK:         %[[E:.*]] = tensor.empty() : tensor<4x6xf32>
// CHECK:         linalg.generic {indexing_maps = [#[[BACK:.*]], #[[ROW:.*]], #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[Y]], %[[T]] : {{.*}}) outs(%[[E]] :
// CHECK:         ^bb0(%[[IN:.*]]: f32, %[[V:.*]]: f32, %{{.*}}: f32):
// CHECK:           %[[I:.*]] = linalg.index 0
// CHECK:           %[[J:.*]] = affine.apply #{{.*}}()[%[[I]]]
// CHECK:           %[[K:.*]] = arith.index_cast %[[J]]
// CHECK:           %[[F:.*]] = arith.sitofp %[[K]]
// CHECK:           %[[R:.*]] = arith.subf %[[F]], %[[IN]]
// CHECK:           %[[P:.*]] = math.tanh %[[V]]
// CHECK:           %[[Q:.*]] = arith.mulf %[[P]], %[[S]]
// CHECK:           %[[U:.*]] = arith.subf %[[R]], %[[Q]]
// CHECK:           linalg.yield %[[U]]
func.func private @generic(%x: tensor<4x6xf32>, %t: tensor<6xf32>, %s: f32) -> tensor<6x4xf32> {
  %e = tensor.empty() : tensor<6x4xf32>
  %y = linalg.generic {indexing_maps = [#flip, affine_map<(i, j) -> (j)>, #tr], iterator_types = ["parallel", "parallel"]}
    ins(%x, %t : tensor<4x6xf32>, tensor<6xf32>) outs(%e : tensor<6x4xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %i = linalg.index 0 : index
    %k = arith.index_cast %i : index to i32
    %f = arith.sitofp %k : i32 to f32
    %p = math.tanh %v : f32
    %q = arith.mulf %p, %s : f32
    %r = arith.addf %u, %q : f32
    %w = arith.subf %f, %r : f32
    linalg.yield %w : f32
  } -> tensor<6x4xf32>
  return %y : tensor<6x4xf32>
}

// CHECK-LABEL: func.func private @flip_inverse(
// CHECK:         linalg.generic {indexing_maps = [#[[FLIP]], #[[ID]]]
func.func private @flip(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %e = tensor.empty() : tensor<4x6xf32>
  %y = linalg.generic {indexing_maps = [#flip, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%u: f32, %o: f32):
    linalg.yield %u : f32
  } -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// A sum gives its start back, from the sum that starts from zero.
// CHECK-LABEL: func.func private @outs_inverse(
// CHECK-SAME:    %[[Y:.*]]: tensor<4x6xf32>, %[[A:.*]]: tensor<4x3xf32>, %[[B:.*]]: tensor<3x6xf32>)
// CHECK:         %[[Z:.*]] = linalg.fill ins(%cst
// CHECK:         %[[P:.*]] = linalg.matmul ins(%[[A]], %[[B]] : {{.*}}) outs(%[[Z]] :
// CHECK:         %[[X:.*]] = arith.subf %[[Y]], %[[P]]
// CHECK:         return %[[X]]
func.func private @outs(%x: tensor<4x6xf32>, %a: tensor<4x3xf32>, %b: tensor<3x6xf32>) -> tensor<4x6xf32> {
  %y = linalg.matmul ins(%a, %b : tensor<4x3xf32>, tensor<3x6xf32>) outs(%x : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// CHECK-LABEL: func.func private @dyn_inverse(
// CHECK-SAME:    %[[Y:.*]]: tensor<6x?xf32>, %[[T:.*]]: tensor<?x6xf32>)
// CHECK:         %[[N:.*]] = tensor.dim %[[Y]], %c1
// CHECK:         %[[E:.*]] = tensor.empty(%[[N]]) : tensor<?x6xf32>
// CHECK:         linalg.generic {{.*}} ins(%[[Y]], %[[T]] : {{.*}}) outs(%[[E]] :
// CHECK:           arith.subf %in, %in_0
func.func private @dyn(%x: tensor<?x6xf32>, %t: tensor<?x6xf32>) -> tensor<6x?xf32> {
  %c = arith.constant 0 : index
  %n = tensor.dim %t, %c : tensor<?x6xf32>
  %e = tensor.empty(%n) : tensor<6x?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #tr], iterator_types = ["parallel", "parallel"]}
    ins(%x, %t : tensor<?x6xf32>, tensor<?x6xf32>) outs(%e : tensor<6x?xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %r = arith.addf %u, %v : f32
    linalg.yield %r : f32
  } -> tensor<6x?xf32>
  return %y : tensor<6x?xf32>
}
func.func @main(%y: tensor<4x6xf32>, %z: tensor<6x4xf32>, %t: tensor<6xf32>, %s: f32, %a: tensor<4x3xf32>, %b: tensor<3x6xf32>, %zd: tensor<6x?xf32>, %td: tensor<?x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<?x6xf32>) {
  %0 = rev.inverse @named(%y, %y) wrt [0] : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = rev.inverse @generic(%z, %t, %s) wrt [0] : (tensor<6x4xf32>, tensor<6xf32>, f32) -> tensor<4x6xf32>
  %2 = rev.inverse @flip(%y) wrt [0] : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %3 = rev.inverse @outs(%y, %a, %b) wrt [0] : (tensor<4x6xf32>, tensor<4x3xf32>, tensor<3x6xf32>) -> tensor<4x6xf32>
  %4 = rev.inverse @dyn(%zd, %td) wrt [0] : (tensor<6x?xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %0, %1, %2, %3, %4 : tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<?x6xf32>
}
