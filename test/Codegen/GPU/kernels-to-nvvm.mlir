// RUN: memrev-opt %s --pass-pipeline="builtin.module(gpu.module(gpu-kernels-to-nvvm))" | FileCheck %s

// CHECK-NOT: __nv_

gpu.module @kernels {
  // CHECK: llvm.mlir.global private constant @table
  memref.global "private" constant @table : memref<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]>

  // CHECK-LABEL: llvm.func @kernel(
  // CHECK-SAME: nvvm.kernel
  // CHECK: nvvm.read.ptx.sreg.tid.x
  // CHECK: llvm.mlir.addressof @table
  // CHECK: llvm.intr.sqrt
  // CHECK: llvm.intr.fabs
  // CHECK: llvm.frem
  // CHECK: llvm.intr.maxnum
  gpu.func @kernel(%x: memref<4xf32>) kernel {
    %i = gpu.thread_id x
    %t = memref.get_global @table : memref<4xf32>
    %e = memref.load %t[%i] : memref<4xf32>
    %0 = math.sqrt %e : f32
    %1 = math.absf %0 : f32
    %2 = arith.remf %1, %e : f32
    %3 = arith.maxnumf %2, %e : f32
    memref.store %3, %x[%i] : memref<4xf32>
    gpu.return
  }
}
