// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-copy-constants))" | FileCheck %s

// What an operation reads by itself is in its kernel.
// CHECK-LABEL: func.func @yielded
func.func @yielded(%condition: i1, %x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: %[[CONSTANT:.*]] = arith.constant dense<[1.0
  %0 = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  // CHECK: scf.if
  %1 = scf.if %condition -> tensor<4xf32> {
    // CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<4xf32>
    // CHECK: %[[COPY:.*]] = linalg.copy ins(%[[CONSTANT]] : {{.*}}) outs(%[[EMPTY]]
    // CHECK: scf.yield %[[COPY]]
    scf.yield %0 : tensor<4xf32>
  } else {
    // CHECK: scf.yield %arg1
    scf.yield %x : tensor<4xf32>
  }
  // CHECK: linalg.add ins(%{{.*}}, %[[CONSTANT]]
  %2 = linalg.add ins(%1, %0 : tensor<4xf32>, tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}

// Parts of constants too.
// CHECK-LABEL: func.func @iterated
func.func @iterated(%n: index, %x: tensor<2xf32>) -> tensor<2xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  // CHECK: %[[SLICE:.*]] = tensor.extract_slice
  %1 = tensor.extract_slice %0[1] [2] [1] : tensor<4xf32> to tensor<2xf32>
  // CHECK: %[[COPY:.*]] = linalg.copy ins(%[[SLICE]]
  // CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[COPY]])
  %2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %1) -> tensor<2xf32> {
    // CHECK: scf.yield %arg1
    scf.yield %x : tensor<2xf32>
  }
  return %2 : tensor<2xf32>
}

// CHECK-LABEL: func.func @selected
func.func @selected(%condition: i1, %x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  // CHECK: %[[COPY:.*]] = linalg.copy
  // CHECK: arith.select %{{.*}}, %[[COPY]], %{{.*}} : tensor<4xf32>
  %1 = arith.select %condition, %0, %x : tensor<4xf32>
  return %1 : tensor<4xf32>
}
