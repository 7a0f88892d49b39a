// RUN: memrev-opt %s -rev-differentiate="function=fill" | FileCheck %s --check-prefix=FILL
// RUN: memrev-opt %s -rev-differentiate="function=broadcast" | FileCheck %s --check-prefix=BROADCAST
// RUN: memrev-opt %s -rev-differentiate="function=transpose" | FileCheck %s --check-prefix=TRANSPOSE
// RUN: memrev-opt %s -rev-differentiate="function=reduce" | FileCheck %s --check-prefix=REDUCE
// RUN: memrev-opt %s -rev-differentiate="function=sum_of_squares wrt=0" | FileCheck %s --check-prefix=SQUARES
// RUN: memrev-opt %s -rev-differentiate="function=copy" | FileCheck %s --check-prefix=COPY

// FILL-LABEL: func.func @fill_vjp(
// FILL-SAME:    %[[DY:[a-z0-9]*]]: tensor<2x3xf32>) -> f32
// FILL:         %[[SUM:.*]] = linalg.generic {{.*}}iterator_types = ["reduction", "reduction"]} ins(%[[DY]] :
// FILL:         %[[DX:.*]] = tensor.extract %[[SUM]][]
// FILL:         return %[[DX]]
func.func @fill(%x: f32) -> tensor<2x3xf32> {
  %e = tensor.empty() : tensor<2x3xf32>
  %y = linalg.fill ins(%x : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// The second use adds to the sum of the first in place.
// BROADCAST-LABEL: func.func @broadcast_vjp(
// BROADCAST-SAME:    %[[X:.*]]: tensor<3xf32>, %[[DY0:.*]]: tensor<3x4xf32>, %[[DY1:.*]]: tensor<2x3xf32>)
// BROADCAST:         %[[ZEROS:.*]] = linalg.fill
// BROADCAST:         %[[ROWS:.*]] = linalg.reduce { arith.addf } ins(%[[DY1]] : tensor<2x3xf32>) outs(%[[ZEROS]] : tensor<3xf32>) dimensions = [0]
// BROADCAST:         %[[DX:.*]] = linalg.reduce { arith.addf } ins(%[[DY0]] : tensor<3x4xf32>) outs(%[[ROWS]] : tensor<3xf32>) dimensions = [1]
// BROADCAST:         return %[[DX]]
func.func @broadcast(%x: tensor<3xf32>) -> (tensor<3x4xf32>, tensor<2x3xf32>) {
  %e = tensor.empty() : tensor<3x4xf32>
  %f = tensor.empty() : tensor<2x3xf32>
  %y = linalg.broadcast ins(%x : tensor<3xf32>) outs(%e : tensor<3x4xf32>) dimensions = [1]
  %z = linalg.broadcast ins(%x : tensor<3xf32>) outs(%f : tensor<2x3xf32>) dimensions = [0]
  return %y, %z : tensor<3x4xf32>, tensor<2x3xf32>
}

// TRANSPOSE-LABEL: func.func @transpose_vjp(
// TRANSPOSE-SAME:    %[[DY:[a-z0-9]*]]: tensor<4x2x3xf32>) ->
// TRANSPOSE:         linalg.transpose ins(%[[DY]] : {{.*}}) outs({{.*}} : tensor<2x3x4xf32>) permutation = [1, 2, 0]
func.func @transpose(%x: tensor<2x3x4xf32>) -> tensor<4x2x3xf32> {
  %e = tensor.empty() : tensor<4x2x3xf32>
  %y = linalg.transpose ins(%x : tensor<2x3x4xf32>) outs(%e : tensor<4x2x3xf32>) permutation = [2, 0, 1]
  return %y : tensor<4x2x3xf32>
}

// REDUCE-LABEL: func.func @reduce_vjp(
// REDUCE-SAME:    %[[DY:[a-z0-9]*]]: tensor<3xf32>) ->
// REDUCE:         %[[DX:.*]] = linalg.broadcast ins(%[[DY]] : tensor<3xf32>) outs({{.*}} : tensor<2x3x4xf32>) dimensions = [0, 2]
// REDUCE:         return %[[DX]], %[[DY]]
func.func @reduce(%x: tensor<2x3x4xf32>, %i: tensor<3xf32>) -> tensor<3xf32> {
  %y = linalg.reduce ins(%x : tensor<2x3x4xf32>) outs(%i : tensor<3xf32>) dimensions = [0, 2]
    (%in: f32, %sum: f32) {
      %s = arith.addf %in, %sum : f32
      linalg.yield %s : f32
    }
  return %y : tensor<3xf32>
}

// What is summed can be any expression of the elements.
// SQUARES-LABEL: func.func @sum_of_squares_vjp(
// SQUARES-NOT:     linalg.broadcast
// SQUARES:         linalg.generic
// SQUARES:           arith.mulf
// SQUARES:         return
func.func @sum_of_squares(%x: tensor<2x3xf32>, %i: tensor<3xf32>) -> tensor<3xf32> {
  %y = linalg.reduce ins(%x : tensor<2x3xf32>) outs(%i : tensor<3xf32>) dimensions = [0]
    (%in: f32, %sum: f32) {
      %p = arith.mulf %in, %in : f32
      %s = arith.addf %p, %sum : f32
      linalg.yield %s : f32
    }
  return %y : tensor<3xf32>
}

// A copy that casts casts the cotangent back.
// COPY-LABEL: func.func @copy_vjp(
// COPY-SAME:    %[[DY:[a-z0-9]*]]: tensor<3xf64>) -> tensor<3xf32>
// COPY:         %[[DX:.*]] = linalg.copy ins(%[[DY]] : tensor<3xf64>) outs({{.*}} : tensor<3xf32>)
// COPY:         return %[[DX]]
func.func @copy(%x: tensor<3xf32>) -> tensor<3xf64> {
  %e = tensor.empty() : tensor<3xf64>
  %y = linalg.copy ins(%x : tensor<3xf32>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  return %y : tensor<3xf64>
}
