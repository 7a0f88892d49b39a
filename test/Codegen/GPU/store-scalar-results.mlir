// RUN: memrev-opt %s --gpu-store-scalar-results | FileCheck %s

// The result of the body is stored in the body, right behind its arithmetic,
// which moves up to what it reads.

// CHECK-LABEL: func @entry(
//  CHECK-SAME:   %[[X:.*]]: memref<4xf32> {{{.*}}}, %[[R:.*]]: memref<f32>
//       CHECK:   %[[COUNT:.*]] = call @body(%[[X]], %[[R]]) : (memref<4xf32>, memref<f32>) -> index
//   CHECK-NOT:   memref.store
//       CHECK:   call @use(%[[COUNT]])
func.func @entry(%x: memref<4xf32> {memrev.role = "argument"}, %r: memref<f32> {memrev.role = "result"}) {
  %0:2 = call @body(%x) : (memref<4xf32>) -> (f32, index)
  call @use(%0#1) : (index) -> ()
  memref.store %0#0, %r[] : memref<f32>
  return
}

// CHECK-LABEL: func private @body(
//  CHECK-SAME:   %[[X:.*]]: memref<4xf32>, %[[R:.*]]: memref<f32> {memrev.role = "result"}) -> index
//       CHECK:   %[[TWO:.*]] = arith.constant 2.0
//       CHECK:   %[[LOSS:.*]] = memref.load
//  CHECK-NEXT:   %[[SQUARE:.*]] = arith.mulf %[[LOSS]], %[[LOSS]]
//  CHECK-NEXT:   %[[HALF:.*]] = arith.divf %[[SQUARE]], %[[TWO]]
//  CHECK-NEXT:   memref.store %[[HALF]], %[[R]][]
//       CHECK:   linalg.fill
//       CHECK:   return %{{.*}} : index
func.func private @body(%x: memref<4xf32>) -> (f32, index) {
  %c0 = arith.constant 0 : index
  %two = arith.constant 2.0 : f32
  %loss = memref.load %x[%c0] : memref<4xf32>
  linalg.fill ins(%two : f32) outs(%x : memref<4xf32>)
  %square = arith.mulf %loss, %loss : f32
  %half = arith.divf %square, %two : f32
  return %half, %c0 : f32, index
}
func.func private @use(index)

// What several calls return, or what the caller reads too, stays.

// CHECK-LABEL: func @twice(
//       CHECK:   %[[A:.*]] = call @shared
//       CHECK:   memref.store %[[A]]
//       CHECK:   call @shared
func.func @twice(%x: memref<f32>, %r: memref<f32> {memrev.role = "result"}, %s: memref<f32> {memrev.role = "result"}) {
  %0 = call @shared(%x) : (memref<f32>) -> f32
  memref.store %0, %r[] : memref<f32>
  %1 = call @shared(%x) : (memref<f32>) -> f32
  memref.store %1, %s[] : memref<f32>
  return
}
func.func private @shared(%x: memref<f32>) -> f32 {
  %0 = memref.load %x[] : memref<f32>
  return %0 : f32
}

// CHECK-LABEL: func @read_too(
//       CHECK:   %[[A:.*]] = call @once
//       CHECK:   memref.store %[[A]]
//       CHECK:   call @scalar(%[[A]])
func.func @read_too(%x: memref<f32>, %r: memref<f32> {memrev.role = "result"}) {
  %0 = call @once(%x) : (memref<f32>) -> f32
  call @scalar(%0) : (f32) -> ()
  memref.store %0, %r[] : memref<f32>
  return
}
func.func private @once(%x: memref<f32>) -> f32 {
  %0 = memref.load %x[] : memref<f32>
  return %0 : f32
}
func.func private @scalar(f32)

// Other memory may be read in between, and a buffer that is stored to twice is
// left alone.

// CHECK-LABEL: func @no_result(
//       CHECK:   call @scalar
//       CHECK:   memref.store
// CHECK-LABEL: func @two_stores(
//       CHECK:   call @scalar
//       CHECK:   memref.store
//       CHECK:   memref.store
func.func @no_result(%x: memref<f32>, %r: memref<f32> {memrev.role = "argument"}) {
  %0 = memref.load %x[] : memref<f32>
  call @scalar(%0) : (f32) -> ()
  memref.store %0, %r[] : memref<f32>
  return
}
func.func @two_stores(%x: memref<f32>, %r: memref<f32> {memrev.role = "result"}) {
  %0 = memref.load %x[] : memref<f32>
  %1 = arith.addf %0, %0 : f32
  call @scalar(%1) : (f32) -> ()
  memref.store %0, %r[] : memref<f32>
  memref.store %1, %r[] : memref<f32>
  return
}

// A scalar that is an argument is stored at the start.

// CHECK-LABEL: func @argument(
//  CHECK-NEXT:   memref.store
//       CHECK:   call @scalar
func.func @argument(%f: f32, %r: memref<f32> {memrev.role = "result"}) {
  call @scalar(%f) : (f32) -> ()
  memref.store %f, %r[] : memref<f32>
  return
}
