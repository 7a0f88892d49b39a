// RUN: memrev-opt %s -convert-tosa-to-memrev -split-input-file | FileCheck %s
// RUN: memrev-opt %s --memrev-differentiate -split-input-file | FileCheck %s --check-prefix=STAGE

// The differentiate stage takes TOSA.
// CHECK-LABEL: func.func private @layer(
// CHECK:         linalg.batch_matmul
// CHECK:         linalg.generic
// CHECK:           math.tanh
// CHECK-NOT:     tosa
// STAGE-LABEL: func.func private @layer_vjp(
// STAGE:         linalg.batch_matmul
func.func private @layer(%x: tensor<1x3x4xf32>, %w: tensor<1x4x5xf32>) -> tensor<1x3x5xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %m = tosa.matmul %x, %w, %z, %z : (tensor<1x3x4xf32>, tensor<1x4x5xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x5xf32>
  %y = tosa.tanh %m : (tensor<1x3x5xf32>) -> tensor<1x3x5xf32>
  return %y : tensor<1x3x5xf32>
}

func.func @gradient(%x: tensor<1x3x4xf32>, %w: tensor<1x4x5xf32>, %dy: tensor<1x3x5xf32>) -> tensor<1x4x5xf32> {
  %dw = rev.vjp @layer(%x, %w) cotangents(%dy) wrt [1] : (tensor<1x3x4xf32>, tensor<1x4x5xf32>, tensor<1x3x5xf32>) -> tensor<1x4x5xf32>
  return %dw : tensor<1x4x5xf32>
}

// -----

// Control flow has regions that end in tosa.yield.
// CHECK-LABEL: func.func @branch(
// CHECK:         scf.if
// CHECK:           linalg.generic
// CHECK:         } else {
// CHECK-NOT:     tosa
func.func @branch(%p: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tosa.cond_if %p : tensor<i1> -> tensor<4xf32> {
    %a = tosa.exp %x : (tensor<4xf32>) -> tensor<4xf32>
    tosa.yield %a : tensor<4xf32>
  } else {
    tosa.yield %x : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}

// -----

// A module without TOSA is left as it is, dead code included.
// CHECK-LABEL: func.func @other(
// CHECK-NEXT:    arith.addf
// CHECK-NEXT:    arith.constant 1.0
// CHECK-NEXT:    return
func.func @other(%x: f32) -> f32 {
  %0 = arith.addf %x, %x : f32
  %c = arith.constant 1.0 : f32
  return %x : f32
}
