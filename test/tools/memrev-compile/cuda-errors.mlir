// RUN: not memrev-compile %s --target=rocm 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not memrev-compile %s --target=cuda --emit=ptx 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not memrev-compile %s --target=cuda --chip=sm_77 --emit=ptx 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not memrev-compile %s --chip=sm_90 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not memrev-compile %s --emit=ptx 2>&1 | FileCheck %s --check-prefix=EMIT
// RUN: not memrev-compile %s --target=cuda --chip=sm_90 --fp32-precision=bf16 2>&1 | FileCheck %s --check-prefix=PRECISION
// RUN: not memrev-compile %s --fp32-precision=tf32 2>&1 | FileCheck %s --check-prefix=CPUTF32
// RUN: not memrev-compile %s --target=cuda --chip=sm_90 --contractions=cublas 2>&1 | FileCheck %s --check-prefix=CONTRACTIONS
// RUN: not memrev-compile %s --contractions=auto 2>&1 | FileCheck %s --check-prefix=CPUVENDOR
// RUN: not memrev-compile %s --target=cuda --chip=sm_90 --emit=ptx --kernel-format=cubin 2>&1 | FileCheck %s --check-prefix=FORMAT
// RUN: not memrev-compile %s --target=cuda --chip=sm_90 --kernel-format=elf 2>&1 | FileCheck %s --check-prefix=KIND
// RUN: env LD_LIBRARY_PATH=%memrev_obj_root/test/fake-cuda FAKE_CUDA_DEVICES=0 not memrev-compile %s --target=cuda --chip=native --emit=ptx 2>&1 | FileCheck %s --check-prefix=NATIVE
// RUN: not memrev-compile %s --target=cuda --chip=sm_90 --emit=ptx -o %t.ptx 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=/nowhere %memrev_tools_dir/memrev-compile %S/cuda.mlir --target=cuda --chip=sm_90 --emit=cubin 2>&1 | FileCheck %s --check-prefix=PTXAS
// RUN: not env -u CUDA_ROOT -u CUDA_HOME -u CUDA_PATH HOME=%t PATH=/nowhere %memrev_tools_dir/memrev-compile %S/cuda.mlir --target=cuda --chip=sm_90 --emit=so -o %t.so 2>&1 | FileCheck %s --check-prefix=PTXAS

// TARGET: error: expects target cpu or cuda, but got 'rocm'
// MISSING: error: expects a chip for target cuda, sm_90 for example
// CHIP: error: expects an NVIDIA chip such as sm_80 or sm_90, but got 'sm_77'
// CPU: error: expects a chip for target cuda only, but got 'sm_90' for target cpu
// EMIT: error: expects --target=cuda to write kernels, but got 'cpu'
// PRECISION: error: expects fp32-precision to be ieee, or tf32 or tf32x3 for target cuda, but got 'bf16' for target cuda
// CPUTF32: error: expects fp32-precision to be ieee, or tf32 or tf32x3 for target cuda, but got 'tf32' for target cpu
// CONTRACTIONS: error: expects contractions to be generated, or vendor or auto for target cuda, but got 'cublas' for target cuda
// CPUVENDOR: error: expects contractions to be generated, or vendor or auto for target cuda, but got 'auto' for target cpu
// FORMAT: error: expects no --kernel-format with --emit=ptx, which names a format itself
// KIND: error: option '--kernel-format' expects auto|ptx|cubin|fatbin|llvm, but got 'elf'
// NATIVE: error: chip native: expects a CUDA device, but the driver finds none
// NONE: error: the program has no kernels to write
// PTXAS: error: expects CUDA's program 'ptxas', but it is neither in the toolkit that CUDA_ROOT names, nor on PATH

func.func @nothing() {
  return
}
