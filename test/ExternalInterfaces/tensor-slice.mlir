// RUN: memrev-opt %s -rev-differentiate="function=extract_slice" | FileCheck %s --check-prefix=EXTRACT
// RUN: memrev-opt %s -rev-differentiate="function=weights wrt=1" | FileCheck %s --check-prefix=WEIGHTS
// RUN: memrev-opt %s -rev-differentiate="function=insert_slice" | FileCheck %s --check-prefix=INSERT
// RUN: memrev-opt %s -rev-differentiate="function=pad" | FileCheck %s --check-prefix=PAD
// RUN: memrev-opt %s -rev-differentiate="function=pad wrt=0" | FileCheck %s --check-prefix=CONSTANT
// RUN: memrev-opt %s -rev-differentiate="function=pad_negative" | FileCheck %s --check-prefix=NEGATIVE
// RUN: memrev-opt %s -rev-differentiate="function=concat" | FileCheck %s --check-prefix=CONCAT

// Two slices add to one buffer, each in its place.
// EXTRACT-LABEL: func.func @extract_slice_vjp(
// EXTRACT-SAME:    %[[I:[a-z0-9]*]]: index, %[[D0:[a-z0-9]*]]: tensor<4xf32>, %[[D1:[a-z0-9]*]]: tensor<2x2xf32>)
// EXTRACT:         %[[ZEROS:.*]] = linalg.fill
// EXTRACT:         %[[ROW:.*]] = tensor.extract_slice %[[ZEROS]][%[[I]], 0] [1, 4] [1, 1]
// EXTRACT:         %[[ROWS:.*]] = linalg.generic {{.*}} ins(%[[D0]] : {{.*}}) outs(%[[ROW]] :
// EXTRACT:         %[[DX0:.*]] = tensor.insert_slice %[[ROWS]] into %[[ZEROS]][%[[I]], 0] [1, 4] [1, 1]
// EXTRACT:         %[[BOX:.*]] = tensor.extract_slice %[[DX0]][0, 0] [2, 2] [2, 2]
// EXTRACT:         %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[D1]] : {{.*}}) outs(%[[BOX]] :
// EXTRACT:         %[[DX:.*]] = tensor.insert_slice %[[SUM]] into %[[DX0]][0, 0] [2, 2] [2, 2]
// EXTRACT:         return %[[DX]]
func.func @extract_slice(%x: tensor<3x4xf32>, %i: index) -> (tensor<4xf32>, tensor<2x2xf32>) {
  %y = tensor.extract_slice %x[%i, 0] [1, 4] [1, 1] : tensor<3x4xf32> to tensor<4xf32>
  %z = tensor.extract_slice %x[0, 0] [2, 2] [2, 2] : tensor<3x4xf32> to tensor<2x2xf32>
  return %y, %z : tensor<4xf32>, tensor<2x2xf32>
}

// The product accumulates into the slice of the gradient, through a reshape too.
// WEIGHTS-LABEL: func.func @weights_vjp(
// WEIGHTS:         scf.for
// WEIGHTS-SAME:      iter_args({{.*}}%[[DW:[a-z0-9]*]] = %{{[a-z0-9]*}}) ->
// WEIGHTS:           %[[SLICE:.*]] = tensor.extract_slice %[[DW]][%{{.*}}, 0] [1, 16] [1, 1]
// WEIGHTS:           %[[PART:.*]] = tensor.expand_shape %[[SLICE]]
// WEIGHTS:           %[[SUM:.*]] = linalg.matmul {{.*}} outs(%[[PART]] :
// WEIGHTS:           %[[FLAT:.*]] = tensor.collapse_shape %[[SUM]]
// WEIGHTS:           tensor.insert_slice %[[FLAT]] into %[[DW]][%{{.*}}, 0] [1, 16] [1, 1]
func.func @weights(%x: tensor<2x4xf32>, %w: tensor<3x16xf32>) -> tensor<2x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %e = arith.constant dense<0.0> : tensor<2x4xf32>
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> tensor<2x4xf32> {
    %s = tensor.extract_slice %w[%i, 0] [1, 16] [1, 1] : tensor<3x16xf32> to tensor<16xf32>
    %m = tensor.expand_shape %s [[0, 1]] output_shape [4, 4] : tensor<16xf32> into tensor<4x4xf32>
    %y = linalg.matmul ins(%a, %m : tensor<2x4xf32>, tensor<4x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
    scf.yield %y : tensor<2x4xf32>
  }
  return %r : tensor<2x4xf32>
}

// What was overwritten gets zeros.
// INSERT-LABEL: func.func @insert_slice_vjp(
// INSERT-SAME:    %[[DY:[a-z0-9]*]]: tensor<3x4xf32>) ->
// INSERT:         %[[DX:.*]] = tensor.extract_slice %[[DY]][1, 0] [1, 4] [1, 1] : tensor<3x4xf32> to tensor<4xf32>
// INSERT:         %[[ROW:.*]] = tensor.extract_slice %[[DY]][1, 0] [1, 4] [1, 1]
// INSERT:         %[[ZEROS:.*]] = linalg.fill ins({{.*}}) outs(%[[ROW]] :
// INSERT:         %[[DT:.*]] = tensor.insert_slice %[[ZEROS]] into %[[DY]][1, 0] [1, 4] [1, 1]
// INSERT:         return %[[DX]], %[[DT]]
func.func @insert_slice(%x: tensor<4xf32>, %t: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %y = tensor.insert_slice %x into %t[1, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// The padding value gets the sum of the margin.
// PAD-LABEL: func.func @pad_vjp(
// PAD-SAME:    %[[DY:[a-z0-9]*]]: tensor<5x5xf32>) ->
// PAD:         %[[DX:.*]] = tensor.extract_slice %[[DY]][1, 0] [3, 4] [1, 1]
// PAD:         linalg.fill
// PAD:         %[[MARGIN:.*]] = tensor.insert_slice {{.*}} into %[[DY]][1, 0] [3, 4] [1, 1]
// PAD:         linalg.generic {{.*}} ins(%[[MARGIN]] :
// PAD:         return %[[DX]]
// CONSTANT-LABEL: func.func @pad_vjp(
// CONSTANT-NOT:     linalg
// CONSTANT:         return
func.func @pad(%x: tensor<3x4xf32>, %v: f32) -> tensor<5x5xf32> {
  %y = tensor.pad %x low[1, 0] high[1, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %v : f32
  } : tensor<3x4xf32> to tensor<5x5xf32>
  return %y : tensor<5x5xf32>
}

// What a negative amount cuts off gets zeros.
// NEGATIVE-LABEL: func.func @pad_negative_vjp(
// NEGATIVE-SAME:    %[[DY:[a-z0-9]*]]: tensor<3x4xf32>) ->
// NEGATIVE:         %[[KEPT:.*]] = tensor.extract_slice %[[DY]][0, 2] [2, 2] [1, 1]
// NEGATIVE:         %[[ZEROS:.*]] = linalg.fill
// NEGATIVE:         tensor.extract_slice %[[ZEROS]][1, 0] [2, 2] [1, 1]
// NEGATIVE:         tensor.insert_slice {{.*}} into %[[ZEROS]][1, 0] [2, 2] [1, 1]
func.func @pad_negative(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %v = arith.constant 0.0 : f32
  %y = tensor.pad %x low[-1, 2] high[1, -2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %v : f32
  } : tensor<3x4xf32> to tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// CONCAT-LABEL: func.func @concat_vjp(
// CONCAT-SAME:    %[[X:.*]]: tensor<2x?xf32>, %[[Z:.*]]: tensor<2x3xf32>, %[[DY:.*]]: tensor<2x?xf32>)
// CONCAT:         %[[N:.*]] = tensor.dim %[[X]]
// CONCAT:         %[[DX:.*]] = tensor.extract_slice %[[DY]][0, 0] [2, %[[N]]] [1, 1]
// CONCAT:         %[[END:.*]] = arith.addi
// CONCAT:         %[[DZ:.*]] = tensor.extract_slice %[[DY]][0, %[[END]]] [2, 3] [1, 1]
// CONCAT:         return %[[DX]], %[[DZ]]
func.func @concat(%x: tensor<2x?xf32>, %z: tensor<2x3xf32>) -> tensor<2x?xf32> {
  %y = tensor.concat dim(1) %x, %z : (tensor<2x?xf32>, tensor<2x3xf32>) -> tensor<2x?xf32>
  return %y : tensor<2x?xf32>
}
