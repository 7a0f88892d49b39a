// RUN: memrev-opt %s -codegen-outline-loops="min-ops=4" -split-input-file | FileCheck %s

// A loop that computes leaves a long function; constants go with it.
// CHECK-LABEL: func.func @chain
// CHECK: call @chain.loop(%{{.*}}, %{{.*}}) : (memref<8xf32, strided<[2]>>, memref<8xf32>) -> ()
// CHECK-NOT: scf.for
// CHECK-LABEL: func.func private @chain.loop
// CHECK: arith.constant 0.0
// CHECK: scf.for
func.func @chain(%a: memref<8xf32, strided<[2]>>, %b: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %a[%i] : memref<8xf32, strided<[2]>>
    %w = arith.addf %v, %zero : f32
    memref.store %w, %b[%i] : memref<8xf32>
  }
  return
}

// -----

func.func private @kernel(%a: memref<8xf32>)

// A loop of calls stays, and so does one over a buffer of unknown layout.
// CHECK-LABEL: func.func @stays
// CHECK-COUNT-2: scf.for
func.func @stays(%a: memref<8xf32>, %b: memref<8xf32, strided<[1], offset: ?>>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    func.call @kernel(%a) : (memref<8xf32>) -> ()
  }
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %b[%i] : memref<8xf32, strided<[1], offset: ?>>
    memref.store %v, %a[%i] : memref<8xf32>
  }
  return
}

// -----

// Short functions are left alone.
// CHECK-LABEL: func.func @short
// CHECK-NOT: call
func.func @short() {
  return
}
