// RUN: memrev-opt %s -codegen-reshape-slices | FileCheck %s
// RUN: memrev-opt %s -codegen-reshape-slices -canonicalize | FileCheck %s --check-prefix=CANONICAL

// Of the unit dimensions upstream would drop the first, and then make the box fit.
// CHECK-LABEL: @extract(
// CHECK-SAME:    %[[X:.*]]: tensor<2x4x4xf64>, %[[I:.*]]: index)
// CHECK:         %[[S:.*]] = tensor.extract_slice %[[X]][0, %{{.*}}, %[[I]]] [1, 4, 1] [1, 1, 1] : tensor<2x4x4xf64> to tensor<1x4x1xf64>
// CHECK-NEXT:    %[[Y:.*]] = tensor.collapse_shape %[[S]] {{\[}}[0], [1, 2]] : tensor<1x4x1xf64> into tensor<1x4xf64>
// CHECK-NEXT:    return %[[Y]]
// CANONICAL-LABEL: @extract(
// CANONICAL:         tensor.extract_slice %{{.*}}[0, 0, %{{.*}}] [1, 4, 1] [1, 1, 1]
// CANONICAL-NEXT:    tensor.collapse_shape
func.func @extract(%x: tensor<2x4x4xf64>, %i: index) -> tensor<1x4xf64> {
  %c0 = arith.constant 0 : index
  %y = tensor.extract_slice %x[0, %c0, %i] [1, 4, 1] [1, 1, 1] : tensor<2x4x4xf64> to tensor<1x4xf64>
  return %y : tensor<1x4xf64>
}

// A size that becomes 1 is one more to choose from.
// CHECK-LABEL: @extract_open(
// CHECK:         tensor.extract_slice %{{.*}} [1, 2, 1, %{{.*}}, 1] [1, 2, 1, 1, 1] : tensor<1x?x1x?x1xf64> to tensor<1x2x1x?x1xf64>
// CHECK-NEXT:    tensor.collapse_shape %{{.*}} {{\[}}[0], [1, 2], [3, 4]] : tensor<1x2x1x?x1xf64> into tensor<1x2x?xf64>
// CANONICAL-LABEL: @extract_open(
// CANONICAL:         tensor.extract_slice %{{.*}} [1, 2, 1, 1, 1] [1, 2, 1, 1, 1] : tensor<1x?x1x?x1xf64> to tensor<1x2x1x1x1xf64>
// CANONICAL:         %[[Y:.*]] = tensor.cast %{{.*}} to tensor<1x2x?xf64>
// CANONICAL-NEXT:    return %[[Y]]
func.func @extract_open(%x: tensor<1x?x1x?x1xf64>) -> tensor<1x2x?xf64> {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<1x?x1x?x1xf64>
  %y = tensor.extract_slice %x[0, %c0, 0, %d, 0] [1, 2, 1, %d, 1] [1, 2, %d, 1, 1] : tensor<1x?x1x?x1xf64> to tensor<1x2x?xf64>
  return %y : tensor<1x2x?xf64>
}

// Two open sizes would change places without a word from the verifier.
// CHECK-LABEL: @extract_open_pair(
// CHECK:         tensor.collapse_shape %{{.*}} {{\[}}[0], [1, 2]] : tensor<?x?x1xf64> into tensor<?x?xf64>
// CANONICAL-LABEL: @extract_open_pair(
// CANONICAL-SAME:    %{{.*}}: tensor<?x?x?xf64>, %[[N:.*]]: index)
// CANONICAL:         tensor.extract_slice %{{.*}}[0, 0, 0] [1, %[[N]], 1] [1, 1, 1] : tensor<?x?x?xf64> to tensor<1x?x1xf64>
// CANONICAL:         tensor.collapse_shape %{{.*}} {{\[}}[0], [1, 2]] : tensor<1x?x1xf64> into tensor<1x?xf64>
func.func @extract_open_pair(%x: tensor<?x?x?xf64>, %n: index) -> tensor<?x?xf64> {
  %c1 = arith.constant 1 : index
  %y = tensor.extract_slice %x[0, 0, 0] [%c1, %n, 1] [1, 1, 1] : tensor<?x?x?xf64> to tensor<?x?xf64>
  return %y : tensor<?x?xf64>
}

// Dropped dimensions in front of the first that is kept go with it.
// CHECK-LABEL: @extract_several(
// CHECK:         tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2, 3, 4, 5]] : tensor<1x?x3x1x1x1xf64> into tensor<?x3xf64>
func.func @extract_several(%x: tensor<4x?x4x4x4x4xf64>, %n: index, %i: index) -> tensor<?x3xf64> {
  %y = tensor.extract_slice %x[%i, 0, 0, 0, 0, 0] [1, %n, 3, 1, 1, 1] [1, 1, 1, 1, 1, 1] : tensor<4x?x4x4x4x4xf64> to tensor<?x3xf64>
  return %y : tensor<?x3xf64>
}

// The tensor that is inserted gets the dimensions before.
// CHECK-LABEL: @insert(
// CHECK-SAME:    %[[P:.*]]: tensor<1x?xf64>, %[[X:.*]]: tensor<4x4x4xf64>, %[[I:.*]]: index)
// CHECK:         %[[N:.*]] = arith.constant 3
// CHECK:         %[[S:.*]] = tensor.expand_shape %[[P]] {{\[}}[0], [1, 2]] output_shape [1, %[[N]], 1] : tensor<1x?xf64> into tensor<1x?x1xf64>
// CHECK-NEXT:    tensor.insert_slice %[[S]] into %[[X]][0, 0, %[[I]]] [1, %[[N]], 1] [1, 1, 1] : tensor<1x?x1xf64> into tensor<4x4x4xf64>
// CANONICAL-LABEL: @insert(
// CANONICAL:         tensor.insert_slice %{{.*}} [1, 3, 1] [1, 1, 1] : tensor<1x3x1xf64> into tensor<4x4x4xf64>
func.func @insert(%p: tensor<1x?xf64>, %x: tensor<4x4x4xf64>, %i: index) -> tensor<4x4x4xf64> {
  %c3 = arith.constant 3 : index
  %y = tensor.insert_slice %p into %x[0, 0, %i] [1, %c3, 1] [1, 1, 1] : tensor<1x?xf64> into tensor<4x4x4xf64>
  return %y : tensor<4x4x4xf64>
}

// Nothing but insertions may be where a parallel loop ends.
// CHECK-LABEL: @insert_in_parallel(
// CHECK:         %[[S:.*]] = tensor.expand_shape %{{.*}} {{\[}}[0], [1, 2]] output_shape [1, 4, 1]
// CHECK-NEXT:    scf.forall.in_parallel {
// CHECK-NEXT:      tensor.parallel_insert_slice %[[S]] into
func.func @insert_in_parallel(%p: tensor<1x4xf64>, %x: tensor<1x4x2xf64>) -> tensor<1x4x2xf64> {
  %y = scf.forall (%i) in (2) shared_outs(%o = %x) -> tensor<1x4x2xf64> {
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %p into %o[0, 0, %i] [1, 4, 1] [1, 1, 1] : tensor<1x4xf64> into tensor<1x4x2xf64>
    }
  }
  return %y : tensor<1x4x2xf64>
}

// Where the first unit dimensions are dropped, whatever becomes known, slices stay:
// upstream mistakes none of these.
// CHECK-LABEL: @stay(
// CHECK-NOT:     _shape
func.func @stay(%x: tensor<?x?x?xf64>, %z: tensor<4x1x4xf64>, %i: index, %n: index)
    -> (tensor<?x4xf64>, tensor<1x4xf64>, tensor<?xf64>, tensor<3xf64>, tensor<f64>, tensor<?x?x?xf64>) {
  // The first one is dropped.
  %a = tensor.extract_slice %x[%i, 0, 0] [1, %n, 4] [1, 1, 1] : tensor<?x?x?xf64> to tensor<?x4xf64>
  // Which of two that are next to each other does not matter.
  %b = tensor.extract_slice %z[%i, 0, 0] [1, 1, 4] [1, 1, 1] : tensor<4x1x4xf64> to tensor<1x4xf64>
  %c = tensor.extract_slice %x[0, %i, 0] [%n, 1, 1] [1, 1, 1] : tensor<?x?x?xf64> to tensor<?xf64>
  // What is in front is not 1.
  %d = tensor.extract_slice %x[0, %i, 0] [3, 1, 1] [1, 1, 1] : tensor<?x?x?xf64> to tensor<3xf64>
  // All are dropped, or none.
  %e = tensor.extract_slice %x[%i, %i, 0] [1, 1, 1] [1, 1, 1] : tensor<?x?x?xf64> to tensor<f64>
  %f = tensor.insert_slice %x into %x[0, 0, 0] [%n, %n, %n] [1, 1, 1] : tensor<?x?x?xf64> into tensor<?x?x?xf64>
  return %a, %b, %c, %d, %e, %f : tensor<?x4xf64>, tensor<1x4xf64>, tensor<?xf64>, tensor<3xf64>, tensor<f64>, tensor<?x?x?xf64>
}

// Along a size of 1 no stride is taken. A buffer would have it, and upstream
// could not tell which dimension was dropped.
// CHECK-LABEL: @strides(
// CHECK-SAME:    %[[X:.*]]: tensor<?x1xf64>, %[[Y:.*]]: tensor<1x4xf64>, %[[Z:.*]]: tensor<8x?xf64>, %[[D:.*]]: index)
// CHECK:         tensor.extract_slice %[[X]][1, 0] [1, 1] [1, 1] : tensor<?x1xf64> to tensor<1xf64>
// CHECK:         tensor.insert_slice %[[Y]] into %[[Z]][0, 0] [1, 4] [1, %[[D]]] : tensor<1x4xf64> into tensor<8x?xf64>
func.func @strides(%x: tensor<?x1xf64>, %y: tensor<1x4xf64>, %z: tensor<8x?xf64>, %d: index) -> (tensor<1xf64>, tensor<8x?xf64>) {
  %a = tensor.extract_slice %x[1, 0] [1, 1] [%d, %d] : tensor<?x1xf64> to tensor<1xf64>
  %b = tensor.insert_slice %y into %z[0, 0] [1, 4] [%d, %d] : tensor<1x4xf64> into tensor<8x?xf64>
  return %a, %b : tensor<1xf64>, tensor<8x?xf64>
}
