// RUN: memrev-opt %s -codegen-call-externals -split-input-file -verify-diagnostics
// RUN: not memrev-opt %S/call-externals.mlir -codegen-call-externals=is-allowed=false 2>&1 | FileCheck %s

// CHECK: call-externals.mlir:{{.*}}: error: expects functions with a body in a program for a device, but got a declaration

// expected-error @+1 {{expects scalars and tensors of static shape as arguments of a function without a body, but got argument 1 of type 'tensor<?xf32>'}}
func.func private @open(tensor<4xf32>, tensor<?xf32>) -> f32
func.func @f(%x: tensor<4xf32>, %y: tensor<?xf32>) -> f32 {
  %0 = call @open(%x, %y) : (tensor<4xf32>, tensor<?xf32>) -> f32
  return %0 : f32
}

// -----

// expected-error @+1 {{expects scalars and tensors of static shape as results of a function without a body, but got result 0 of type 'index'}}
func.func private @number() -> index
func.func @f() -> index {
  %0 = call @number() : () -> index
  return %0 : index
}
