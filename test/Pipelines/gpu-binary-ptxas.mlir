// REQUIRES: ptxas
// RUN: memrev-opt %s --memrev-gpu-binary="chip=sm_80 format=bin" | FileCheck %s --check-prefix=CUBIN
// RUN: memrev-opt %s --memrev-gpu-binary="chip=sm_90 format=bin" | FileCheck %s --check-prefix=CUBIN
// RUN: memrev-opt %s --memrev-gpu-binary="chip=sm_90 format=fatbin" | FileCheck %s --check-prefix=FATBIN
// RUN: not memrev-opt %s --memrev-gpu-binary="chip=sm_35 format=bin" 2>&1 | FileCheck %s --check-prefix=REFUSED

// CUBIN: gpu.binary @memrev_kernels [#gpu.object<#nvvm.target<chip = "sm_{{80|90}}">{{.*}} bin = "\7FELF
// FATBIN: gpu.binary @memrev_kernels [#gpu.object<#nvvm.target<chip = "sm_90">{{.*}} "P\EDU\BA

// The message of ptxas comes through.
// REFUSED: error: ptxas failed: ptxas fatal {{.*}}sm_35

func.func @fill(%x: memref<16xf32>, %f: f32) {
  linalg.fill ins(%f : f32) outs(%x : memref<16xf32>)
  return
}
