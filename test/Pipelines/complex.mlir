// RUN: memrev-opt %s -memrev-differentiate -memrev-lower -memrev-schedule-cpu -memrev-bufferize -memrev-binary-cpu | FileCheck %s

// Complex values inside of a program are lowered to floats.
// CHECK-NOT: = complex
// CHECK: llvm.func @gradient
// CHECK-NOT: = complex
func.func private @modulus(%x: tensor<4xf64>, %y: tensor<4xf64>) -> tensor<4xf64> {
  %e = tensor.empty() : tensor<4xf64>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x, %y : tensor<4xf64>, tensor<4xf64>) outs(%e : tensor<4xf64>) {
  ^bb0(%a: f64, %b: f64, %o: f64):
    %z = complex.create %a, %b : complex<f64>
    %w = complex.exp %z : complex<f64>
    %p = complex.mul %w, %z : complex<f64>
    %m = complex.abs %p : complex<f64>
    linalg.yield %m : f64
  } -> tensor<4xf64>
  return %r : tensor<4xf64>
}

func.func @gradient(%x: tensor<4xf64>, %y: tensor<4xf64>, %dm: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %0:2 = rev.vjp @modulus(%x, %y) cotangents(%dm) : (tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0#0, %0#1 : tensor<4xf64>, tensor<4xf64>
}
