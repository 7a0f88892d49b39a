// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(codegen-carry-one-buffer))' --split-input-file | FileCheck %s
// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(codegen-carry-one-buffer),codegen-results-to-destinations,codegen-wrap-entries)' --split-input-file | FileCheck %s --check-prefix=ENTRY

// What an iteration allocates and yields is copied to the buffer that the loop
// carries: the next iteration would otherwise write over what it reads.
// CHECK-LABEL: func.func @carried(
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}})
// CHECK: %[[B:.*]] = memref.alloc
// CHECK: linalg.exp ins(%[[A]] : memref<4xf32>) outs(%[[B]] : memref<4xf32>)
// CHECK: memref.copy %[[B]], %[[A]]
// CHECK-NEXT: scf.yield %[[A]]

// So the loop writes to the argument. A caller does not see that: an entry gets a
// copy.
// ENTRY-LABEL: func.func @carried(
// ENTRY-SAME:    %[[X:.*]]: memref<4xf32> {memrev.role = "argument"}, %[[Y:[^:]*]]: memref<4xf32>
// ENTRY:         %[[OWN:.*]] = memref.alloc
// ENTRY:         memref.copy %[[X]], %[[OWN]]
// ENTRY:         call @carried.inplace(%[[OWN]],
func.func @carried(%x: memref<4xf32>, %y: memref<4xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> memref<4xf32> {
    %b = memref.alloc() : memref<4xf32>
    linalg.exp ins(%a : memref<4xf32>) outs(%b : memref<4xf32>)
    linalg.exp ins(%a : memref<4xf32>) outs(%y : memref<4xf32>)
    scf.yield %b : memref<4xf32>
  }
  return
}

// -----

// One that the loop carries already stays.
// CHECK-LABEL: func.func @same(
// CHECK-NOT:     memref.copy
func.func @same(%x: memref<4xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> memref<4xf32> {
    linalg.exp ins(%a : memref<4xf32>) outs(%a : memref<4xf32>)
    scf.yield %a : memref<4xf32>
  }
  return
}
