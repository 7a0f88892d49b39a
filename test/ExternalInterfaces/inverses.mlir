// RUN: memrev-opt %s -rev-differentiate | FileCheck %s

// Operations that move elements run backwards.
// CHECK-LABEL: func.func private @moves_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<?x6xf32>)
// CHECK:         %[[CAST:.*]] = tensor.cast %[[Y]] : tensor<?x6xf32> to tensor<4x6xf32>
// CHECK:         %[[CUT:.*]] = tensor.extract_slice %[[CAST]][1, 0] [3, 6] [1, 1]
// CHECK:         %[[JOINED:.*]] = tensor.collapse_shape %[[CUT]] {{\[\[}}0, 1]]
// CHECK:         %[[SPLIT:.*]] = tensor.expand_shape %[[JOINED]] {{\[\[}}0, 1]] output_shape [6, 3]
// CHECK:         %[[COPIED:.*]] = tensor.cast %[[SPLIT]] : tensor<6x3xf32> to tensor<6x3xf32>
// CHECK:         %[[X:.*]] = linalg.transpose ins(%[[COPIED]] : {{.*}}) outs({{.*}} : tensor<3x6xf32>) permutation = [1, 0]
// CHECK:         return %[[X]]
func.func private @moves(%x: tensor<3x6xf32>) -> tensor<?x6xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x3xf32>
  %f = tensor.empty() : tensor<6x3xf32>
  %k = linalg.transpose ins(%x : tensor<3x6xf32>) outs(%e : tensor<6x3xf32>) permutation = [1, 0]
  %t = linalg.copy ins(%k : tensor<6x3xf32>) outs(%f : tensor<6x3xf32>) -> tensor<6x3xf32>
  %c = tensor.collapse_shape %t [[0, 1]] : tensor<6x3xf32> into tensor<18xf32>
  %s = tensor.expand_shape %c [[0, 1]] output_shape [3, 6] : tensor<18xf32> into tensor<3x6xf32>
  %p = tensor.pad %s low[1, 0] high[0, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %z : f32
  } : tensor<3x6xf32> to tensor<4x6xf32>
  %y = tensor.cast %p : tensor<4x6xf32> to tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// CHECK-LABEL: func.func private @concat_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<5x2xf32>)
// CHECK:         %[[A:.*]] = tensor.extract_slice %[[Y]][0, 0] [3, 2] [1, 1]
// CHECK:         %[[B:.*]] = tensor.extract_slice %[[Y]][3, 0] [2, 2] [1, 1]
// CHECK:         return %[[A]], %[[B]]
func.func private @concat(%a: tensor<3x2xf32>, %b: tensor<2x2xf32>) -> tensor<5x2xf32> {
  %y = tensor.concat dim(0) %a, %b : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// CHECK-LABEL: func.func private @insert_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<5x2xf32>, %{{.*}}: tensor<5x2xf32>, %[[I:.*]]: index)
// CHECK:         %[[X:.*]] = tensor.extract_slice %[[Y]][%[[I]], 0] [1, 2] [1, 1] : tensor<5x2xf32> to tensor<2xf32>
// CHECK:         return %[[X]]
func.func private @insert(%x: tensor<2xf32>, %t: tensor<5x2xf32>, %i: index) -> tensor<5x2xf32> {
  %y = tensor.insert_slice %x into %t[%i, 0] [1, 2] [1, 1] : tensor<2xf32> into tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// The halves of a state: the one that was kept is read off the result, and the
// other is written over what it was updated to.
// CHECK-LABEL: func.func private @halves_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<4x2xf32>)
// CHECK:         %[[U:.*]] = tensor.extract_slice %[[Y]][0, 0] [2, 2] [1, 1]
// CHECK:         %[[B:.*]] = tensor.extract_slice %[[Y]][2, 0] [2, 2] [1, 1]
// CHECK:         %[[A:.*]] = arith.subf %[[U]], %[[B]]
// CHECK:         %[[X:.*]] = tensor.insert_slice %[[A]] into %[[Y]][0, 0] [2, 2] [1, 1]
// CHECK:         return %[[X]]
func.func private @halves(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %a = tensor.extract_slice %x[0, 0] [2, 2] [1, 1] : tensor<4x2xf32> to tensor<2x2xf32>
  %b = tensor.extract_slice %x[2, 0] [2, 2] [1, 1] : tensor<4x2xf32> to tensor<2x2xf32>
  // Neither a slice of another part nor one that overlaps is in the way.
  %o = tensor.extract_slice %x[1, 0] [2, 2] [1, 1] : tensor<4x2xf32> to tensor<2x2xf32>
  %u = arith.addf %a, %b : tensor<2x2xf32>
  %y = tensor.insert_slice %u into %x[0, 0] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// Without such a tensor the pieces are put into a new one.
// CHECK-LABEL: func.func private @split_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<2x2xf32>, %[[Z:.*]]: tensor<2x2xf32>)
// CHECK:         %[[E:.*]] = tensor.empty() : tensor<4x2xf32>
// CHECK:         %[[A:.*]] = tensor.insert_slice %[[Z]] into %[[E]][2, 0] [2, 2] [1, 1]
// CHECK:         %[[X:.*]] = tensor.insert_slice %[[Y]] into %[[A]][0, 0] [2, 2] [1, 1]
// CHECK:         return %[[X]]
func.func private @split(%x: tensor<4x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %a = tensor.extract_slice %x[0, 0] [2, 2] [1, 1] : tensor<4x2xf32> to tensor<2x2xf32>
  %b = tensor.extract_slice %x[2, 0] [2, 2] [1, 1] : tensor<4x2xf32> to tensor<2x2xf32>
  return %a, %b : tensor<2x2xf32>, tensor<2x2xf32>
}

// A broadcast gives one of the copies back, packing what is not padding, and tiles without padding are packed again.
// CHECK-LABEL: func.func private @copies_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<3x?x2xf32>)
// CHECK:         %[[X:.*]] = tensor.extract_slice %[[Y]][0, 0, 0] [1, %{{.*}}, 1] [1, 1, 1] : tensor<3x?x2xf32> to tensor<?xf32>
// CHECK:         return %[[X]]
func.func private @copies(%x: tensor<?xf32>) -> tensor<3x?x2xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<3x?x2xf32>
  %y = linalg.broadcast ins(%x : tensor<?xf32>) outs(%e : tensor<3x?x2xf32>) dimensions = [0, 2]
  return %y : tensor<3x?x2xf32>
}

// CHECK-LABEL: func.func private @tiles_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<?x3x?x2xf32>, %[[T:.*]]: index, %{{.*}}: index)
// CHECK:         %[[E:.*]] = tensor.empty() : tensor<5x6xf32>
// CHECK:         %[[U:.*]] = linalg.unpack %[[Y]] inner_dims_pos = [0, 1] inner_tiles = [%[[T]], 2] into %[[E]]
// CHECK:         %[[D:.*]] = tensor.empty() : tensor<3x5x2xf32>
// CHECK:         %[[X:.*]] = linalg.pack %[[U]] outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [2] into %[[D]]
// CHECK:         return %[[X]]
func.func private @tiles(%x: tensor<3x5x2xf32>, %t: index, %n: index) -> tensor<?x3x?x2xf32> {
  %z = arith.constant 0.0 : f32
  %d = tensor.empty() : tensor<5x6xf32>
  %u = linalg.unpack %x outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [2] into %d : tensor<3x5x2xf32> -> tensor<5x6xf32>
  %e = tensor.empty(%n, %t) : tensor<?x3x?x2xf32>
  %y = linalg.pack %u padding_value(%z : f32) inner_dims_pos = [0, 1] inner_tiles = [%t, 2] into %e : tensor<5x6xf32> -> tensor<?x3x?x2xf32>
  return %y : tensor<?x3x?x2xf32>
}

// CHECK-LABEL: func.func private @reshaped_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<2x3xi32>, %{{.*}}: tensor<2xindex>)
// CHECK:         %[[B:.*]] = tensor.bitcast %[[Y]] : tensor<2x3xi32> to tensor<2x3xf32>
// CHECK:         %[[S:.*]] = tensor.from_elements %c6{{.*}} : tensor<1xindex>
// CHECK:         %[[X:.*]] = tensor.reshape %[[B]](%[[S]])
// CHECK:         return %[[X]]
func.func private @reshaped(%x: tensor<6xf32>, %s: tensor<2xindex>) -> tensor<2x3xi32> {
  %r = tensor.reshape %x(%s) : (tensor<6xf32>, tensor<2xindex>) -> tensor<2x3xf32>
  %y = tensor.bitcast %r : tensor<2x3xf32> to tensor<2x3xi32>
  return %y : tensor<2x3xi32>
}

// Elements that are replaced: those that were kept are read off the result, and
// the others are written over what they were updated to.
// CHECK-LABEL: func.func private @elements_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<2xf32>)
// CHECK-DAG:     %[[U:.*]] = tensor.extract %[[Y]][%c0{{.*}}]
// CHECK-DAG:     %[[B:.*]] = tensor.extract %[[Y]][%c1{{.*}}]
// CHECK:         %[[A:.*]] = arith.subf %[[U]], %[[B]]
// CHECK-NOT:     tensor.insert
// CHECK:         %[[X:.*]] = tensor.from_elements %[[A]], %[[B]] : tensor<2xf32>
// CHECK:         return %[[X]]
func.func private @elements(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = tensor.extract %x[%c0] : tensor<2xf32>
  %b = tensor.extract %x[%c1] : tensor<2xf32>
  %u = arith.addf %a, %b : f32
  %y = tensor.insert %u into %x[%c0] : tensor<2xf32>
  return %y : tensor<2xf32>
}

// CHECK-LABEL: func.func private @updated_inverse{{[_0-9]*}}(
// CHECK-SAME:    %[[Y:.*]]: tensor<?xf32>, %[[I:.*]]: index)
// CHECK:         %[[U:.*]] = tensor.extract %[[Y]][%[[I]]]
// CHECK:         %[[A:.*]] = arith.negf %[[U]]
// CHECK:         %[[X:.*]] = tensor.insert %[[A]] into %[[Y]][%[[I]]]
// CHECK:         return %[[X]]
func.func private @updated(%x: tensor<?xf32>, %i: index) -> tensor<?xf32> {
  %a = tensor.extract %x[%i] : tensor<?xf32>
  %u = arith.negf %a : f32
  %y = tensor.insert %u into %x[%i] : tensor<?xf32>
  return %y : tensor<?xf32>
}

func.func @main(%y: tensor<?x6xf32>, %z: tensor<5x2xf32>, %i: index)
    -> (tensor<3x6xf32>, tensor<3x2xf32>, tensor<2x2xf32>, tensor<2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) {
  %0 = rev.inverse @moves(%y) : (tensor<?x6xf32>) -> tensor<3x6xf32>
  %1:2 = rev.inverse @concat(%z) wrt [0, 1] : (tensor<5x2xf32>) -> (tensor<3x2xf32>, tensor<2x2xf32>)
  %2 = rev.inverse @insert(%z, %z, %i) wrt [0] : (tensor<5x2xf32>, tensor<5x2xf32>, index) -> tensor<2xf32>
  %c = tensor.extract_slice %z[0, 0] [4, 2] [1, 1] : tensor<5x2xf32> to tensor<4x2xf32>
  %3 = rev.inverse @halves(%c) : (tensor<4x2xf32>) -> tensor<4x2xf32>
  %4 = rev.inverse @split(%1#1, %1#1) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  return %0, %1#0, %1#1, %2, %3, %4 : tensor<3x6xf32>, tensor<3x2xf32>, tensor<2x2xf32>, tensor<2xf32>, tensor<4x2xf32>, tensor<4x2xf32>
}
func.func @others(%a: tensor<3x?x2xf32>, %b: tensor<?x3x?x2xf32>, %c: tensor<2x3xi32>, %s: tensor<2xindex>, %d: tensor<2xf32>, %e: tensor<?xf32>, %i: index)
    -> (tensor<?xf32>, tensor<3x5x2xf32>, tensor<6xf32>, tensor<2xf32>, tensor<?xf32>) {
  %0 = rev.inverse @copies(%a) : (tensor<3x?x2xf32>) -> tensor<?xf32>
  %1 = rev.inverse @tiles(%b, %i, %i) wrt [0] : (tensor<?x3x?x2xf32>, index, index) -> tensor<3x5x2xf32>
  %2 = rev.inverse @reshaped(%c, %s) wrt [0] : (tensor<2x3xi32>, tensor<2xindex>) -> tensor<6xf32>
  %3 = rev.inverse @elements(%d) : (tensor<2xf32>) -> tensor<2xf32>
  %4 = rev.inverse @updated(%e, %i) wrt [0] : (tensor<?xf32>, index) -> tensor<?xf32>
  return %0, %1, %2, %3, %4 : tensor<?xf32>, tensor<3x5x2xf32>, tensor<6xf32>, tensor<2xf32>, tensor<?xf32>
}
