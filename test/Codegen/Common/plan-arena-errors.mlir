// RUN: memrev-opt %s -codegen-plan-arena=max-threads=4 -split-input-file -verify-diagnostics

func.func @dynamic(%n: index, %x: memref<4xf32>) {
  // expected-error @below {{expects extents that follow from those of the function's arguments or have a constant bound, to be given a place in the arena, but got 'memref<?xf32>' whose axis 0 does neither}}
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  return
}

// -----

// Threads get slices of one size.
func.func @parallel(%x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.parallel (%i) = (%c0) to (%c1) step (%c1) {
    // expected-error @below {{expects a static shape to be given a place in the arena, but got 'memref<?xf32>'}}
    %a = memref.alloc(%n) : memref<?xf32>
    linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  }
  return
}

// -----

func.func @strides(%x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  // expected-error @below {{expects a contiguous buffer, but got 'memref<?xf32, strided<[2]>>'}}
  %a = memref.alloc(%n) : memref<?xf32, strided<[2]>>
  linalg.exp ins(%a : memref<?xf32, strided<[2]>>) outs(%a : memref<?xf32, strided<[2]>>)
  return
}

// -----

func.func @product(%x: memref<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %big = arith.constant 4611686018427387904 : index
  %n = memref.dim %x, %c0 : memref<?x?xf32>
  %m = arith.muli %n, %big : index
  // expected-error @below {{expects a buffer of less than 2^48 bytes, but got 'memref<?xf32>'}}
  %a = memref.alloc(%m) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  return
}

// -----

func.func private @callee(%x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  linalg.exp ins(%a : memref<?xf32>) outs(%x : memref<?xf32>)
  return
}
func.func @caller(%x: memref<?xf32>, %n: index) {
  %v = memref.subview %x[0] [%n] [1] : memref<?xf32> to memref<?xf32, strided<[1]>>
  %w = memref.cast %v : memref<?xf32, strided<[1]>> to memref<?xf32>
  // expected-error @below {{expects extents that follow from those of the function's arguments, to be given a frame for the callee, but got operand 0 whose axis 0 does not}}
  call @callee(%w) : (memref<?xf32>) -> ()
  return
}

// -----

// Each fits, both at once do not.
// expected-error @below {{expects buffers whose bytes fit 64 bits}}
func.func @both(%x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %big = arith.constant 1152921504606846976 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %m = arith.muli %n, %big : index
  %a = memref.alloc(%m) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  %b = memref.alloc(%m) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%b : memref<?xf32>)
  return
}

// -----

func.func private @callee(%x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %big = arith.constant 1152921504606846976 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %m = arith.muli %n, %big : index
  %a = memref.alloc(%m) : memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  return
}
func.func @caller(%x: memref<?x1024xf32>) {
  %v = memref.collapse_shape %x [[0, 1]] : memref<?x1024xf32> into memref<?xf32>
  // expected-error @below {{expects a frame whose bytes fit 64 bits}}
  call @callee(%v) : (memref<?xf32>) -> ()
  return
}

// -----

func.func private @f_arena_bytes()
// expected-error @below {{expects the name 'f_arena_bytes' to be free}}
func.func @f(%x: memref<1xf32>, %n: index {memrev.role = "extent"}) attributes {memrev.entry} {
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
