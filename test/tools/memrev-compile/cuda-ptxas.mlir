// REQUIRES: ptxas
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-compile %s --target=cuda --chip=sm_80 --emit=cubin -o %t.cubin
// RUN: llvm-readelf -h %t.cubin | FileCheck %s --check-prefix=CUBIN
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --emit=fatbin -o %t.fatbin
// RUN: od -A n -t x4 -N 4 %t.fatbin | FileCheck %s --check-prefix=FATBIN
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --emit=so -o %t.so
// RUN: llvm-readelf --needed-libs %t.so | FileCheck %s --check-prefix=NEEDED

// CUBIN: Machine: NVIDIA CUDA architecture
// FATBIN: ba55ed50

// The library needs no driver to be loaded, and on a fake one without a device
// its function says so instead of ending the process.
// NEEDED-NOT: cuda
// RUN: env LD_LIBRARY_PATH=%memrev_obj_root/test/fake-cuda FAKE_CUDA_DEVICES=0 %python %S/Inputs/call.py %t.so scale 2>/dev/null | FileCheck %s --check-prefix=CALL
// CALL: expects a CUDA device, but the driver finds none

// With a device, kernels that do not suit it are named.
// RUN: env LD_LIBRARY_PATH=%memrev_obj_root/test/fake-cuda FAKE_CUDA_FAIL=cuModuleLoadDataEx:209 %python %S/Inputs/call.py %t.so scale 2>/dev/null | FileCheck %s --check-prefix=CHIP
// CHIP: cannot load kernels on device 0 (Fake GPU, sm_90a): CUDA_ERROR_NO_BINARY_FOR_GPU

func.func @scale(%x: tensor<8xf32>, %f: f32) -> tensor<8xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      outs(%x : tensor<8xf32>) {
  ^bb0(%e: f32):
    %1 = arith.mulf %e, %f : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
