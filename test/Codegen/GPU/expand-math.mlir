// RUN: memrev-opt %s --pass-pipeline="builtin.module(gpu.module(gpu-expand-math))" | FileCheck %s

// Only functions that the backend has instructions for are left.

// CHECK-NOT: math.{{exp|log|tanh|atan|sin|cos|erf|powf}}
// CHECK-NOT: @__nv

// CHECK-LABEL: gpu.module @kernels
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @f32
  gpu.func @f32(%x: f32, %y: f32, %out: memref<16xf32>) kernel {
    %c0 = arith.constant 0 : index
    %0 = math.exp %x : f32
    %1 = math.log %0 : f32
    %2 = math.log1p %1 : f32
    %3 = math.tanh %2 : f32
    %4 = math.atan %3 : f32
    %5 = math.expm1 %4 : f32
    %6 = math.erf %5 : f32
    %7 = math.sin %6 : f32
    %8 = math.cos %7 : f32
    %9 = math.powf %8, %y : f32
    %10 = math.sinh %9 : f32
    memref.store %10, %out[%c0] : memref<16xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @f64
  // CHECK: math.roundeven
  // CHECK: math.fma
  gpu.func @f64(%x: f64, %out: memref<16xf64>) kernel {
    %c0 = arith.constant 0 : index
    %0 = math.exp %x : f64
    %1 = math.log %0 : f64
    %2 = math.log1p %1 : f64
    %3 = math.tanh %2 : f64
    %4 = math.atan %3 : f64
    %5 = math.expm1 %4 : f64
    %6 = math.exp2 %5 : f64
    %7 = math.log2 %6 : f64
    %8 = math.log10 %7 : f64
    memref.store %8, %out[%c0] : memref<16xf64>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @bf16
  // CHECK: arith.extf %{{.*}} : bf16 to f32
  // CHECK: arith.truncf %{{.*}} : f32 to bf16
  gpu.func @bf16(%x: bf16, %out: memref<16xbf16>) kernel {
    %c0 = arith.constant 0 : index
    %0 = math.tanh %x : bf16
    memref.store %0, %out[%c0] : memref<16xbf16>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @clamp
  // CHECK-SAME: %[[X:.*]]: f32, %[[LOW:.*]]: f32, %[[HIGH:.*]]: f32
  // CHECK: %[[RAISED:.*]] = arith.maximumf %[[X]], %[[LOW]]
  // CHECK: arith.minimumf %[[RAISED]], %[[HIGH]]
  gpu.func @clamp(%x: f32, %low: f32, %high: f32, %out: memref<16xf32>) kernel {
    %c0 = arith.constant 0 : index
    %0 = math.clampf %x to [%low, %high] : f32
    memref.store %0, %out[%c0] : memref<16xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @sincos
  // CHECK-NOT: math.{{sin|cos}}
  gpu.func @sincos(%x: f32, %out: memref<16xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %0, %1 = math.sincos %x : f32
    memref.store %0, %out[%c0] : memref<16xf32>
    memref.store %1, %out[%c1] : memref<16xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @instructions
  // CHECK: math.sqrt
  // CHECK: math.rsqrt
  // CHECK: math.absf
  // CHECK: math.floor
  gpu.func @instructions(%x: f64, %out: memref<16xf64>) kernel {
    %c0 = arith.constant 0 : index
    %0 = math.sqrt %x : f64
    %1 = math.rsqrt %0 : f64
    %2 = math.absf %1 : f64
    %3 = math.floor %2 : f64
    memref.store %3, %out[%c0] : memref<16xf64>
    gpu.return
  }
}
