// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-linalg-to-parallel))" -split-input-file -verify-diagnostics

func.func @tensors(%x: tensor<4xf32>, %f: f32) -> tensor<4xf32> {
  // expected-error @below {{'linalg.fill' op expects buffers for operands, but got tensors}}
  %0 = linalg.fill ins(%f : f32) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @unranked(%x: memref<*xf32>, %y: memref<*xf32>) {
  // expected-error @below {{'memref.copy' op expects buffers of known rank, but got 'memref<*xf32>' and 'memref<*xf32>'}}
  memref.copy %x, %y : memref<*xf32> to memref<*xf32>
  return
}

// -----

func.func @aggregate(%x: memref<2x4xf32>, %y: memref<2x4xf32>) {
  // expected-error @below {{'linalg.softmax' op expects to be decomposed into structured operations before}}
  linalg.softmax dimension(1) ins(%x : memref<2x4xf32>) outs(%y : memref<2x4xf32>)
  return
}
