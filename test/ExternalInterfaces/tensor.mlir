// RUN: memrev-opt %s -rev-differentiate="function=extract" | FileCheck %s --check-prefix=EXTRACT
// RUN: memrev-opt %s -rev-differentiate="function=insert" | FileCheck %s --check-prefix=INSERT
// RUN: memrev-opt %s -rev-differentiate="function=from_elements" | FileCheck %s --check-prefix=ELEMENTS
// RUN: memrev-opt %s -rev-differentiate="function=splat" | FileCheck %s --check-prefix=SPLAT
// RUN: memrev-opt %s -rev-differentiate="function=reshapes" | FileCheck %s --check-prefix=RESHAPES
// RUN: memrev-opt %s -rev-differentiate="function=collapse_dynamic" | FileCheck %s --check-prefix=DYNAMIC

// EXTRACT-LABEL: func.func @extract_vjp(
// EXTRACT-SAME:    %[[X:.*]]: tensor<4xf32>, %[[I:.*]]: index, %[[DY:.*]]: f32)
// EXTRACT:         %[[ZEROS:.*]] = linalg.fill
// EXTRACT:         %[[OLD:.*]] = tensor.extract %[[ZEROS]][%[[I]]]
// EXTRACT:         %[[NEW:.*]] = arith.addf %[[OLD]], %[[DY]]
// EXTRACT:         %[[DX:.*]] = tensor.insert %[[NEW]] into %[[ZEROS]][%[[I]]]
// EXTRACT:         return %[[DX]]
func.func @extract(%x: tensor<4xf32>, %i: index) -> f32 {
  %y = tensor.extract %x[%i] : tensor<4xf32>
  return %y : f32
}

// The element that was overwritten has no influence.
// INSERT-LABEL: func.func @insert_vjp(
// INSERT-SAME:    %[[I:[a-z0-9]*]]: index, %[[DY:[a-z0-9]*]]: tensor<4xf32>)
// INSERT:         %[[DX:.*]] = tensor.extract %[[DY]][%[[I]]]
// INSERT:         %[[ZERO:.*]] = arith.constant 0.0
// INSERT:         %[[DT:.*]] = tensor.insert %[[ZERO]] into %[[DY]][%[[I]]]
// INSERT:         return %[[DX]], %[[DT]]
func.func @insert(%x: f32, %t: tensor<4xf32>, %i: index) -> tensor<4xf32> {
  %y = tensor.insert %x into %t[%i] : tensor<4xf32>
  return %y : tensor<4xf32>
}

// ELEMENTS-LABEL: func.func @from_elements_vjp(
// ELEMENTS-SAME:    %[[DY:[a-z0-9]*]]: tensor<2x2xf32>)
// ELEMENTS-DAG:     %[[C0:.*]] = arith.constant 0 : index
// ELEMENTS-DAG:     tensor.extract %[[DY]][%[[C0]], %{{.*}}]
// ELEMENTS:         tensor.extract %[[DY]]
// ELEMENTS:         arith.addf
// ELEMENTS-NOT:     tensor.extract
// ELEMENTS:         return
func.func @from_elements(%x: f32) -> tensor<2x2xf32> {
  %c = arith.constant 1.0 : f32
  %y = tensor.from_elements %x, %c, %c, %x : tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// SPLAT-LABEL: func.func @splat_vjp(
// SPLAT:         linalg.generic {{.*}}iterator_types = ["reduction"]}
func.func @splat(%x: f32) -> tensor<4xf32> {
  %y = tensor.splat %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// A reshape's cotangent is the reshaped one: no arithmetic, no copy.
// RESHAPES-LABEL: func.func @reshapes_vjp(
// RESHAPES-SAME:    %[[DY:[a-z0-9]*]]: tensor<2x2xf32>)
// RESHAPES:         %[[CAST:.*]] = tensor.cast %[[DY]] : tensor<2x2xf32> to tensor<?x2xf32>
// RESHAPES:         %[[FLAT:.*]] = tensor.collapse_shape %[[CAST]] {{\[\[}}0, 1]] : tensor<?x2xf32> into tensor<?xf32>
// RESHAPES:         %[[BACK:.*]] = tensor.cast %[[FLAT]] : tensor<?xf32> to tensor<4xf32>
// RESHAPES:         %[[DX:.*]] = tensor.expand_shape %[[BACK]] {{\[\[}}0, 1]] output_shape [4, 1]
// RESHAPES:         return %[[DX]]
func.func @reshapes(%x: tensor<4x1xf32>) -> tensor<2x2xf32> {
  %c2 = arith.constant 2 : index
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<4x1xf32> into tensor<4xf32>
  %cast = tensor.cast %flat : tensor<4xf32> to tensor<?xf32>
  %square = tensor.expand_shape %cast [[0, 1]] output_shape [%c2, 2] : tensor<?xf32> into tensor<?x2xf32>
  %y = tensor.cast %square : tensor<?x2xf32> to tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// DYNAMIC-LABEL: func.func @collapse_dynamic_vjp(
// DYNAMIC-SAME:    %[[X:.*]]: tensor<?x?xf32>, %[[DY:.*]]: tensor<?xf32>)
// DYNAMIC:         %[[N:.*]] = tensor.dim %[[X]]
// DYNAMIC:         %[[M:.*]] = tensor.dim %[[X]]
// DYNAMIC:         tensor.expand_shape %[[DY]] {{\[\[}}0, 1]] output_shape [%[[N]], %[[M]]]
func.func @collapse_dynamic(%x: tensor<?x?xf32>) -> tensor<?xf32> {
  %y = tensor.collapse_shape %x [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  return %y : tensor<?xf32>
}
