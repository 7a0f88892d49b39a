// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-linalg-to-parallel))" | FileCheck %s

// The parallel dimensions number the outputs, the reduction stays in a thread,
// which accumulates in a register.

// CHECK-LABEL: func @matmul
//  CHECK-SAME:   (%[[A:.*]]: memref<8x32xf32>, %[[B:.*]]: memref<32x16xf32>, %[[C:.*]]: memref<8x16xf32>)
func.func @matmul(%a: memref<8x32xf32>, %b: memref<32x16xf32>, %c: memref<8x16xf32>) {
  // CHECK: scf.parallel (%[[M:.*]], %[[N:.*]]) = (%{{.*}}, %{{.*}}) to (%c8{{.*}}, %c16{{.*}})
  // CHECK: %[[INIT:.*]] = memref.load %[[C]][%[[M]], %[[N]]]
  // CHECK: %[[SUM:.*]] = scf.for %[[K:.*]] = {{.*}} iter_args(%[[ACC:.*]] = %[[INIT]])
  // CHECK:   memref.load %[[A]][%[[M]], %[[K]]]
  // CHECK:   memref.load %[[B]][%[[K]], %[[N]]]
  // CHECK-NOT: memref.store
  // CHECK:   scf.yield
  // CHECK: memref.store %[[SUM]], %[[C]][%[[M]], %[[N]]]
  // CHECK: memrev.kernel_name = "matmul"
  linalg.matmul ins(%a, %b : memref<8x32xf32>, memref<32x16xf32>) outs(%c : memref<8x16xf32>)
  return
}

// Outer reduction dimensions do not become loops around launches.

// CHECK-LABEL: func @sum_over_rows
func.func @sum_over_rows(%x: memref<64x10xf32>, %s: memref<10xf32>) {
  // CHECK-NOT: scf.for
  // CHECK: scf.parallel (%{{.*}}) = (%{{.*}}) to (%c10{{.*}})
  // CHECK:   scf.for {{.*}} to %c64
  linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
      iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<64x10xf32>) outs(%s : memref<10xf32>) {
  ^bb0(%e: f32, %acc: f32):
    %0 = arith.addf %acc, %e : f32
    linalg.yield %0 : f32
  }
  return
}

// The last parallel dimension is the innermost one of the output.

// CHECK-LABEL: func @transpose
func.func @transpose(%x: memref<3x5xf32>, %y: memref<5x3xf32>) {
  // CHECK: scf.parallel (%[[J:.*]], %[[I:.*]]) = {{.*}} to (%c5{{.*}}, %c3{{.*}})
  // CHECK:   memref.load %{{.*}}[%[[I]], %[[J]]]
  // CHECK:   memref.store %{{.*}}, %{{.*}}[%[[J]], %[[I]]]
  linalg.transpose ins(%x : memref<3x5xf32>) outs(%y : memref<5x3xf32>) permutation = [1, 0]
  return
}

// A dimension inside of an expression selects no element on its own: two of its
// values may write the same one. It stays sequential, in memory.

// CHECK-LABEL: func @scatter
func.func @scatter(%x: memref<6x3xf32>, %w: memref<3xf32>, %y: memref<8xf32>) {
  // CHECK: scf.parallel (%{{.*}}) = (%{{.*}}) to (%c1{{.*}})
  // CHECK:   scf.for
  // CHECK:     scf.for
  // CHECK:       memref.store
  linalg.generic {
      indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i + k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %w : memref<6x3xf32>, memref<3xf32>) outs(%y : memref<8xf32>) {
  ^bb0(%e: f32, %f: f32, %acc: f32):
    %0 = arith.mulf %e, %f : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// A pooling window has a shape only.

// CHECK-LABEL: func @pooling
//  CHECK-SAME:   %[[W:[^:]*]]: memref<2x2xf32>
func.func @pooling(%x: memref<1x4x4x3xf32>, %w: memref<2x2xf32>, %y: memref<1x2x2x3xf32>) {
  // CHECK-NOT: memref.load %[[W]]
  // CHECK: scf.parallel
  // CHECK-NOT: memref.load %[[W]]
  // CHECK: return
  linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%x, %w : memref<1x4x4x3xf32>, memref<2x2xf32>) outs(%y : memref<1x2x2x3xf32>)
  return
}

// CHECK-LABEL: func @indices
func.func @indices(%y: memref<4x6xindex>) {
  // CHECK: scf.parallel (%[[I:.*]], %[[J:.*]]) =
  // CHECK:   %[[S:.*]] = arith.addi %[[I]], %[[J]]
  // CHECK:   memref.store %[[S]]
  linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      outs(%y : memref<4x6xindex>) {
  ^bb0(%old: index):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.addi %i, %j : index
    linalg.yield %0 : index
  }
  return
}

// CHECK-LABEL: func @scalar
func.func @scalar(%x: memref<f32>, %y: memref<f32>) {
  // CHECK: scf.parallel (%{{.*}}) = (%c0{{.*}}) to (%c1{{.*}})
  // CHECK:   %[[E:.*]] = memref.load %{{.*}}[]
  // CHECK:   memref.store %[[E]], %{{.*}}[]
  // CHECK: memrev.kernel_name = "copy"
  memref.copy %x, %y : memref<f32> to memref<f32>
  return
}

// CHECK-LABEL: func @self_copy
// CHECK-NOT: scf.parallel
func.func @self_copy(%x: memref<4xf32>) {
  memref.copy %x, %x : memref<4xf32> to memref<4xf32>
  return
}

// CHECK-LABEL: func @strided_copy
func.func @strided_copy(%x: memref<4x?xf32, strided<[?, 2], offset: ?>>, %y: memref<4x?xf32>) {
  // CHECK: %[[D:.*]] = memref.dim %{{.*}}, %c1
  // CHECK: scf.parallel {{.*}} to (%c4{{.*}}, %[[D]])
  memref.copy %x, %y : memref<4x?xf32, strided<[?, 2], offset: ?>> to memref<4x?xf32>
  return
}

// What runs on the device already is left alone.

// CHECK-LABEL: func @on_device
func.func @on_device(%x: memref<4x8xf32>, %f: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
    %row = memref.subview %x[%i, 0] [1, 8] [1, 1] : memref<4x8xf32> to memref<8xf32, strided<[1], offset: ?>>
    // CHECK: linalg.fill
    linalg.fill ins(%f : f32) outs(%row : memref<8xf32, strided<[1], offset: ?>>)
  }
  return
}
