// RUN: memrev-opt %s --gpu-parallel-to-launch -split-input-file -verify-diagnostics

func.func @results(%x: memref<8xf32>, %init: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  // expected-error @below {{'scf.parallel' op expects no results, but got 1: a reduction across threads has to be split into two loops}}
  %0 = scf.parallel (%i) = (%c0) to (%c8) step (%c1) init (%init) -> f32 {
    %e = memref.load %x[%i] : memref<8xf32>
    scf.reduce(%e : f32) {
    ^bb0(%a: f32, %b: f32):
      %1 = arith.addf %a, %b : f32
      scf.reduce.return %1 : f32
    }
  }
  return %0 : f32
}

// -----

func.func @too_many(%x: memref<1xf32>, %f: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 4611686018427387904 : index
  // expected-error @below {{'scf.parallel' op expects fewer than 2^63 iterations}}
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %n) step (%c1, %c1) {
    memref.store %f, %x[%c0] : memref<1xf32>
  }
  return
}
