// RUN: memrev-opt %s -rev-differentiate -split-input-file | FileCheck %s

// Leaky rectifiers keep the sign: each side is divided by its slope.
// CHECK-LABEL: func.func private @leaky_inverse(
// CHECK-SAME:    %[[Y:.*]]: tensor<4xf32>, %[[A:.*]]: tensor<4xf32>)
// CHECK:         %[[SLOPE:.*]] = math.exp %[[A]]
// CHECK:         %[[SIGN:.*]] = arith.cmpf ogt, %[[Y]], %{{.*}}
// CHECK:         %[[N:.*]] = arith.divf %[[Y]], %[[SLOPE]]
// CHECK:         %[[M:.*]] = arith.select %[[SIGN]], %[[Y]], %[[N]]
// CHECK:         %[[TENTH:.*]] = arith.constant dense<1.000000e-01>
// CHECK:         %[[SIGN1:.*]] = arith.cmpf ogt, %[[M]], %{{.*}}
// CHECK:         %[[P:.*]] = arith.mulf %[[M]], %[[TENTH]]
// CHECK:         %[[X:.*]] = arith.select %[[SIGN1]], %[[P]], %[[M]]
// CHECK:         return %[[X]]
func.func private @leaky(%x: tensor<4xf32>, %a: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant dense<0.0> : tensor<4xf32>
  %tenth = arith.constant dense<0.1> : tensor<4xf32>
  %steep = arith.divf %x, %tenth : tensor<4xf32>
  %m = arith.maximumf %steep, %x : tensor<4xf32>
  %slope = math.exp %a : tensor<4xf32>
  %n = arith.mulf %slope, %m : tensor<4xf32>
  %c = arith.cmpf ole, %zero, %m : tensor<4xf32>
  %y = arith.select %c, %m, %n : tensor<4xi1>, tensor<4xf32>
  return %y : tensor<4xf32>
}

// In a body, behind what else undoes it.
// CHECK-LABEL: func.func private @element_inverse(
// CHECK:         linalg.generic
// CHECK:         ^bb0(%[[Y:.*]]: f32, %[[T:.*]]: f32, %{{.*}}: f32):
// CHECK:           %[[SIGN:.*]] = arith.cmpf ogt, %[[Y]], %{{.*}}
// CHECK:           %[[P:.*]] = arith.divf %[[Y]], %{{.*}}
// CHECK:           %[[N:.*]] = arith.divf %[[Y]], %{{.*}}
// CHECK:           %[[V:.*]] = arith.select %[[SIGN]], %[[P]], %[[N]]
// CHECK:           %[[X:.*]] = arith.subf %[[V]], %[[T]]
// CHECK:           linalg.yield %[[X]]
func.func private @element(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.map ins(%x, %t : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) (%u: f32, %s: f32, %o: f32) {
    %half = arith.constant 0.5 : f32
    %two = arith.constant 2.0 : f32
    %v = arith.addf %u, %s : f32
    %p = arith.mulf %v, %half : f32
    %n = arith.mulf %two, %v : f32
    %m = arith.minimumf %n, %p : f32
    linalg.yield %m : f32
  }
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = rev.inverse @leaky(%y, %y) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = rev.inverse @element(%y, %y) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
