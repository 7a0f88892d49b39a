// With ptxas, but without a compiler to link with.
// REQUIRES: ptxas
// RUN: rm -rf %t.bin && mkdir %t.bin
// RUN: %python -c "import os, shutil; [os.symlink(shutil.which(t), '%t.bin/' + t) for t in ('ptxas', 'fatbinary')]"
// RUN: not env PATH=%t.bin %memrev_tools_dir/memrev-compile %s --target=cuda --chip=sm_90 --emit=so -o %t.so 2>&1 | FileCheck %s

// CHECK: error: expects a C++ compiler to link with, but found none in PATH

func.func @fill(%f: f32) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.fill ins(%f : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
