// RUN: memrev-opt %s --pass-pipeline="builtin.module(gpu.module(gpu-expand-math))" | FileCheck %s
// RUN: memrev-opt %s --pass-pipeline="builtin.module(gpu.module(gpu-expand-math))" | FileCheck %s --check-prefix=FEW

// Only operations that the backend has instructions for are left.
// FEW-NOT: math.{{a?(sin|cos|tan)h?|atan2|cbrt|erfc?|exp(2|m1)?|log(10|1p|2)?|powf|[fi]powi|rsqrt|sincos|tanh}} %

// The bits of 2 / pi are there once.
// CHECK-LABEL: gpu.module @functions
// CHECK: llvm.mlir.global internal constant @__memrev_two_over_pi(dense<[0, -6703182060581546711,
// CHECK-SAME: {addr_space = 4 : i32, alignment = 8 : i64}
// CHECK-NOT: llvm.mlir.global
gpu.module @functions {
  // CHECK-LABEL: gpu.func @f64
  // CHECK-NOT: f32
  gpu.func @f64(%x: f64, %y: f64, %n: i32, %out: memref<f64>) kernel {
    %0 = math.acos %x : f64
    %1 = math.acosh %0 : f64
    %2 = math.asin %1 : f64
    %3 = math.asinh %2 : f64
    %4 = math.atan %3 : f64
    %5 = math.atanh %4 : f64
    %6 = math.cbrt %5 : f64
    %7 = math.cos %6 : f64
    %8 = math.cosh %7 : f64
    %9 = math.erf %8 : f64
    %10 = math.erfc %9 : f64
    %11 = math.exp %10 : f64
    %12 = math.exp2 %11 : f64
    %13 = math.expm1 %12 : f64
    %14 = math.log %13 : f64
    %15 = math.log10 %14 : f64
    %16 = math.log1p %15 : f64
    %17 = math.log2 %16 : f64
    %18 = math.sin %17 : f64
    %19 = math.sinh %18 : f64
    %20 = math.tan %19 : f64
    %21 = math.tanh %20 : f64
    %22 = math.atan2 %21, %y : f64
    %23 = math.powf %22, %y : f64
    %24 = math.fpowi %23, %n : f64, i32
    memref.store %24, %out[] : memref<f64>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @f32
  gpu.func @f32(%x: f32, %y: f32, %n: i32, %out: memref<f32>) kernel {
    %0 = math.acos %x : f32
    %1 = math.acosh %0 : f32
    %2 = math.asin %1 : f32
    %3 = math.asinh %2 : f32
    %4 = math.atan %3 : f32
    %5 = math.atanh %4 : f32
    %6 = math.cbrt %5 : f32
    %7 = math.cos %6 : f32
    %8 = math.cosh %7 : f32
    %9 = math.erf %8 : f32
    %10 = math.erfc %9 : f32
    %11 = math.exp %10 : f32
    %12 = math.exp2 %11 : f32
    %13 = math.expm1 %12 : f32
    %14 = math.log %13 : f32
    %15 = math.log10 %14 : f32
    %16 = math.log1p %15 : f32
    %17 = math.log2 %16 : f32
    %18 = math.sin %17 : f32
    %19 = math.sinh %18 : f32
    %20 = math.tan %19 : f32
    %21 = math.tanh %20 : f32
    %22 = math.atan2 %21, %y : f32
    %23 = math.powf %22, %y : f32
    %24 = math.fpowi %23, %n : f32, i32
    memref.store %24, %out[] : memref<f32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @f16
  // CHECK: arith.extf %{{.*}} : f16 to f32
  // CHECK: arith.truncf %{{.*}} : f32 to f16
  gpu.func @f16(%x: f16, %y: f16, %n: i32, %out: memref<f16>) kernel {
    %0 = math.acos %x : f16
    %1 = math.acosh %0 : f16
    %2 = math.asin %1 : f16
    %3 = math.asinh %2 : f16
    %4 = math.atan %3 : f16
    %5 = math.atanh %4 : f16
    %6 = math.cbrt %5 : f16
    %7 = math.cos %6 : f16
    %8 = math.cosh %7 : f16
    %9 = math.erf %8 : f16
    %10 = math.erfc %9 : f16
    %11 = math.exp %10 : f16
    %12 = math.exp2 %11 : f16
    %13 = math.expm1 %12 : f16
    %14 = math.log %13 : f16
    %15 = math.log10 %14 : f16
    %16 = math.log1p %15 : f16
    %17 = math.log2 %16 : f16
    %18 = math.sin %17 : f16
    %19 = math.sinh %18 : f16
    %20 = math.tan %19 : f16
    %21 = math.tanh %20 : f16
    %22 = math.atan2 %21, %y : f16
    %23 = math.powf %22, %y : f16
    %24 = math.fpowi %23, %n : f16, i32
    memref.store %24, %out[] : memref<f16>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @bf16
  // CHECK: arith.extf %{{.*}} : bf16 to f32
  // CHECK: arith.truncf %{{.*}} : f32 to bf16
  gpu.func @bf16(%x: bf16, %y: bf16, %n: i32, %out: memref<bf16>) kernel {
    %0 = math.acos %x : bf16
    %1 = math.acosh %0 : bf16
    %2 = math.asin %1 : bf16
    %3 = math.asinh %2 : bf16
    %4 = math.atan %3 : bf16
    %5 = math.atanh %4 : bf16
    %6 = math.cbrt %5 : bf16
    %7 = math.cos %6 : bf16
    %8 = math.cosh %7 : bf16
    %9 = math.erf %8 : bf16
    %10 = math.erfc %9 : bf16
    %11 = math.exp %10 : bf16
    %12 = math.exp2 %11 : bf16
    %13 = math.expm1 %12 : bf16
    %14 = math.log %13 : bf16
    %15 = math.log10 %14 : bf16
    %16 = math.log1p %15 : bf16
    %17 = math.log2 %16 : bf16
    %18 = math.sin %17 : bf16
    %19 = math.sinh %18 : bf16
    %20 = math.tan %19 : bf16
    %21 = math.tanh %20 : bf16
    %22 = math.atan2 %21, %y : bf16
    %23 = math.powf %22, %y : bf16
    %24 = math.fpowi %23, %n : bf16, i32
    memref.store %24, %out[] : memref<bf16>
    gpu.return
  }
}

// CHECK-LABEL: gpu.module @kernels
// CHECK-NOT: llvm.mlir.global
gpu.module @kernels {
  // A number to an integer power without f64.
  // CHECK-LABEL: gpu.func @integer_power
  // CHECK-NOT: f64
  gpu.func @integer_power(%x: f32, %n: i64, %out: memref<f32>) kernel {
    %0 = math.fpowi %x, %n : f32, i64
    memref.store %0, %out[] : memref<f32>
    gpu.return
  }

  // Exponents of any type.
  // CHECK-LABEL: gpu.func @exponents
  // CHECK: arith.index_cast %{{.*}} : index to i64
  // CHECK: arith.trunci %{{.*}} : i128 to i64
  gpu.func @exponents(%x: f64, %n: index, %m: i128, %out: memref<f64>) kernel {
    %0 = math.fpowi %x, %n : f64, index
    %1 = math.fpowi %0, %m : f64, i128
    memref.store %1, %out[] : memref<f64>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @power_of_integers
  // CHECK: scf.while
  // CHECK: arith.muli
  // CHECK: arith.shrui
  gpu.func @power_of_integers(%x: i32, %n: i32, %out: memref<i32>) kernel {
    %0 = math.ipowi %x, %n : i32
    memref.store %0, %out[] : memref<i32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @instructions
  // CHECK: math.sqrt
  // CHECK: math.sqrt
  // CHECK: arith.divf
  // CHECK: math.absf
  // CHECK: math.floor
  gpu.func @instructions(%x: f64, %out: memref<f64>) kernel {
    %0 = math.sqrt %x : f64
    %1 = math.rsqrt %0 : f64
    %2 = math.absf %1 : f64
    %3 = math.floor %2 : f64
    memref.store %3, %out[] : memref<f64>
    gpu.return
  }
}

// The sine and the cosine of one angle reduce it once.
// CHECK-LABEL: gpu.module @angles
gpu.module @angles {
  // CHECK-LABEL: gpu.func @sine_and_cosine
  // CHECK-COUNT-1: scf.if
  // CHECK-NOT: scf.if
  gpu.func @sine_and_cosine(%x: f64, %out: memref<f64>) kernel {
    %0 = math.cos %x : f64
    %1 = math.sin %x : f64
    %2 = arith.mulf %0, %1 : f64
    memref.store %2, %out[] : memref<f64>
    gpu.return
  }
}
