// RUN: memrev-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(codegen-verify-stage{stage=bufferize})'

func.func @tensor() {
  // expected-error @below {{expects no tensor after the bufferize stage, but got 'tensor<4xf32>'}}
  %0 = tensor.empty() : tensor<4xf32>
  return
}

// -----

// expected-error @below {{expects no tensor after the bufferize stage, but got 'tensor<4xf32>'}}
func.func private @argument(%x: tensor<4xf32>)

// -----

func.func @alloc() {
  // expected-error @below {{expects every buffer to have a place in the arena after the bufferize stage}}
  %0 = memref.alloc() : memref<4xf32>
  return
}
