// RUN: memrev-opt %s -codegen-plan-arena -split-input-file -verify-diagnostics

func.func @dynamic(%n: index, %x: memref<4xf32>) {
  // expected-error @below {{expects a static shape to be given a place in the arena, but got 'memref<?xf32>'}}
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  return
}

// -----

func.func @strided(%v: f32) {
  // expected-error @below {{expects a contiguous buffer, but got 'memref<4xf32, strided<[2]>>'}}
  %a = memref.alloc() : memref<4xf32, strided<[2]>>
  linalg.fill ins(%v : f32) outs(%a : memref<4xf32, strided<[2]>>)
  return
}

// -----

func.func @huge(%v: f32) {
  // expected-error @below {{expects a buffer of less than 2^62 bytes, but got 'memref<4611686018427387904x4xf32>'}}
  %a = memref.alloc() : memref<4611686018427387904x4xf32>
  linalg.fill ins(%v : f32) outs(%a : memref<4611686018427387904x4xf32>)
  return
}
