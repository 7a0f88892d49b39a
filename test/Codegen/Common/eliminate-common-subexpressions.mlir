// RUN: memrev-opt %s -pass-pipeline='builtin.module(func.func(codegen-eliminate-common-subexpressions{max-distant-bytes=64}))' | FileCheck %s

// What is large and quick to evaluate is merged where both are close, and small
// values always.
// CHECK-LABEL: func.func @distance
func.func @distance(%x: tensor<8x8xf32>, %s: tensor<4xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<4xf32>, tensor<4xf32>) {
  // CHECK: %[[A:.*]] = math.exp %[[X:.*]] : tensor<8x8xf32>
  // CHECK: %[[E:.*]] = math.exp %{{.*}} : tensor<4xf32>
  // CHECK-NOT: math.exp
  // CHECK: %[[D:.*]] = linalg.matmul ins(%[[A]], %[[A]]
  %0 = math.exp %x : tensor<8x8xf32>
  %1 = math.exp %x : tensor<8x8xf32>
  %2 = math.exp %s : tensor<4xf32>
  %3 = linalg.matmul ins(%0, %1 : tensor<8x8xf32>, tensor<8x8xf32>) outs(%x : tensor<8x8xf32>) -> tensor<8x8xf32>
  // CHECK: %[[F:.*]] = linalg.matmul ins(%[[D]]
  %4 = linalg.matmul ins(%3, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%x : tensor<8x8xf32>) -> tensor<8x8xf32>
  // CHECK: %[[B:.*]] = math.exp %[[X]]
  // CHECK-NOT: math.exp
  %5 = math.exp %x : tensor<8x8xf32>
  %6 = math.exp %x : tensor<8x8xf32>
  %7 = math.exp %s : tensor<4xf32>
  // CHECK: return %[[F]], %[[B]], %[[B]], %[[E]], %[[E]]
  return %4, %5, %6, %2, %7 : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<4xf32>, tensor<4xf32>
}

// What takes long is merged at any distance, with what a region holds too; so is
// a view.
// CHECK-LABEL: func.func @expensive
func.func @expensive(%x: tensor<8x8xf32>, %n: index) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK-COUNT-2: linalg.matmul
  // CHECK-NOT: linalg.matmul
  // CHECK: return
  %0 = linalg.matmul ins(%x, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%x : tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = linalg.matmul ins(%0, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%x : tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %1) -> tensor<8x8xf32> {
    %3 = linalg.matmul ins(%x, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%x : tensor<8x8xf32>) -> tensor<8x8xf32>
    %4 = arith.addf %a, %3 : tensor<8x8xf32>
    scf.yield %4 : tensor<8x8xf32>
  }
  return %1, %2 : tensor<8x8xf32>, tensor<8x8xf32>
}

// Operations with effects stay, and so do equal operations of sibling regions.
// CHECK-LABEL: func.func @effects
func.func @effects(%m: memref<f32>, %c: i1, %x: f32) -> f32 {
  // CHECK-COUNT-2: memref.load
  // CHECK-COUNT-2: math.exp
  %0 = memref.load %m[] : memref<f32>
  memref.store %x, %m[] : memref<f32>
  %1 = memref.load %m[] : memref<f32>
  %2 = scf.if %c -> f32 {
    %3 = math.exp %0 : f32
    scf.yield %3 : f32
  } else {
    %3 = math.exp %0 : f32
    %4 = arith.addf %3, %1 : f32
    scf.yield %4 : f32
  }
  return %2 : f32
}
