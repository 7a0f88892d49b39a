// RUN: memrev-opt %s -rev-differentiate="function=gather" | FileCheck %s --check-prefix=GATHER
// RUN: memrev-opt %s -rev-differentiate="function=scatter" | FileCheck %s --check-prefix=SCATTER
// RUN: memrev-opt %s -rev-differentiate="function=generate" | FileCheck %s --check-prefix=GENERATE
// RUN: memrev-opt %s -rev-differentiate="function=pad_computed" | FileCheck %s --check-prefix=PAD

// Coordinates may repeat, so slices add up one after the other, in place.
// GATHER-LABEL: func.func @gather_vjp(
// GATHER-SAME:    %{{.*}}: tensor<5x7xf32>, %[[I:.*]]: tensor<2x1xindex>, %[[DY:.*]]: tensor<2x7xf32>)
// GATHER:         %[[ZEROS:.*]] = linalg.fill
// GATHER:         %[[DX:.*]] = scf.for %[[K:.*]] = {{.*}} iter_args(%[[SUM:.*]] = %[[ZEROS]])
// GATHER:           %[[ROW:.*]] = tensor.extract %[[I]][%[[K]], %{{.*}}]
// GATHER:           %[[PART:.*]] = tensor.extract_slice %[[DY]][%[[K]], 0]
// GATHER:           %[[OLD:.*]] = tensor.extract_slice %[[SUM]][%[[ROW]], 0]
// GATHER:           %[[NEW:.*]] = linalg.generic {{.*}} ins(%[[PART]] : {{.*}}) outs(%[[OLD]] :
// GATHER:           tensor.insert_slice %[[NEW]] into %[[SUM]][%[[ROW]], 0]
// GATHER:         return %[[DX]]
func.func @gather(%x: tensor<5x7xf32>, %i: tensor<2x1xindex>) -> tensor<2x7xf32> {
  %y = tensor.gather %x[%i] gather_dims([0]) : (tensor<5x7xf32>, tensor<2x1xindex>) -> tensor<2x7xf32>
  return %y : tensor<2x7xf32>
}

// SCATTER-LABEL: func.func @scatter_vjp(
// SCATTER-SAME:    %[[I:[a-z0-9]*]]: tensor<2x1xindex>, %[[DY:[a-z0-9]*]]: tensor<5x7xf32>)
// SCATTER:         %[[DS:.*]] = tensor.gather %[[DY]][%[[I]]] gather_dims([0]) unique
// SCATTER:         %[[ZEROS:.*]] = linalg.fill
// SCATTER:         %[[DX:.*]] = tensor.scatter %[[ZEROS]] into %[[DY]][%[[I]]] scatter_dims([0]) unique
// SCATTER:         return %[[DS]], %[[DX]]
func.func @scatter(%s: tensor<2x7xf32>, %x: tensor<5x7xf32>, %i: tensor<2x1xindex>) -> tensor<5x7xf32> {
  %y = tensor.scatter %s into %x[%i] scatter_dims([0]) unique
      : (tensor<2x7xf32>, tensor<5x7xf32>, tensor<2x1xindex>) -> tensor<5x7xf32>
  return %y : tensor<5x7xf32>
}

// A captured tensor is updated in place, a captured scalar carried.
// GENERATE-LABEL: func.func @generate_vjp(
// GENERATE-SAME:    %[[X:[a-z0-9]*]]: tensor<4xf32>, %[[A:[a-z0-9]*]]: f32, %[[DY:[a-z0-9]*]]: tensor<4xf32>)
// GENERATE:         scf.for %[[I:.*]] = {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}, %[[SCALAR:.*]] = %{{.*}})
// GENERATE-DAG:       %[[D:.*]] = tensor.extract %[[DY]][%[[I]]]
// GENERATE-DAG:       %[[E:.*]] = tensor.extract %[[X]][%[[I]]]
// GENERATE-DAG:       %[[DA:.*]] = arith.mulf %[[D]], %[[E]]
// GENERATE-DAG:       %[[NEXT:.*]] = arith.addf %[[SCALAR]], %[[DA]]
// GENERATE-DAG:       %[[OLD:.*]] = tensor.extract %[[SUM]][%[[I]]]
// GENERATE:           %[[NEW:.*]] = tensor.insert %{{.*}} into %[[SUM]][%[[I]]]
// GENERATE:           scf.yield %[[NEW]], %[[NEXT]]
func.func @generate(%x: tensor<4xf32>, %a: f32) -> tensor<4xf32> {
  %y = tensor.generate {
  ^bb0(%i: index):
    %e = tensor.extract %x[%i] : tensor<4xf32>
    %p = arith.mulf %e, %a : f32
    tensor.yield %p : f32
  } : tensor<4xf32>
  return %y : tensor<4xf32>
}

// The region is evaluated in the margin alone.
// PAD-LABEL: func.func @pad_computed_vjp(
// PAD:         scf.for
// PAD:           scf.if
// PAD:             arith.mulf
// PAD:           } else {
func.func @pad_computed(%x: f32, %t: tensor<4xf32>) -> tensor<6xf32> {
  %y = tensor.pad %t low[1] high[1] {
  ^bb0(%i: index):
    %v = arith.mulf %x, %x : f32
    tensor.yield %v : f32
  } : tensor<4xf32> to tensor<6xf32>
  return %y : tensor<6xf32>
}
