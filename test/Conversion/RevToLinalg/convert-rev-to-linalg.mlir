// RUN: memrev-opt %s -convert-rev-to-linalg -symbol-dce | FileCheck %s

// One elementwise operation takes the place of the coupled value.
// CHECK-LABEL: func.func @coupling(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<4xf32>, %[[C:[^:]*]]: tensor<4xf32>)
// CHECK:         %[[T:.*]] = math.tanh %[[C]]
// CHECK:         %[[Y:.*]] = linalg.generic {{.*}} ins(%[[T]] : tensor<4xf32>) outs(%[[X]] : tensor<4xf32>)
// CHECK:           arith.addf
// CHECK:         return %[[Y]]
func.func @coupling(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %y = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %t = math.tanh %a : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

// Auxiliary results are what the region computes.
// CHECK-LABEL: func.func @auxiliary(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<4xf32>, %[[C:[^:]*]]: tensor<4xf32>)
// CHECK:         %[[T:.*]] = math.tanh %[[C]]
// CHECK:         %[[U:.*]] = math.exp %[[T]]
// CHECK:         %[[Y:.*]] = linalg.generic {{.*}} ins(%[[T]] : tensor<4xf32>) outs(%[[X]] : tensor<4xf32>)
// CHECK:         return %[[Y]], %[[U]]
func.func @auxiliary(%x: tensor<4xf32>, %c: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %y, %u = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %t = math.tanh %a : tensor<4xf32>
    %u = math.exp %t : tensor<4xf32>
    rev.yield %t, %u : tensor<4xf32>, tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>) -> tensor<4xf32>
  return %y, %u : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @stop_gradient(
// CHECK-SAME:    %[[X:.*]]: f32)
// CHECK-NEXT:    return %[[X]]
func.func @stop_gradient(%x: f32) -> f32 {
  %0 = rev.stop_gradient %x : f32
  return %0 : f32
}

// CHECK-LABEL: func.func @custom(
// CHECK-NOT:     rev.custom
// CHECK-NOT:     @custom_jvp
func.func @custom(%x: f32) -> f32 attributes {rev.custom_jvp = @custom_jvp} {
  return %x : f32
}
func.func private @custom_jvp(%x: f32, %t: f32) -> (f32, f32) {
  return %x, %t : f32, f32
}

// Integer arithmetic on each element's number, for each of which the generator
// runs: ten rounds of two products, after one for the number.
// CHECK-LABEL: func.func @random_bits(
// CHECK-SAME:    %[[N:[^:]*]]: index,
// CHECK:         %[[E:.*]] = tensor.empty(%[[N]]) : tensor<4x?xi32>
// CHECK:         linalg.generic {{.*}} outs(%[[E]] : tensor<4x?xi32>)
// CHECK:           linalg.index 0
// CHECK:           linalg.index 1
// CHECK-COUNT-21:  arith.muli {{.*}} : i64
// CHECK-NOT:       arith.muli {{.*}} : i64
// CHECK:           linalg.yield
func.func @random_bits(%n: index, %seed: i64, %layer: index, %step: i32) -> tensor<4x?xi32> {
  %0 = rev.random_bits(%n) seed %seed layer %layer step %step : (index, i64, index, i32) -> tensor<4x?xi32>
  return %0 : tensor<4x?xi32>
}

// One pass over the elements; nothing but the result is written.
// CHECK-LABEL: func.func @dropout(
// CHECK:         linalg.generic {{.*}} ins(%{{.*}} : tensor<4xf32>) outs(%{{.*}} : tensor<4xf32>)
// CHECK:           %[[STAYS:.*]] = arith.cmpi sge
// CHECK:           %[[SCALED:.*]] = arith.mulf
// CHECK:           %[[Y:.*]] = arith.select %[[STAYS]], %[[SCALED]]
// CHECK:           linalg.yield %[[Y]]
// CHECK-NOT:     linalg.generic
func.func @dropout(%x: tensor<4xf32>, %rate: f32, %seed: i64) -> tensor<4xf32> {
  %0 = rev.dropout %x rate %rate seed %seed layer %seed step %seed : (tensor<4xf32>, f32, i64, i64, i64) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// The average is updated in its place.
// CHECK-LABEL: func.func @running_average(
// CHECK-SAME:    %[[RUNNING:.*]]: tensor<4xf32>, %[[MEAN:.*]]: tensor<4xf32>)
// CHECK:         linalg.generic {{.*}} ins(%[[MEAN]] : tensor<4xf32>) outs(%[[RUNNING]] : tensor<4xf32>)
// CHECK:         ^bb0(%[[NEW:.*]]: f32, %[[OLD:.*]]: f32):
// CHECK-DAG:       %[[KEEP:.*]] = arith.constant 7.500000e-01 : f32
// CHECK-DAG:       %[[MOVE:.*]] = arith.constant 2.500000e-01 : f32
// CHECK-DAG:       %[[KEPT:.*]] = arith.mulf %[[OLD]], %[[KEEP]]
// CHECK-DAG:       %[[MOVED:.*]] = arith.mulf %[[NEW]], %[[MOVE]]
// CHECK:           arith.addf %[[KEPT]], %[[MOVED]]
func.func @running_average(%running: tensor<4xf32>, %mean: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.running_average %running, %mean momentum 0.25 : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Softmax of a buffer is left alone.
// CHECK-LABEL: func.func @softmax_of_a_buffer(
// CHECK:         linalg.softmax
func.func @softmax_of_a_buffer(%x: memref<2x4xf32>, %y: memref<2x4xf32>) {
  linalg.softmax dimension(1) ins(%x : memref<2x4xf32>) outs(%y : memref<2x4xf32>)
  return
}
