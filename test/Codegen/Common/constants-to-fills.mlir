// RUN: memrev-opt %s -codegen-constants-to-fills=report-bytes=128 -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @splat
// CHECK: %[[C:.*]] = arith.constant 2.0{{.*}} : f32
// CHECK: %[[E:.*]] = tensor.empty() : tensor<64xf32>
// CHECK: %[[F:.*]] = linalg.fill ins(%[[C]] : f32) outs(%[[E]] : tensor<64xf32>)
// CHECK: return %[[F]]
func.func @splat() -> tensor<64xf32> {
  %c = arith.constant dense<2.0> : tensor<64xf32>
  return %c : tensor<64xf32>
}

// Small splats stay, and so do scalars.
// CHECK-LABEL: func.func @small
// CHECK-NOT: linalg.fill
func.func @small() -> (tensor<4xf32>, f32) {
  %c = arith.constant dense<2.0> : tensor<4xf32>
  %d = arith.constant 1.0 : f32
  return %c, %d : tensor<4xf32>, f32
}

func.func @resource() -> tensor<33xi32> {
  // expected-remark @below {{a constant of 132 bytes stays in the program's image}}
  %c = arith.constant dense<[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32]> : tensor<33xi32>
  return %c : tensor<33xi32>
}
