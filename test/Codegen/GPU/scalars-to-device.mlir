// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-scalars-to-device))" | FileCheck %s

// A loss: loaded, scaled and stored by one thread.

// CHECK-LABEL: func @load_store
//  CHECK-SAME:   (%[[X:.*]]: memref<4xf32>, %[[Y:.*]]: memref<f32>, %[[S:.*]]: f32)
func.func @load_store(%x: memref<4xf32>, %y: memref<f32>, %s: f32) {
  %c2 = arith.constant 2 : index
  // CHECK-NOT: memref.load
  // CHECK: scf.parallel
  // CHECK:   %[[E:.*]] = memref.load %[[X]]
  // CHECK:   %[[P:.*]] = arith.mulf %[[E]], %[[S]]
  // CHECK:   memref.store %[[P]], %[[Y]]
  // CHECK: memrev.kernel_name = "store"
  %e = memref.load %x[%c2] : memref<4xf32>
  %p = arith.mulf %e, %s : f32
  memref.store %p, %y[] : memref<f32>
  return
}

// The arithmetic moves once for all its uses in a loop.

// CHECK-LABEL: func @into_loop
func.func @into_loop(%s: memref<f32>, %y: memref<8xf32>, %arena: memref<64xi8>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c32 = arith.constant 32 : index
  %a = memref.view %arena[%c0][] : memref<64xi8> to memref<2xf32>
  %b = memref.view %arena[%c32][] : memref<64xi8> to memref<8xf32>
  // Other bytes of the arena are written.
  // CHECK-NOT: memref.load
  // CHECK: scf.parallel
  // CHECK:   %[[E:.*]] = memref.load
  // CHECK:   %[[F:.*]] = memref.load
  // CHECK:   arith.addf
  // CHECK-NOT: memref.load
  %e = memref.load %a[%c0] : memref<2xf32>
  %f = memref.load %a[%c1] : memref<2xf32>
  %g = arith.addf %e, %f : f32
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    %0 = arith.mulf %g, %g : f32
    memref.store %0, %b[%i] : memref<8xf32>
  }
  return
}

// Threads would read what others have overwritten.

// CHECK-LABEL: func @in_place
func.func @in_place(%x: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  // CHECK: memref.load
  // CHECK: scf.parallel
  // CHECK-NOT: memref.load
  %e = memref.load %x[%c0] : memref<8xf32>
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    memref.store %e, %x[%i] : memref<8xf32>
  }
  return
}

// CHECK-LABEL: func @written_between
func.func @written_between(%x: memref<f32>, %y: memref<f32>, %f: f32) {
  // CHECK: memref.load
  // CHECK: scf.parallel
  // CHECK: scf.parallel
  // CHECK-NOT: memref.load
  %e = memref.load %x[] : memref<f32>
  memref.store %f, %x[] : memref<f32>
  memref.store %e, %y[] : memref<f32>
  return
}

// CHECK-LABEL: func @called_between
func.func private @touch(%x: memref<f32>) {
  return
}
func.func @called_between(%x: memref<f32>, %y: memref<f32>) {
  // CHECK: memref.load
  // CHECK: call @touch
  // CHECK: scf.parallel
  // CHECK-NOT: memref.load
  %e = memref.load %x[] : memref<f32>
  func.call @touch(%x) : (memref<f32>) -> ()
  memref.store %e, %y[] : memref<f32>
  return
}

// The host needs the value: it is read back, and passed on as it is.

// CHECK-LABEL: func @trip_count
func.func @trip_count(%n: memref<index>, %y: memref<8xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[N:.*]] = memref.load
  // CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[N]]
  // CHECK:   scf.parallel
  // CHECK:     memref.store %[[N]], %{{.*}}[%[[I]]]
  %e = memref.load %n[] : memref<index>
  scf.for %i = %c0 to %e step %c1 {
    memref.store %e, %y[%i] : memref<8xindex>
  }
  return
}

// A use in a loop body comes after what earlier trips have written.

// CHECK-LABEL: func @loop_carried
func.func @loop_carried(%x: memref<f32>, %y: memref<f32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: memref.load
  // CHECK: scf.for
  // CHECK:   scf.parallel
  // CHECK-NOT: memref.load
  // CHECK: return
  %e = memref.load %x[] : memref<f32>
  scf.for %i = %c0 to %n step %c1 {
    %s = arith.addf %e, %e : f32
    memref.store %s, %x[] : memref<f32>
  }
  return
}

// A returned value is the host's.

// CHECK-LABEL: func @returned
func.func @returned(%x: memref<f32>) -> f32 {
  // CHECK: %[[E:.*]] = memref.load
  // CHECK: %[[S:.*]] = arith.addf %[[E]], %[[E]]
  // CHECK: return %[[S]]
  %e = memref.load %x[] : memref<f32>
  %s = arith.addf %e, %e : f32
  return %s : f32
}
