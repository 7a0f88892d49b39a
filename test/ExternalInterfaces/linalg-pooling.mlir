// RUN: memrev-opt %s -rev-differentiate="function=sum" | FileCheck %s --check-prefix=SUM
// RUN: memrev-opt %s -rev-differentiate="function=max" | FileCheck %s --check-prefix=MAX
// RUN: memrev-opt %s -rev-differentiate="function=max wrt=0" | FileCheck %s --check-prefix=INPUT
// RUN: memrev-opt %s -rev-differentiate="function=tiles wrt=0" | FileCheck %s --check-prefix=TILES
// RUN: memrev-opt %s -rev-differentiate="function=empty wrt=0" | FileCheck %s --check-prefix=EMPTY

// Each tap of the window adds the cotangent to a strided slice: overlapping
// windows add up, and nothing of the forward part is read.
// SUM-LABEL: func.func @sum_vjp(
// SUM-SAME:    %[[DY:[a-z0-9]*]]: tensor<1x3x2x4xf32>) ->
// SUM-NOT:     linalg.pooling
// SUM:         %[[ZEROS:.*]] = linalg.fill
// SUM:         %[[PART:.*]] = tensor.extract_slice %[[ZEROS]][0, 0, 0, 0] [1, 3, 2, 4] [1, 2, 1, 1]
// SUM:         %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[DY]] : {{.*}}) outs(%[[PART]] :
// SUM:         tensor.insert_slice %[[SUM]] into %[[ZEROS]][0, 0, 0, 0] [1, 3, 2, 4] [1, 2, 1, 1]
// SUM:         tensor.insert_slice {{.*}}[0, 0, 2, 0] [1, 3, 2, 4] [1, 2, 1, 1]
// SUM:         tensor.insert_slice {{.*}}[0, 1, 0, 0] [1, 3, 2, 4] [1, 2, 1, 1]
// SUM:         tensor.insert_slice {{.*}}[0, 1, 2, 0] [1, 3, 2, 4] [1, 2, 1, 1]
// SUM:         %[[DX:.*]] = tensor.insert_slice {{.*}}[0, 2, 2, 0] [1, 3, 2, 4] [1, 2, 1, 1]
// SUM:         return %[[DX]], %[[DY]]
func.func @sum(%x: tensor<1x7x4x4xf32>, %i: tensor<1x3x2x4xf32>) -> tensor<1x3x2x4xf32> {
  %k = tensor.empty() : tensor<3x2xf32>
  %y = linalg.pooling_nhwc_sum {strides = dense<[2, 1]> : tensor<2xi64>, dilations = dense<[1, 2]> : tensor<2xi64>}
      ins(%x, %k : tensor<1x7x4x4xf32>, tensor<3x2xf32>) outs(%i : tensor<1x3x2x4xf32>) -> tensor<1x3x2x4xf32>
  return %y : tensor<1x3x2x4xf32>
}

// One pass finds the winner of each window, -1 being the starting value; each
// tap then adds what it won.
// MAX-LABEL: func.func @max_vjp(
// MAX-SAME:    %[[X:.*]]: tensor<1x7x5x4xf32>, %[[INIT:.*]]: tensor<1x3x2x4xf32>, %[[DY:.*]]: tensor<1x3x2x4xf32>)
// MAX:         %[[NONE:.*]] = arith.constant -1 : i32
// MAX:         %[[NUMBERS:.*]] = linalg.fill ins(%[[NONE]]
// MAX:         %[[W:.*]]:2 = linalg.generic {{.*}} ins(%[[X]], {{.*}}) outs(%[[INIT]], %[[NUMBERS]] :
// MAX:           linalg.index 4
// MAX:           linalg.index 5
// MAX:           arith.cmpf ogt
// MAX:         tensor.extract_slice {{.*}}[0, 0, 0, 0] [1, 3, 2, 4] [1, 2, 2, 1]
// MAX:         linalg.generic {{.*}} ins(%[[DY]], %[[W]]#1 :
// MAX:           arith.constant 0 : i32
// MAX:         tensor.insert_slice
// MAX:           arith.constant 5 : i32
// MAX:         %[[DX:.*]] = tensor.insert_slice {{.*}}[0, 2, 1, 0] [1, 3, 2, 4] [1, 2, 2, 1]
// MAX:         %[[DINIT:.*]] = linalg.generic {{.*}} ins(%[[DY]], %[[W]]#1 :
// MAX:           arith.constant -1 : i32
// MAX:         return %[[DX]], %[[DINIT]]

// INPUT-LABEL: func.func @max_vjp(
// INPUT:         tensor.insert_slice {{.*}}[0, 2, 1, 0]
// INPUT-NOT:     linalg.generic
// INPUT:         return
func.func @max(%x: tensor<1x7x5x4xf32>, %i: tensor<1x3x2x4xf32>) -> tensor<1x3x2x4xf32> {
  %k = tensor.empty() : tensor<3x2xf32>
  %y = linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>}
      ins(%x, %k : tensor<1x7x5x4xf32>, tensor<3x2xf32>) outs(%i : tensor<1x3x2x4xf32>) -> tensor<1x3x2x4xf32>
  return %y : tensor<1x3x2x4xf32>
}

// Windows side by side take one pass, over what they cover.
// TILES-DAG:   #[[$READ:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d3, d5)>
// TILES-LABEL: func.func @tiles_vjp(
// TILES:         %[[W:.*]]:2 = linalg.generic
// TILES:         %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<?x7x5x4xf32>
// TILES:         %[[PART:.*]] = tensor.extract_slice %[[ZEROS]][0, 0, 0, 0] [%{{.*}}, 6, 5, 4] [1, 1, 1, 1]
// TILES:         %[[SPLIT:.*]] = tensor.expand_shape %[[PART]] {{\[\[}}0], [1, 2], [3, 4], [5]] output_shape [%{{.*}}, 3, 2, 1, 5, 4]
// TILES:         %[[ADDED:.*]] = linalg.generic {indexing_maps = [#[[$READ]], #[[$READ]], {{.*}} ins({{.*}}, %[[W]]#1 : {{.*}}) outs(%[[SPLIT]] :
// TILES:           linalg.index 2
// TILES:           linalg.index 4
// TILES:         %[[JOINED:.*]] = tensor.collapse_shape %[[ADDED]]
// TILES:         tensor.insert_slice %[[JOINED]] into %[[ZEROS]][0, 0, 0, 0]
// TILES-NOT:     tensor.insert_slice
// TILES:         return
func.func @tiles(%x: tensor<?x7x5x4xf32>, %i: tensor<?x3x1x4xf32>) -> tensor<?x3x1x4xf32> {
  %k = tensor.empty() : tensor<2x5xf32>
  %y = linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>}
      ins(%x, %k : tensor<?x7x5x4xf32>, tensor<2x5xf32>) outs(%i : tensor<?x3x1x4xf32>) -> tensor<?x3x1x4xf32>
  return %y : tensor<?x3x1x4xf32>
}

// Without windows the gradient is zero.
// EMPTY-LABEL: func.func @empty_vjp(
// EMPTY-NOT:     tensor.insert_slice
// EMPTY:         %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<1x2x4x1xf32>
// EMPTY:         return %[[ZEROS]]
func.func @empty(%x: tensor<1x2x4x1xf32>, %i: tensor<1x0x3x1xf32>) -> tensor<1x0x3x1xf32> {
  %k = tensor.empty() : tensor<3x2xf32>
  %y = linalg.pooling_nhwc_sum
      ins(%x, %k : tensor<1x2x4x1xf32>, tensor<3x2xf32>) outs(%i : tensor<1x0x3x1xf32>) -> tensor<1x0x3x1xf32>
  return %y : tensor<1x0x3x1xf32>
}
