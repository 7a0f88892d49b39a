// RUN: memrev-opt %s -codegen-expand-tensor-ops | FileCheck %s

// A gather is one parallel operation that reads its source anywhere.
// CHECK-LABEL: @gather(
// CHECK-SAME:    %[[X:.*]]: tensor<5x?x7xf32>, %[[I:.*]]: tensor<?x1xi32>)
// CHECK:         %[[N:.*]] = tensor.dim %[[I]], %{{.*}}
// CHECK:         %[[M:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK:         tensor.empty(%[[N]], %[[M]]) : tensor<?x?x7xf32>
// CHECK:         linalg.generic {{.*}}["parallel", "parallel", "parallel"]
// CHECK-DAG:       %[[D0:.*]] = linalg.index 0
// CHECK-DAG:       %[[COORDINATE:.*]] = tensor.extract %[[I]][%[[D0]], %{{.*}}]
// CHECK-DAG:       %[[ROW:.*]] = arith.index_cast %[[COORDINATE]] : i32 to index
// CHECK-DAG:       %[[D1:.*]] = linalg.index 1
// CHECK-DAG:       %[[D2:.*]] = linalg.index 2
// CHECK:           tensor.extract %[[X]][%[[ROW]], %[[D1]], %[[D2]]]
// CHECK-NOT:     tensor.gather
func.func @gather(%x: tensor<5x?x7xf32>, %i: tensor<?x1xi32>) -> tensor<?x?x7xf32> {
  %y = tensor.gather %x[%i] gather_dims([0]) : (tensor<5x?x7xf32>, tensor<?x1xi32>) -> tensor<?x?x7xf32>
  return %y : tensor<?x?x7xf32>
}

// A scatter writes slice after slice into its destination.
// CHECK-LABEL: @scatter(
// CHECK-SAME:    %[[X:.*]]: tensor<2x1x7xf32>, %[[D:.*]]: tensor<5x7xf32>, %[[I:.*]]: tensor<2x1xindex>)
// CHECK:         scf.for %[[K:.*]] = {{.*}} iter_args(%[[SUM:.*]] = %[[D]])
// CHECK:           %[[ROW:.*]] = tensor.extract %[[I]][%[[K]], %{{.*}}]
// CHECK:           %[[PART:.*]] = tensor.extract_slice %[[X]][%[[K]], 0, 0] [1, 1, 7]
// CHECK:           tensor.insert_slice %[[PART]] into %[[SUM]][%[[ROW]], 0] [1, 7]
func.func @scatter(%x: tensor<2x1x7xf32>, %d: tensor<5x7xf32>, %i: tensor<2x1xindex>) -> tensor<5x7xf32> {
  %y = tensor.scatter %x into %d[%i] scatter_dims([0]) unique
      : (tensor<2x1x7xf32>, tensor<5x7xf32>, tensor<2x1xindex>) -> tensor<5x7xf32>
  return %y : tensor<5x7xf32>
}

// CHECK-LABEL: @scatter_nothing(
// CHECK-SAME:    %{{.*}}: tensor<2x0xf32>, %[[D:.*]]: tensor<5x0xf32>
// CHECK-NEXT:    return %[[D]]
func.func @scatter_nothing(%x: tensor<2x0xf32>, %d: tensor<5x0xf32>, %i: tensor<2x1xindex>) -> tensor<5x0xf32> {
  %y = tensor.scatter %x into %d[%i] scatter_dims([0]) unique
      : (tensor<2x0xf32>, tensor<5x0xf32>, tensor<2x1xindex>) -> tensor<5x0xf32>
  return %y : tensor<5x0xf32>
}

// CHECK-LABEL: @scatter_elements(
// CHECK:         scf.for
// CHECK:           tensor.extract
// CHECK:           tensor.insert
// CHECK-NOT:       insert_slice
func.func @scatter_elements(%x: tensor<2xf32>, %d: tensor<5x7xf32>, %i: tensor<2x2xindex>) -> tensor<5x7xf32> {
  %y = tensor.scatter %x into %d[%i] scatter_dims([0, 1]) unique
      : (tensor<2xf32>, tensor<5x7xf32>, tensor<2x2xindex>) -> tensor<5x7xf32>
  return %y : tensor<5x7xf32>
}

// CHECK-LABEL: @bitcasts(
// CHECK:         tensor.cast %{{.*}} : tensor<?xf32> to tensor<4xf32>
// CHECK:         arith.bitcast %{{.*}} : tensor<4xf32> to tensor<4xi32>
func.func @bitcasts(%x: tensor<?xf32>) -> tensor<4xi32> {
  %y = tensor.bitcast %x : tensor<?xf32> to tensor<4xf32>
  %z = tensor.bitcast %y : tensor<4xf32> to tensor<4xi32>
  return %z : tensor<4xi32>
}

// arith has no signs, so there is nothing to expand it to.
// CHECK-LABEL: @bitcast_of_signs(
// CHECK:         tensor.bitcast
func.func @bitcast_of_signs(%x: tensor<4xui32>) -> tensor<4xi32> {
  %y = tensor.bitcast %x : tensor<4xui32> to tensor<4xi32>
  return %y : tensor<4xi32>
}

// Sizes that are a tensor are read from it; several in a group mean a copy.
// CHECK-LABEL: @reshape(
// CHECK-SAME:    %[[X:.*]]: tensor<?x4xf32>, %[[S:.*]]: tensor<2xi32>)
// CHECK:         %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1]]
// CHECK:         tensor.extract %[[S]]
// CHECK:         tensor.expand_shape %[[FLAT]] {{\[\[}}0, 1]] output_shape [3, %{{.*}}]
func.func @reshape(%x: tensor<?x4xf32>, %s: tensor<2xi32>) -> tensor<3x?xf32> {
  %y = tensor.reshape %x(%s) : (tensor<?x4xf32>, tensor<2xi32>) -> tensor<3x?xf32>
  return %y : tensor<3x?xf32>
}

// CHECK-LABEL: @reshape_scalars(
// CHECK:         tensor.collapse_shape %{{.*}} [] : tensor<1xf32> into tensor<f32>
// CHECK:         tensor.expand_shape %{{.*}} [] output_shape [1] : tensor<f32> into tensor<1xf32>
// CHECK:         tensor.expand_shape %{{.*}} {{\[\[}}0, 1]] output_shape [1, 1]
func.func @reshape_scalars(%x: tensor<1xf32>, %none: tensor<0xindex>, %ones: tensor<2xindex>) -> tensor<1x1xf32> {
  %y = tensor.reshape %x(%none) : (tensor<1xf32>, tensor<0xindex>) -> tensor<f32>
  %z = tensor.reshape %y(%ones) : (tensor<f32>, tensor<2xindex>) -> tensor<1x1xf32>
  return %z : tensor<1x1xf32>
}

// CHECK-LABEL: @expand_dynamic(
// CHECK-SAME:    %[[X:.*]]: tensor<?xf32>, %[[N:.*]]: index, %[[M:.*]]: index)
// CHECK:         linalg.generic {{.*}}["parallel", "parallel"]
// CHECK:           %[[I:.*]] = linalg.index 0
// CHECK:           %[[J:.*]] = linalg.index 1
// CHECK:           %[[ROWS:.*]] = arith.muli %[[I]], %[[M]]
// CHECK:           %[[AT:.*]] = arith.addi %[[ROWS]], %[[J]]
// CHECK:           tensor.extract %[[X]][%[[AT]]]
func.func @expand_dynamic(%x: tensor<?xf32>, %n: index, %m: index) -> tensor<?x?xf32> {
  %y = tensor.expand_shape %x [[0, 1]] output_shape [%n, %m] : tensor<?xf32> into tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// CHECK-LABEL: @expand(
// CHECK:         tensor.expand_shape
func.func @expand(%x: tensor<?xf32>, %n: index) -> tensor<?x2xf32> {
  %y = tensor.expand_shape %x [[0, 1]] output_shape [%n, 2] : tensor<?xf32> into tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// CHECK-LABEL: @pad_negative(
// CHECK:         %[[S:.*]] = tensor.extract_slice %{{.*}}[1, 0] [2, 3] [1, 1]
// CHECK:         tensor.pad %[[S]] low[0, 2] high[1, 0]
func.func @pad_negative(%x: tensor<3x4xf32>, %v: f32) -> tensor<3x5xf32> {
  %y = tensor.pad %x low[-1, 2] high[1, -1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %v : f32
  } : tensor<3x4xf32> to tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// Nothing is kept: only the padding is left, whose place does not change.
// CHECK-LABEL: @pad_nothing(
// CHECK-NOT:     tensor.pad
// CHECK:         tensor.generate
// CHECK:         } : tensor<5x4xindex>
func.func @pad_nothing(%x: tensor<3x4xindex>) -> tensor<5x4xindex> {
  %y = tensor.pad %x low[6, 0] high[-4, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %i : index
  } : tensor<3x4xindex> to tensor<5x4xindex>
  return %y : tensor<5x4xindex>
}

// CHECK-LABEL: @pad(
// CHECK:         tensor.pad
func.func @pad(%x: tensor<3xf32>, %v: f32) -> tensor<5xf32> {
  %y = tensor.pad %x low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %v : f32
  } : tensor<3xf32> to tensor<5xf32>
  return %y : tensor<5xf32>
}

// CHECK-LABEL: @concat_empty(
// CHECK-SAME:    %[[X:.*]]: tensor<2x3xf32>
// CHECK-NOT:     tensor.concat
// CHECK:         return %[[X]]
func.func @concat_empty(%x: tensor<2x3xf32>, %e: tensor<2x0xf32>) -> tensor<2x3xf32> {
  %y = tensor.concat dim(1) %e, %x, %e : (tensor<2x0xf32>, tensor<2x3xf32>, tensor<2x0xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
