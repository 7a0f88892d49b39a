// RUN: memrev-opt %s -codegen-plan-arena=max-threads=4 -split-input-file -verify-diagnostics

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
  // expected-error @below {{expects a buffer of less than 2^48 bytes, but got 'memref<4611686018427387904x4xf32>'}}
  %a = memref.alloc() : memref<4611686018427387904x4xf32>
  linalg.fill ins(%v : f32) outs(%a : memref<4611686018427387904x4xf32>)
  return
}

// -----

// Each fits, both at once do not.
// expected-error @below {{expects buffers that take less than 2^48 bytes at a time, but got a plan that takes 549755813888000}}
func.func @sum(%v: f64) {
  %a = memref.alloc() : memref<34359738368000xf64>
  linalg.fill ins(%v : f64) outs(%a : memref<34359738368000xf64>)
  %b = memref.alloc() : memref<34359738368000xf64>
  linalg.exp ins(%a : memref<34359738368000xf64>) outs(%b : memref<34359738368000xf64>)
  return
}

// -----

// A frame for each of the threads.
func.func @threads(%v: f64) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{expects a buffer of less than 2^48 bytes, but got 'memref<1099511627776000xi8>'}}
  scf.parallel (%i) = (%c0) to (%c1) step (%c1) {
    %a = memref.alloc() : memref<34359738368000xf64>
    linalg.fill ins(%v : f64) outs(%a : memref<34359738368000xf64>)
  }
  return
}
