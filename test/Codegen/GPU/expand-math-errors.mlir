// RUN: memrev-opt %s --pass-pipeline="builtin.module(gpu.module(gpu-expand-math))" -split-input-file -verify-diagnostics

// Kernels work on scalars.
gpu.module @kernels {
  gpu.func @sine(%x: vector<2xf64>, %out: memref<vector<2xf64>>) kernel {
    // expected-error @below {{'math.sin' op expects a function that can be expanded for the GPU, but got one on 'vector<2xf64>'}}
    %0 = math.sin %x : vector<2xf64>
    memref.store %0, %out[] : memref<vector<2xf64>>
    gpu.return
  }
}
