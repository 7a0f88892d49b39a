// RUN: memrev-opt %s -rev-differentiate | FileCheck %s

// What values cost, in picoseconds.
// CHECK: module attributes {memrev.plan = [
// A product of 16 x 32 by 32 x 64 is 32768 multiply-adds, at 4 per nanosecond
// 8192 ns; it moves only 14336 bytes, at 8 per nanosecond. A coupling evaluates
// that, reads the state and writes it, 8192 bytes.
// CHECK-SAME: {bytes = 4096 : i64, cost = 9216000 : i64, {{[^}]*}}strategy = "stored"}
// 1024 evaluations of tanh at 0.5 per nanosecond.
// CHECK-SAME: {bytes = 4096 : i64, cost = 2048000 : i64, {{[^}]*}}strategy = "stored"}
// CHECK-SAME: {bytes = 4096 : i64, cost = 9216000 : i64, {{[^}]*}}strategy = "inverted"}
// The product, in which the shift is not added yet.
// CHECK-SAME: {bytes = 4096 : i64, cost = 8192000 : i64, {{[^}]*}}strategy = "recomputed"}
module attributes {rev.cost_model = {
  f64_contraction_multiply_adds_per_ns = 100.0 : f64, f64_depthwise_multiply_adds_per_ns = 100.0 : f64,
  f64_functions_per_ns = 100.0 : f64,
  f32_contraction_multiply_adds_per_ns = 4.0 : f64, f32_depthwise_multiply_adds_per_ns = 100.0 : f64,
  f32_functions_per_ns = 0.5 : f64,
  f16_contraction_multiply_adds_per_ns = 100.0 : f64, f16_depthwise_multiply_adds_per_ns = 100.0 : f64,
  f16_functions_per_ns = 100.0 : f64,
  bf16_contraction_multiply_adds_per_ns = 100.0 : f64, bf16_depthwise_multiply_adds_per_ns = 100.0 : f64,
  bf16_functions_per_ns = 100.0 : f64,
  cached_bytes_per_ns = 8.0 : f64, memory_bytes_per_ns = 1.0 : f64, cache_bytes = 1048576.0 : f64}} {
func.func private @block(%x: tensor<16x64xf32>, %c: tensor<16x32xf32>, %w: tensor<32x64xf32>) -> tensor<16x64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = math.exp %x : tensor<16x64xf32>
  %y = rev.coupling additive %e given(%c) {
  ^bb0(%g: tensor<16x32xf32>):
    %empty = tensor.empty() : tensor<16x64xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<16x64xf32>) -> tensor<16x64xf32>
    %t = linalg.matmul ins(%g, %w : tensor<16x32xf32>, tensor<32x64xf32>) outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
    rev.yield %t : tensor<16x64xf32>
  } : tensor<16x64xf32>, (tensor<16x32xf32>)
  %z = math.tanh %y : tensor<16x64xf32>
  return %z : tensor<16x64xf32>
}
func.func @gradient(%x: tensor<16x64xf32>, %c: tensor<16x32xf32>, %w: tensor<32x64xf32>, %dy: tensor<16x64xf32>) -> tensor<16x64xf32> {
  %dx = rev.vjp @block(%x, %c, %w) cotangents(%dy) wrt [0] : (tensor<16x64xf32>, tensor<16x32xf32>, tensor<32x64xf32>, tensor<16x64xf32>) -> tensor<16x64xf32>
  return %dx : tensor<16x64xf32>
}
}
