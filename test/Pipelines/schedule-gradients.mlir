// Gradients of products and convolutions, and gradients of these again, become
// kernels of vector code: nothing of them is left to scalar loops.

// RUN: memrev-opt %s -memrev-differentiate -memrev-lower -memrev-schedule-cpu | FileCheck %s --implicit-check-not=' linalg.'

// The second derivative of the input is nine products, one for each element of the
// filter's window, into slices.
// CHECK: func.func @main(
// CHECK-COUNT-9: call @generic_{{.*}}index, index, tensor<1x16x16x32xf32>)
// CHECK: func.func private @conv_2d_nhwc_hwcf
// CHECK: vector.fma
// CHECK: func.func private @generic
// CHECK: vector.fma

func.func private @layer(%x: tensor<1x16x16x32xf32>, %w: tensor<3x3x32x32xf32>) -> tensor<1x14x14x32xf32> {
  %z = arith.constant dense<0.0> : tensor<1x14x14x32xf32>
  %y = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>) outs(%z : tensor<1x14x14x32xf32>) -> tensor<1x14x14x32xf32>
  %s = arith.mulf %y, %y : tensor<1x14x14x32xf32>
  return %s : tensor<1x14x14x32xf32>
}

func.func private @gradient(%x: tensor<1x16x16x32xf32>, %w: tensor<3x3x32x32xf32>, %d: tensor<1x14x14x32xf32>) -> (tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>) {
  %g:2 = rev.vjp @layer(%x, %w) cotangents(%d) : (tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>, tensor<1x14x14x32xf32>) -> (tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>)
  return %g#0, %g#1 : tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>
}

func.func @main(%x: tensor<1x16x16x32xf32>, %w: tensor<3x3x32x32xf32>, %d: tensor<1x14x14x32xf32>) -> (tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>) {
  %g:2 = rev.vjp @gradient(%x, %w, %d) cotangents(%x, %w) wrt [0, 1] : (tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>, tensor<1x14x14x32xf32>, tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>) -> (tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>)
  return %g#0, %g#1 : tensor<1x16x16x32xf32>, tensor<3x3x32x32xf32>
}
