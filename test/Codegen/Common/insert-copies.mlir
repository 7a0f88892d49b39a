// RUN: memrev-opt %s -pass-pipeline='builtin.module(func.func(codegen-insert-copies))' | FileCheck %s

// A state that starts as a slice and is computed on is copied in front of the
// loop, and again where the loop's result is put into a tensor.
// CHECK-LABEL: func.func @halves
func.func @halves(%x: tensor<4x8xf32>, %n: index) -> tensor<4x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[0, 0] [4, 4]
  // CHECK: %[[T:.*]] = tensor.extract_slice %{{.*}}[0, 4] [4, 4]
  // CHECK: %[[A:.*]] = linalg.generic {{.*}} ins(%[[S]] : tensor<4x4xf32>)
  // CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%[[T]] : tensor<4x4xf32>)
  // CHECK: %[[R:.*]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %[[A]], %{{.*}} = %[[B]])
  %s = tensor.extract_slice %x[0, 0] [4, 4] [1, 1] : tensor<4x8xf32> to tensor<4x4xf32>
  %t = tensor.extract_slice %x[0, 4] [4, 4] [1, 1] : tensor<4x8xf32> to tensor<4x4xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %s, %b = %t) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
    %y = linalg.matmul ins(%b, %b : tensor<4x4xf32>, tensor<4x4xf32>) outs(%a : tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %y, %b : tensor<4x4xf32>, tensor<4x4xf32>
  }
  // CHECK: %[[E:.*]] = tensor.empty
  // CHECK: %[[C:.*]] = linalg.generic {{.*}} ins(%[[R]]#0
  // CHECK: %[[F:.*]] = tensor.insert_slice %[[C]] into %[[E]][0, 0]
  // CHECK: %[[D:.*]] = linalg.generic {{.*}} ins(%[[R]]#1
  // CHECK: tensor.insert_slice %[[D]] into %[[F]][0, 4]
  %z = tensor.concat dim(1) %r#0, %r#1 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x8xf32>
  return %z : tensor<4x8xf32>
}

// A loop that updates elements does so in place.
// CHECK-LABEL: func.func @elements
// CHECK-NOT: linalg.generic
func.func @elements(%x: tensor<4x8xf32>, %n: index, %v: f32) -> tensor<4x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %s = tensor.extract_slice %x[0, 0] [4, 4] [1, 1] : tensor<4x8xf32> to tensor<4x4xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %s) -> tensor<4x4xf32> {
    %y = tensor.insert %v into %a[%i, %c0] : tensor<4x4xf32>
    scf.yield %y : tensor<4x4xf32>
  }
  %z = tensor.insert_slice %r into %x[0, 0] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<4x8xf32>
  return %z : tensor<4x8xf32>
}

// A row that is read to compute what takes its place is copied.
// CHECK-LABEL: func.func @row
func.func @row(%x: tensor<4x2xf64>, %w: tensor<2x2xf64>, %z: tensor<2xf64>, %i: index) -> tensor<4x2xf64> {
  // CHECK: %[[R:.*]] = tensor.extract_slice
  // CHECK: %[[C:.*]] = bufferization.alloc_tensor() copy(%[[R]])
  // CHECK: linalg.vecmat ins(%[[C]],
  %row = tensor.extract_slice %x[%i, 0] [1, 2] [1, 1] : tensor<4x2xf64> to tensor<2xf64>
  %y = linalg.vecmat ins(%row, %w : tensor<2xf64>, tensor<2x2xf64>) outs(%z : tensor<2xf64>) -> tensor<2xf64>
  %r = tensor.insert_slice %y into %x[%i, 0] [1, 2] [1, 1] : tensor<2xf64> into tensor<4x2xf64>
  return %r : tensor<4x2xf64>
}

// Another row is not.
// CHECK-LABEL: func.func @other_row
func.func @other_row(%x: tensor<4x2xf64>, %w: tensor<2x2xf64>, %z: tensor<2xf64>) -> tensor<4x2xf64> {
  // CHECK-NOT: copy
  // CHECK: return
  %row = tensor.extract_slice %x[1, 0] [1, 2] [1, 1] : tensor<4x2xf64> to tensor<2xf64>
  %y = linalg.vecmat ins(%row, %w : tensor<2xf64>, tensor<2x2xf64>) outs(%z : tensor<2xf64>) -> tensor<2xf64>
  %r = tensor.insert_slice %y into %x[2, 0] [1, 2] [1, 1] : tensor<2xf64> into tensor<4x2xf64>
  return %r : tensor<4x2xf64>
}
