// RUN: memrev-opt %s --gpu-launch-kernels --split-input-file --verify-diagnostics

func.func @no_launch(%x: memref<4xf32>) {
  // expected-error @below {{'func.call' op expects an emitted kernel and 'memrev.launch' with three numbers on its declaration 'kernel'}}
  call @kernel(%x) : (memref<4xf32>) -> ()
  return
}
func.func private @kernel(memref<4xf32>) attributes {memrev.kernel}
gpu.module @memrev_kernels {
  llvm.func @kernel(%x: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    llvm.return
  }
}

// -----

func.func @not_emitted(%x: memref<4xf32>) {
  // expected-error @below {{'func.call' op expects an emitted kernel and 'memrev.launch' with three numbers on its declaration 'kernel'}}
  call @kernel(%x) : (memref<4xf32>) -> ()
  return
}
func.func private @kernel(memref<4xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 1, 32, 0>}

// -----

func.func @short(%x: memref<4xf32>) {
  // expected-error @below {{'func.call' op expects an emitted kernel and 'memrev.launch' with three numbers on its declaration 'kernel'}}
  call @kernel(%x) : (memref<4xf32>) -> ()
  return
}
func.func private @kernel(memref<4xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 1, 32>}
gpu.module @memrev_kernels {
  llvm.func @kernel(%x: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    llvm.return
  }
}
