// RUN: memrev-opt %s -codegen-strided-copies-to-loops | FileCheck %s

// CHECK-LABEL: func.func @strided
// CHECK: linalg.generic
// CHECK-NOT: memref.copy
func.func @strided(%x: memref<4x4xf32, strided<[8, 1]>>, %y: memref<4x4xf32>) {
  memref.copy %x, %y : memref<4x4xf32, strided<[8, 1]>> to memref<4x4xf32>
  return
}

// CHECK-LABEL: func.func @contiguous
// CHECK-COUNT-2: memref.copy
func.func @contiguous(%x: memref<1x4xf32, strided<[4, 1], offset: ?>>, %y: memref<1x4xf32>, %z: memref<1x4xf32>) {
  memref.copy %x, %y : memref<1x4xf32, strided<[4, 1], offset: ?>> to memref<1x4xf32>
  memref.copy %y, %z : memref<1x4xf32> to memref<1x4xf32>
  return
}
