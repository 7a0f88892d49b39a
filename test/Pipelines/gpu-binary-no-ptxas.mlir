// Without ptxas, PTX is there and machine code is an error.
// RUN: env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=/nowhere %memrev_tools_dir/memrev-opt %s --memrev-gpu-binary="chip=sm_90" -o %t
// RUN: FileCheck %s < %t
// RUN: not env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=/nowhere %memrev_tools_dir/memrev-opt %s --memrev-gpu-binary="chip=sm_90 format=bin" 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=/nowhere %memrev_tools_dir/memrev-opt %s --memrev-gpu-binary="chip=sm_90 format=fatbin" 2>&1 | FileCheck %s --check-prefix=MISSING

// CHECK: .visible .entry fill(
// MISSING: error: expects CUDA's program 'ptxas', but it is neither in the toolkit that CUDA_ROOT names, nor on PATH

func.func @fill(%x: memref<16xf32>, %f: f32) {
  linalg.fill ins(%f : f32) outs(%x : memref<16xf32>)
  return
}
