// RUN: memrev-opt %s -rev-index-loops -allow-unregistered-dialect -split-input-file | FileCheck %s

// The distance of the bounds has no i8.
// CHECK-LABEL: @narrow
// CHECK: %[[COUNT:.*]] = arith.constant 4 : index
// CHECK: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK: %[[ONE:.*]] = arith.constant 1 : index
// CHECK: scf.for %[[K:.*]] = %[[ZERO]] to %[[COUNT]] step %[[ONE]] iter_args(%[[A:.*]] = %{{.*}}) -> (i8) {
// CHECK: %[[N:.*]] = arith.index_cast %[[K]] : index to i8
// CHECK: %[[O:.*]] = arith.muli %[[N]], %{{.*}} : i8
// CHECK: %[[I:.*]] = arith.addi %{{.*}}, %[[O]] : i8
// CHECK: %[[S:.*]] = arith.addi %[[A]], %[[I]] : i8
// CHECK: scf.yield %[[S]]
// CHECK: } {test.kept}
func.func @narrow(%x: i8) -> i8 {
  %low = arith.constant -100 : i8
  %high = arith.constant 100 : i8
  %step = arith.constant 50 : i8
  %r = scf.for %i = %low to %high step %step iter_args(%a = %x) -> (i8) : i8 {
    %s = arith.addi %a, %i : i8
    scf.yield %s : i8
  } {test.kept}
  return %r : i8
}

// -----

// Bounds that are not known, unsigned ones, loops in loops.
// CHECK-LABEL: @nested
// CHECK: arith.cmpi ult
// CHECK: arith.divui
// CHECK: scf.for {{.*}} {
// CHECK: arith.cmpi slt
// CHECK: scf.for {{.*}} {
// CHECK-NOT: : i32 {
// CHECK: return
func.func @nested(%m: memref<4xi32>, %low: i16, %high: i16, %step: i16, %n: i32) {
  %one = arith.constant 1 : i32
  scf.for unsigned %i = %low to %high step %step : i16 {
    scf.for %j = %one to %n step %one : i32 {
      %k = arith.index_cast %i : i16 to index
      memref.store %j, %m[%k] : memref<4xi32>
    }
  }
  return
}

// -----

// CHECK-LABEL: @index
// CHECK-NEXT: scf.for %{{.*}} = %arg0 to %arg1 step %arg2 {
func.func @index(%low: index, %high: index, %step: index) {
  scf.for %i = %low to %high step %step {
    "test.use"(%i) : (index) -> ()
  }
  return
}
