// RUN: memrev-opt %s --codegen-generalize-named-ops | FileCheck %s

// Elementwise and moving ops become generics.
// CHECK-LABEL: @named
func.func @named(%a: tensor<4x8xf32>, %b: tensor<4x8xf32>, %e: tensor<4x8xf32>, %t: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK-NOT: linalg.add
  // CHECK: linalg.generic
  // CHECK: arith.addf
  %0 = linalg.add ins(%a, %b : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK-NOT: linalg.transpose
  // CHECK: linalg.generic
  %1 = linalg.transpose ins(%0 : tensor<4x8xf32>) outs(%t : tensor<8x4xf32>) permutation = [1, 0]
  return %1 : tensor<8x4xf32>
}

// Later stages use these by name.
// CHECK-LABEL: @kept
func.func @kept(%a: tensor<4x8xf32>, %b: tensor<8x4xf32>, %e: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %z = arith.constant 0.0 : f32
  // CHECK: linalg.fill
  %0 = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  // CHECK: linalg.matmul
  %1 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x4xf32>) outs(%0 : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}

// CHECK-LABEL: @pool
func.func @pool(%x: tensor<1x4x4x3xf32>, %w: tensor<2x2xf32>, %e: tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32> {
  // CHECK: linalg.pooling_nhwc_max
  %0 = linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>} ins(%x, %w : tensor<1x4x4x3xf32>, tensor<2x2xf32>) outs(%e : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>
  return %0 : tensor<1x2x2x3xf32>
}
