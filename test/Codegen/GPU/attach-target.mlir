// RUN: memrev-opt %s --gpu-attach-target="chip=sm_90" | FileCheck %s --check-prefix=DEFAULT
// RUN: memrev-opt %s --gpu-attach-target="chip=sm_80 ptx-version=80 opt-level=3" | FileCheck %s --check-prefix=VERSION
// RUN: memrev-opt %s --gpu-attach-target="chip=sm_90 ptx-version=78" | FileCheck %s --check-prefix=OLDEST
// RUN: memrev-opt %s --gpu-attach-target="chip=sm_60" | FileCheck %s --check-prefix=SHUFFLE

// DEFAULT: gpu.module @kernels [#nvvm.target<chip = "sm_90">]
// VERSION: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx80">]
// OLDEST: gpu.module @kernels [#nvvm.target<chip = "sm_90", features = "+ptx78">]
// What exchanges values between threads is younger than the chip.
// SHUFFLE: gpu.module @kernels [#nvvm.target<chip = "sm_60", features = "+ptx60">]
gpu.module @kernels {
}
