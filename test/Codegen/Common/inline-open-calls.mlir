// RUN: memrev-opt %s -codegen-inline-open-calls | FileCheck %s

// What takes a buffer of open extents is inlined, and what it calls; others are
// left alone.
// CHECK-LABEL: func.func @f
// CHECK-NOT: call @open
// CHECK-COUNT-2: linalg.exp
// CHECK: call @closed
func.func @f(%x: memref<1xf32>, %n: index, %y: memref<4xf32>) {
  %b = memref.reinterpret_cast %x to offset: [0], sizes: [%n], strides: [1] : memref<1xf32> to memref<?xf32>
  call @open(%b) : (memref<?xf32>) -> ()
  call @closed(%y) : (memref<4xf32>) -> ()
  return
}
// CHECK-NOT: @open
func.func private @open(%x: memref<?xf32>) {
  linalg.exp ins(%x : memref<?xf32>) outs(%x : memref<?xf32>)
  call @open_inner(%x) : (memref<?xf32>) -> ()
  return
}
func.func private @open_inner(%x: memref<?xf32>) {
  linalg.exp ins(%x : memref<?xf32>) outs(%x : memref<?xf32>)
  return
}
// CHECK-LABEL: func.func private @closed
func.func private @closed(%x: memref<4xf32>) {
  linalg.exp ins(%x : memref<4xf32>) outs(%x : memref<4xf32>)
  return
}
