// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

func.func @f(%x: f32, %m: memref<4xf32>) -> f32 {
  // expected-error @below {{expects an out operand that is a tensor where a tangent flows, but got 'memref<4xf32>'}}
  linalg.fill ins(%x : f32) outs(%m : memref<4xf32>)
  return %x : f32
}

func.func @of_f(%x: f32, %m: memref<4xf32>) -> f32 {
  %r:2 = rev.jvp @f(%x, %m) tangents(%x) wrt [0] : (f32, memref<4xf32>, f32) -> (f32, f32)
  return %r#1 : f32
}
