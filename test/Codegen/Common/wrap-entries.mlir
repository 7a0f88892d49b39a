// RUN: memrev-opt %s -codegen-results-to-destinations -codegen-wrap-entries -split-input-file | FileCheck %s

// The result lives in an overwritten argument: one copy, into the result.
// CHECK-LABEL: func.func @overwrite(
// CHECK-SAME: %[[X:.*]]: memref<4xf32> {memrev.role = "argument"}, %[[Y:.*]]: memref<4xf32> {memrev.role = "argument"}, %[[R:.*]]: memref<4xf32> {memrev.role = "result"}
// CHECK-SAME: memrev.entry, memrev.result_parameters = array<i64: 2>
// CHECK-NEXT: memref.copy %[[X]], %[[R]]
// CHECK-NEXT: call @overwrite.inplace(%[[R]], %[[Y]])
// CHECK-NEXT: return
// CHECK: func.func private @overwrite.inplace
func.func @overwrite(%x: memref<4xf32>, %y: memref<4xf32>) -> memref<4xf32> {
  linalg.add ins(%x, %y : memref<4xf32>, memref<4xf32>) outs(%x : memref<4xf32>)
  return %x : memref<4xf32>
}

// -----

// A write in a callee counts; an argument that is only read is not copied.
func.func private @write(%x: memref<4xf32>) {
  %c = arith.constant 1.0 : f32
  %v = memref.expand_shape %x [[0, 1]] output_shape [2, 2] : memref<4xf32> into memref<2x2xf32>
  linalg.fill ins(%c : f32) outs(%v : memref<2x2xf32>)
  return
}
// CHECK-LABEL: func.func @scratch(
// CHECK-SAME: %[[X:.*]]: memref<4xf32> {{.*}}, %[[Y:.*]]: memref<4xf32> {{.*}}, %[[R:.*]]: memref<f32> {memrev.role = "result", memrev.scalar}
// CHECK: %[[COPY:.*]] = memref.alloc
// CHECK-NEXT: memref.copy %[[X]], %[[COPY]]
// CHECK-NEXT: %[[S:.*]] = call @scratch.inplace(%[[COPY]], %[[Y]])
// CHECK-NEXT: memref.store %[[S]], %[[R]]
func.func @scratch(%x: memref<4xf32>, %y: memref<4xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  call @write(%x) : (memref<4xf32>) -> ()
  %s = memref.load %y[%c0] : memref<4xf32>
  return %s : f32
}

// -----

// A donated argument is not copied and holds its result; a second result in it
// is copied.
// CHECK-LABEL: func.func @donated(
// CHECK-SAME: %[[X:.*]]: memref<4xf32> {memrev.overwritten, memrev.role = "argument"}, %[[R:.*]]: memref<4xf32>
// CHECK-SAME: memrev.result_parameters = array<i64: 0, 1>
// CHECK-NEXT: call @donated.inplace(%[[X]])
// CHECK-NEXT: memref.copy %[[X]], %[[R]]
func.func @donated(%x: memref<4xf32> {rev.donated}) -> (memref<4xf32>, memref<4xf32>) {
  linalg.exp ins(%x : memref<4xf32>) outs(%x : memref<4xf32>)
  return %x, %x : memref<4xf32>, memref<4xf32>
}

// -----

// A result that is an argument as it came is copied after the call.
// CHECK-LABEL: func.func @same(
// CHECK-SAME: %[[X:.*]]: memref<4xf32> {{.*}}, %[[A:.*]]: memref<4xf32> {{.*}}, %[[B:.*]]: memref<4xf32>
// CHECK-NEXT: call @same.inplace(%[[X]])
// CHECK-NEXT: memref.copy %[[X]], %[[A]]
// CHECK-NEXT: memref.copy %[[X]], %[[B]]
func.func @same(%x: memref<4xf32>) -> (memref<4xf32>, memref<4xf32>) {
  return %x, %x : memref<4xf32>, memref<4xf32>
}

// -----

// Of buffers of open extents a wrapper takes addresses, and the extents of the
// arguments behind these; those of results follow from them.
// CHECK-LABEL: func.func @open(
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<1xf32> {memrev.buffer_type = memref<?x4xf32>, memrev.extents = affine_map<()[s0, s1] -> (s0)>, memrev.role = "argument"}
// CHECK-SAME: %[[Y:[a-z0-9]+]]: memref<1xf32> {memrev.buffer_type = memref<?xf32>, memrev.extents = affine_map<()[s0, s1] -> (s1)>, memrev.role = "argument"}
// CHECK-SAME: %[[N:[a-z0-9]+]]: index {memrev.role = "extent"}
// CHECK-SAME: %[[M:[a-z0-9]+]]: index {memrev.role = "extent"}
// CHECK-SAME: %[[R:[a-z0-9]+]]: memref<1xf32> {memrev.buffer_type = memref<?x?xf32>, memrev.extents = affine_map<()[s0, s1] -> (s1 - 1, s0)>, memrev.role = "result"}
// CHECK-DAG: %[[XB:.*]] = memref.reinterpret_cast %[[X]] to offset: [0], sizes: [%[[N]], 4], strides: [4, 1] : memref<1xf32> to memref<?x4xf32>
// CHECK-DAG: %[[YB:.*]] = memref.reinterpret_cast %[[Y]] to offset: [0], sizes: [%[[M]]], strides: [1]
// CHECK-DAG: %[[RB:.*]] = memref.reinterpret_cast %[[R]] to offset: [0], sizes: [%{{.*}}, %[[N]]], strides: [%[[N]], 1]
// The argument that is written to is copied.
// CHECK: %[[COPY:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x4xf32>
// CHECK: memref.copy %[[XB]], %[[COPY]]
// CHECK: call @open.inplace(%[[COPY]], %[[YB]], %[[RB]])
func.func @open(%x: memref<?x4xf32>, %y: memref<?xf32>) -> memref<?x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  %m = memref.dim %y, %c0 : memref<?xf32>
  %k = arith.subi %m, %c1 : index
  %r = memref.alloc(%k, %n) : memref<?x?xf32>
  linalg.exp ins(%x : memref<?x4xf32>) outs(%x : memref<?x4xf32>)
  linalg.exp ins(%r : memref<?x?xf32>) outs(%r : memref<?x?xf32>)
  return %r : memref<?x?xf32>
}
