// RUN: memrev-opt %s -codegen-results-to-destinations | FileCheck %s

// An allocation that is returned becomes an argument, once for both results; the
// caller allocates. A returned argument is dropped.
// CHECK-LABEL: func.func private @make(
// CHECK-SAME: %[[X:.*]]: memref<4xf32>, %[[N:.*]]: f32, %[[R:.*]]: memref<4xf32>) -> f32
// CHECK: linalg.exp ins(%[[X]] : {{.*}} outs(%[[R]] :
// CHECK: return %[[N]] : f32
func.func private @make(%x: memref<4xf32>, %n: f32) -> (memref<4xf32>, f32, memref<4xf32>, memref<4xf32>) {
  %r = memref.alloc() : memref<4xf32>
  linalg.exp ins(%x : memref<4xf32>) outs(%r : memref<4xf32>)
  return %r, %n, %r, %x : memref<4xf32>, f32, memref<4xf32>, memref<4xf32>
}

// A loop that carries a buffer around unchanged does not hide it.
// CHECK-LABEL: func.func @entry(
// CHECK-SAME: memrev.num_arguments = 3 : i64, memrev.result_parameters = array<i64: 0, 3, -1, 4>
// CHECK: scf.for
// CHECK: memref.alloc() {alignment = 64 : i64}
// CHECK: call @make
// CHECK: memref.copy %{{.*}}, %arg4
func.func @entry(%x: memref<4xf32>, %n: f32, %c: i1) -> (memref<4xf32>, memref<4xf32>, f32, memref<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %l = scf.for %i = %c0 to %c1 step %c1 iter_args(%a = %x) -> memref<4xf32> {
    %m:4 = func.call @make(%a, %n) : (memref<4xf32>, f32) -> (memref<4xf32>, f32, memref<4xf32>, memref<4xf32>)
    scf.yield %m#3 : memref<4xf32>
  }
  %r = memref.alloc() : memref<4xf32>
  linalg.exp ins(%x : memref<4xf32>) outs(%r : memref<4xf32>)
  %s = arith.select %c, %x, %r : memref<4xf32>
  return %l, %r, %n, %s : memref<4xf32>, memref<4xf32>, f32, memref<4xf32>
}
