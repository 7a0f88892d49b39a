// RUN: memrev-opt %s --gpu-assemble-kernels | FileCheck %s --check-prefix=ISA
// RUN: memrev-opt %s --gpu-assemble-kernels=format=llvm | FileCheck %s --check-prefix=LLVM

// Text for the driver ends with a zero.

// ISA: gpu.binary @k [#gpu.object<#nvvm.target<chip = "sm_90">, properties = {O = 4 : i32}, assembly = "{{.*}}.visible .entry f({{.*}}\0A}\0A\00">]
// ISA-NOT: gpu.module
// LLVM: gpu.binary @k [#gpu.object<#nvvm.target<chip = "sm_90">, offload = "BC\C0\DE

// Programs are found in the toolkit that the environment names, on PATH, and in
// the packages of the Python on PATH, in this order.

// RUN: rm -rf %t && %python %S/Inputs/toolkits.py %t
// RUN: env -u CUDA_HOME -u CUDA_PATH HOME=%t CUDA_ROOT=%t/root PATH=%t/path:%t/venv/bin %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin | FileCheck %s --check-prefixes=BIN -DFROM=CUDA_ROOT
// RUN: env -u CUDA_ROOT -u CUDA_PATH HOME=%t CUDA_HOME=%t/root PATH=%t/path:%t/venv/bin %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin | FileCheck %s --check-prefixes=BIN -DFROM=CUDA_ROOT
// RUN: env -u CUDA_ROOT -u CUDA_HOME HOME=%t CUDA_PATH=%t/root PATH=%t/path:%t/venv/bin %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin | FileCheck %s --check-prefixes=BIN -DFROM=CUDA_ROOT
// RUN: env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=%t/path:%t/venv/bin %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin | FileCheck %s --check-prefixes=BIN -DFROM=PATH
// RUN: env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=%t/venv/bin %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin | FileCheck %s --check-prefixes=BIN -DFROM="package cu13"
// RUN: env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=%t/old/bin %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin | FileCheck %s --check-prefixes=BIN -DFROM="package cuda_nvcc"
// RUN: env -u CUDA_HOME -u CUDA_PATH HOME=%t CUDA_ROOT=%t/root PATH=/nowhere %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=fatbin | FileCheck %s --check-prefixes=FATBIN
// RUN: env -u CUDA_HOME -u CUDA_PATH HOME=%t CUDA_ROOT=%t/root PATH=/nowhere %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=auto | FileCheck %s --check-prefixes=FATBIN
// BIN: gpu.binary @k [#gpu.object<#nvvm.target<chip = "sm_90">, bin = "cubin by [[FROM]] for --gpu-name=sm_90\0A">]
// FATBIN: gpu.binary @k [#gpu.object<#nvvm.target<chip = "sm_90">, "fatbin by CUDA_ROOT: cubin by CUDA_ROOT for --gpu-name=sm_90\0A">]

// Without one that is asked for there is an error, and else PTX.

// RUN: not env -u CUDA_HOME -u CUDA_PATH HOME=%t CUDA_ROOT=%t/none PATH=/nowhere %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=/nowhere %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=auto | FileCheck %s --check-prefix=ISA
// RUN: not env -u CUDA_HOME -u CUDA_PATH CUDA_ROOT=%t/broken %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin 2>&1 | FileCheck %s --check-prefix=FAILED
// RUN: not env -u CUDA_HOME -u CUDA_PATH CUDA_ROOT=%t/silent %memrev_tools_dir/memrev-opt %s --gpu-assemble-kernels=format=bin 2>&1 | FileCheck %s --check-prefix=SILENT
// MISSING: error: expects CUDA's program 'ptxas', but it is neither in the toolkit that CUDA_ROOT names ({{.*}}none/bin), nor on PATH, nor in NVIDIA's packages of Python; PTX, which the driver compiles, does not need it
// FAILED: error: ptxas failed: ptxas fatal: no such chip
// SILENT: error: ptxas failed: exit status 3

module attributes {gpu.container_module} {
gpu.module @k [#nvvm.target<chip = "sm_90">] {
  llvm.func @f(%x: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    llvm.return
  }
}
}
