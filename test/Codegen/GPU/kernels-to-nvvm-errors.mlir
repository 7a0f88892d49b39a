// RUN: memrev-opt %s --pass-pipeline="builtin.module(gpu.module(gpu-kernels-to-nvvm))" -split-input-file -verify-diagnostics

gpu.module @kernels {
  gpu.func @vectors(%x: memref<4xf32>, %v: vector<4xf32>) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @below {{'vector.transfer_write' op expects a lowering for the GPU}}
    vector.transfer_write %v, %x[%c0] {in_bounds = [true]} : vector<4xf32>, memref<4xf32>
    gpu.return
  }
}
