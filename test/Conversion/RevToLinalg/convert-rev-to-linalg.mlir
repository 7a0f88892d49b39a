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
