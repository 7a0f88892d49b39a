// RUN: memrev-opt %s --gpu-parallel-to-launch | FileCheck %s

// CHECK-LABEL: func @static
//  CHECK-SAME:   (%[[X:.*]]: memref<10x30xf32>, %[[F:.*]]: f32)
func.func @static(%x: memref<10x30xf32>, %f: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %c30 = arith.constant 30 : index
  // 300 iterations in blocks of 128.
  // CHECK: gpu.launch blocks(%[[BX:.*]], %{{.*}}, %{{.*}}) in (%[[GX:.*]] = %c3{{[_0-9]*}}, {{.*}}) threads(%[[TX:.*]], %{{.*}}, %{{.*}}) in (%{{.*}} = %c128{{.*}} module(@memrev_kernels) function(@fill)
  // CHECK: %[[FIRST:.*]] = arith.muli %[[BX]], %[[B:.*]] : index
  // CHECK: %[[ID:.*]] = arith.addi %[[FIRST]], %[[TX]]
  // CHECK: %[[STRIDE:.*]] = arith.muli %[[GX]], %[[B]] : index
  // CHECK: scf.for %[[I:.*]] = %[[ID]] to %c300{{.*}} step %[[STRIDE]]
  // CHECK:   %[[J:.*]] = arith.remui %[[I]], %c30{{.*}}
  // CHECK:   %[[R:.*]] = arith.divui %[[I]], %c30{{.*}}
  // CHECK:   memref.store %[[F]], %[[X]][%[[R]], %[[J]]]
  scf.parallel (%i, %j) = (%c0, %c0) to (%c10, %c30) step (%c1, %c1) {
    memref.store %f, %x[%i, %j] : memref<10x30xf32>
  } {memrev.kernel_name = "fill"}
  return
}

// Many iterations get larger blocks. More blocks than a grid can have are
// left out: the threads' loops make up for them.

// CHECK-LABEL: func @huge
func.func @huge(%x: memref<1xi8>, %v: i8) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 1099511627776 : index
  // CHECK: gpu.launch blocks({{.*}}) in (%{{.*}} = %c2147483647{{.*}}) threads({{.*}}) in (%{{.*}} = %c256
  // CHECK: scf.for %{{.*}} = %{{.*}} to %c1099511627776{{.*}}
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    memref.store %v, %x[%c0] : memref<1xi8>
  }
  return
}

// CHECK-LABEL: func @empty
// CHECK-NOT: gpu.launch
func.func @empty(%x: memref<0x4xf32>, %f: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i, %j) = (%c0, %c0) to (%c0, %n) step (%c1, %c1) {
    memref.store %f, %x[%i, %j] : memref<0x4xf32>
  }
  return
}

// At run time an empty loop gets one block, and none of its threads runs.

// CHECK-LABEL: func @dynamic
//  CHECK-SAME:   %[[LB:[^:]*]]: index, %[[UB:[^:]*]]: index, %[[STEP:[^:]*]]: index
func.func @dynamic(%x: memref<?xf32>, %f: f32, %lb: index, %ub: index, %step: index) {
  // CHECK: %[[D:.*]] = arith.subi %[[UB]], %[[LB]]
  // CHECK: %[[EXTENT:.*]] = arith.maxsi %[[D]], %c0
  // CHECK: %[[COUNT:.*]] = arith.ceildivsi %[[EXTENT]], %[[STEP]]
  // CHECK: %[[TOTAL:.*]] = arith.muli %{{.*}}, %[[COUNT]]
  // CHECK: %[[BLOCKS:.*]] = arith.ceildivsi %[[TOTAL]], %c256
  // CHECK: %[[SOME:.*]] = arith.maxsi %[[BLOCKS]], %c1
  // CHECK: %[[GRID:.*]] = arith.minsi %[[SOME]], %c2147483647
  // CHECK: gpu.launch blocks({{.*}}) in (%{{.*}} = %[[GRID]],
  // CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[TOTAL]]
  // CHECK:   %[[M:.*]] = arith.muli %[[I]], %[[STEP]]
  // CHECK:   %[[A:.*]] = arith.addi %[[M]], %[[LB]]
  // CHECK:   memref.store %{{.*}}, %{{.*}}[%[[A]]]
  scf.parallel (%i) = (%lb) to (%ub) step (%step) {
    memref.store %f, %x[%i] : memref<?xf32>
  }
  return
}

// The kernel gets whole buffers: constants and views are made in it, of scalars
// that it gets from outside. Among these is the place of a buffer in the arena, so
// that layers of equal shapes have equal kernels.

memref.global "private" constant @table : memref<4xf32> = dense<1.0>

// CHECK-LABEL: func @views
//  CHECK-SAME:   (%[[ARENA:.*]]: memref<1024xi8>, %[[N:.*]]: index)
func.func @views(%arena: memref<1024xi8>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  // CHECK: %[[SHIFT:.*]] = arith.constant 64 : index
  %c64 = arith.constant 64 : index
  %f = arith.constant 2.0 : f32
  // CHECK: scf.for %[[L:.*]] =
  scf.for %l = %c0 to %n step %c1 {
    %view = memref.view %arena[%c64][] : memref<1024xi8> to memref<8x4xf32>
    %row = memref.subview %view[%l, 0] [1, 4] [1, 1] : memref<8x4xf32> to memref<4xf32, strided<[1], offset: ?>>
    %t = memref.get_global @table : memref<4xf32>
    // CHECK: gpu.launch
    // CHECK:     scf.for
    // CHECK-DAG:   arith.constant 2.0
    // CHECK-DAG:   memref.get_global @table
    // CHECK-DAG:   %[[VIEW:.*]] = memref.view %[[ARENA]][%[[SHIFT]]]
    // CHECK-DAG:   %[[ROW:.*]] = memref.subview %[[VIEW]][%[[L]], 0]
    // CHECK:       memref.store %{{.*}}, %[[ROW]]
    scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
      %e = memref.load %t[%i] : memref<4xf32>
      %0 = arith.mulf %e, %f : f32
      memref.store %0, %row[%i] : memref<4xf32, strided<[1], offset: ?>>
    }
  }
  return
}

// CHECK-LABEL: func @nested
func.func @nested(%x: memref<4x8xf32>, %f: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  // CHECK: gpu.launch
  // CHECK:   scf.for %[[I:.*]] =
  // CHECK:     scf.for %[[J:.*]] =
  // CHECK:       memref.store %{{.*}}, %{{.*}}[%[[I]], %[[J]]]
  // CHECK-NOT: scf.parallel
  scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
    scf.parallel (%j) = (%c0) to (%c8) step (%c1) {
      memref.store %f, %x[%i, %j] : memref<4x8xf32>
    }
  }
  return
}
