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
