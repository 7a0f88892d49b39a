// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-launch-to-loops))" | FileCheck %s

// CHECK-LABEL: func @launch
//  CHECK-SAME:   (%[[X:.*]]: memref<?xindex>, %[[G:.*]]: index, %[[B:.*]]: index)
func.func @launch(%x: memref<?xindex>, %g: index, %b: index) {
  %c1 = arith.constant 1 : index
  // CHECK: scf.for %{{.*}} = %c0 to %c1
  // CHECK: scf.for
  // CHECK: scf.for %[[BX:.*]] = %c0{{.*}} to %[[G]]
  // CHECK: scf.for
  // CHECK: scf.for
  // CHECK: scf.for %[[TX:.*]] = %c0{{.*}} to %[[B]]
  // CHECK:   %[[F:.*]] = arith.muli %[[BX]], %[[B]]
  // CHECK:   %[[ID:.*]] = arith.addi %[[F]], %[[TX]]
  // CHECK:   memref.store %[[G]], %[[X]][%[[ID]]]
  // CHECK-NOT: gpu
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %g, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %b, %sy = %c1, %sz = %c1) {
    %f = arith.muli %bx, %sx : index
    %id = arith.addi %f, %tx : index
    memref.store %gx, %x[%id] : memref<?xindex>
    gpu.terminator
  }
  return
}
