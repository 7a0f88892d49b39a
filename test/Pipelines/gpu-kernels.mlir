// RUN: memrev-opt %s --memrev-gpu-kernels | FileCheck %s

// All kernels are in one module, whose name is free, and equal ones are one.

// CHECK-LABEL: func @memrev_kernels
// CHECK: gpu.launch_func @memrev_kernels_0::@fill
// CHECK: gpu.module @memrev_kernels_0
// CHECK: gpu.func @fill
// CHECK-NOT: gpu.func
// CHECK-LABEL: func @other
// CHECK: gpu.launch_func @memrev_kernels_0::@fill
// CHECK-NOT: gpu.module

func.func @memrev_kernels(%x: memref<4xf32>, %f: f32) {
  linalg.fill ins(%f : f32) outs(%x : memref<4xf32>)
  return
}

func.func @other(%x: memref<4xf32>, %f: f32) {
  linalg.fill ins(%f : f32) outs(%x : memref<4xf32>)
  return
}
