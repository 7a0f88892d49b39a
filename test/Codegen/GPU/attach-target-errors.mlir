// RUN: not memrev-opt %s --gpu-attach-target 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not memrev-opt %s --gpu-attach-target="chip=sm_91" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not memrev-opt %s --gpu-attach-target="chip=gfx90a" 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not memrev-opt %s --gpu-attach-target="chip=sm_21" 2>&1 | FileCheck %s --check-prefix=FERMI
// RUN: not memrev-opt %s --gpu-attach-target="chip=sm_60 ptx-version=50" 2>&1 | FileCheck %s --check-prefix=SHUFFLE
// RUN: not memrev-opt %s --gpu-attach-target="chip=sm_90 ptx-version=99" 2>&1 | FileCheck %s --check-prefix=VERSION
// RUN: not memrev-opt %s --gpu-attach-target="chip=sm_90 ptx-version=70" 2>&1 | FileCheck %s --check-prefix=OLD
// RUN: not memrev-opt %s --gpu-attach-target="chip=sm_90 opt-level=4" 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not memrev-opt %s --gpu-attach-target="chip=sm_90 format=elf" 2>&1 | FileCheck %s --check-prefix=FORMAT

// MISSING: error: expects a chip to compile for, sm_90 for example
// UNKNOWN: error: expects an NVIDIA chip such as sm_80 or sm_90, but got 'sm_91'
// OTHER: error: expects an NVIDIA chip such as sm_80 or sm_90, but got 'gfx90a'
// FERMI: error: expects an NVIDIA chip such as sm_80 or sm_90, but got 'sm_21'
// SHUFFLE: error: expects a PTX version of at least 60 for sm_60, but got 50
// VERSION: error: expects a PTX version that the backend knows, but got 99
// OLD: error: expects a PTX version of at least 78 for sm_90, but got 70
// LEVEL: error: expects an optimization level from 0 to 3, but got 4
// FORMAT: error: expects the format isa, bin, fatbin, auto or llvm, but got 'elf'
gpu.module @kernels {
}
