// RUN: memrev-opt %s --gpu-emit-copies | FileCheck %s

// Two copies of one shape, by one kernel; one to a slice at an index; one of a slice
// in another shape.

// CHECK-LABEL: func @copies
// CHECK-SAME: (%[[A:.*]]: memref<4x64xf32>, %[[B:.*]]: memref<4x64xf32>, %[[R:.*]]: memref<64xf32>, %[[I:.*]]: index)
func.func @copies(%a: memref<4x64xf32>, %b: memref<4x64xf32>, %r: memref<64xf32>, %i: index) {
  // CHECK: call @[[WHOLE:.*]](%[[A]], %[[B]])
  memref.copy %a, %b : memref<4x64xf32> to memref<4x64xf32>
  // CHECK: call @[[ROW:.*]](%[[R]], %[[I]], %[[A]]) : (memref<64xf32>, index, memref<4x64xf32>) -> ()
  %s = memref.subview %a[%i, 0] [1, 64] [1, 1] : memref<4x64xf32> to memref<64xf32, strided<[1], offset: ?>>
  memref.copy %r, %s : memref<64xf32> to memref<64xf32, strided<[1], offset: ?>>
  // CHECK: call @[[WHOLE]](%[[B]], %[[A]])
  linalg.copy ins(%b : memref<4x64xf32>) outs(%a : memref<4x64xf32>)
  // CHECK: call @[[RESHAPED:.*]](%[[A]], %{{.*}}) : (memref<4x64xf32>, memref<2x8x4xf32>) -> ()
  %t = memref.subview %a[2, 0] [2, 32] [1, 1] : memref<4x64xf32> to memref<2x32xf32, strided<[64, 1], offset: 128>>
  %u = memref.expand_shape %t [[0], [1, 2]] output_shape [2, 8, 4] : memref<2x32xf32, strided<[64, 1], offset: 128>> into memref<2x8x4xf32, strided<[64, 4, 1], offset: 128>>
  %v = memref.expand_shape %r [[0, 1, 2]] output_shape [2, 8, 4] : memref<64xf32> into memref<2x8x4xf32>
  memref.copy %u, %v : memref<2x8x4xf32, strided<[64, 4, 1], offset: 128>> to memref<2x8x4xf32>
  return
}

// What has no static shape, other views and what is in a kernel stay.

// CHECK-LABEL: func @others
// CHECK-COUNT-3: memref.copy
func.func @others(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<8xcomplex<f32>>, %d: memref<8xcomplex<f32>>, %e: memref<8xf32>, %f: memref<8xf32>) {
  memref.copy %a, %b : memref<?xf32> to memref<?xf32>
  memref.copy %c, %d : memref<8xcomplex<f32>> to memref<8xcomplex<f32>>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%c1) step (%c1) {
    memref.copy %e, %f : memref<8xf32> to memref<8xf32>
  }
  return
}

// 16 bytes at once: 64 threads have work, or 16.

// CHECK: func.func private @[[WHOLE]](memref<4x64xf32> {bufferization.access = "read"}, memref<4x64xf32> {bufferization.access = "write"})
// CHECK-SAME: memrev.launch = array<i64: 1, 128, 0>
// CHECK: llvm.func @[[WHOLE]](
// CHECK: arith.constant 64 : i32
// CHECK: llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: llvm.store {{.*}} {alignment = 16 : i64} : vector<4xf32>
// CHECK: llvm.func @[[ROW]](
// CHECK: llvm.load {{.*}} -> vector<4xf32>
// CHECK: func.func private @[[ROW]](memref<64xf32> {bufferization.access = "read"}, index, memref<4x64xf32> {bufferization.access = "read-write"})
