// RUN: memrev-opt %s --pass-pipeline="builtin.module(gpu.module(gpu-expand-math))" -split-input-file -verify-diagnostics

gpu.module @kernels {
  gpu.func @sine(%x: f64, %out: memref<f64>) kernel {
    // expected-error @below {{'math.sin' op expects a function that can be expanded for the GPU, but got one on 'f64'}}
    %0 = math.sin %x : f64
    memref.store %0, %out[] : memref<f64>
    gpu.return
  }
}
