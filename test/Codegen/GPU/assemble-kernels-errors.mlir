// RUN: memrev-opt %s --gpu-assemble-kernels -split-input-file -verify-diagnostics

// expected-error @below {{'gpu.module' op expects one target, an NVIDIA chip}}
gpu.module @without_target {
}
