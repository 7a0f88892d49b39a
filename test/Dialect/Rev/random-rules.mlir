// RUN: memrev-opt %s -rev-differentiate -split-input-file | FileCheck %s

// The derivative drops the same elements: it evaluates the mask again.
// CHECK-LABEL: func.func private @f_vjp
// CHECK-SAME: (%{{.*}}: tensor<?xf32>, %[[P:.*]]: f32, %[[SEED:.*]]: i64, %[[STEP:.*]]: i32, %[[DY:.*]]: tensor<?xf32>)
// CHECK: %[[DX:.*]] = rev.dropout %[[DY]] rate %[[P]] seed %[[SEED]] layer %[[STEP]] step %[[STEP]] offset %[[SEED]]
// CHECK: return %[[DX]]
func.func private @f(%x: tensor<?xf32>, %rate: f32, %seed: i64, %step: i32) -> tensor<?xf32> {
  %0 = rev.dropout %x rate %rate seed %seed layer %step step %step offset %seed
      : (tensor<?xf32>, f32, i64, i32, i32, i64) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
func.func @main(%x: tensor<?xf32>, %rate: f32, %seed: i64, %step: i32) -> tensor<?xf32> {
  %0 = rev.vjp @f(%x, %rate, %seed, %step) cotangents(%x) wrt [0]
      : (tensor<?xf32>, f32, i64, i32, tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func private @f_jvp
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[P:.*]]: f32, %[[SEED:.*]]: i64, %[[TX:.*]]: tensor<4xf32>)
// CHECK: %[[Y:.*]] = rev.dropout %[[X]] rate %[[P]] seed %[[SEED]] layer %[[SEED]] step %[[SEED]]
// CHECK: %[[TY:.*]] = rev.dropout %[[TX]] rate %[[P]] seed %[[SEED]] layer %[[SEED]] step %[[SEED]]
// CHECK: return %[[Y]], %[[TY]]
func.func private @f(%x: tensor<4xf32>, %rate: f32, %seed: i64) -> tensor<4xf32> {
  %0 = rev.dropout %x rate %rate seed %seed layer %seed step %seed
      : (tensor<4xf32>, f32, i64, i64, i64) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %rate: f32, %seed: i64) -> tensor<4xf32> {
  %y, %ty = rev.jvp @f(%x, %rate, %seed) tangents(%x) wrt [0]
      : (tensor<4xf32>, f32, i64, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %ty : tensor<4xf32>
}

// -----

// Noise in a loop that stores is generated again rather than stored: the tape
// holds the state only.
// CHECK-LABEL: func.func private @f_vjp
// CHECK: scf.for
// CHECK: tensor.insert_slice {{.*}} into tensor<4x8xf32>
// CHECK-NOT: tensor.insert_slice
// CHECK: scf.for
// CHECK: rev.random_uniform
// CHECK-NOT: tensor.insert_slice
// CHECK: return
func.func private @f(%x: tensor<8xf32>, %seed: i64) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %y = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %x) -> tensor<8xf32> {
    %noise = rev.random_uniform seed %seed layer %i step %c0 : (i64, index, index) -> tensor<8xf32>
    %s = math.sin %a : tensor<8xf32>
    %p = arith.mulf %s, %noise : tensor<8xf32>
    scf.yield %p : tensor<8xf32>
  }
  return %y : tensor<8xf32>
}
func.func @main(%x: tensor<8xf32>, %seed: i64) -> tensor<8xf32> {
  %0 = rev.vjp @f(%x, %seed) cotangents(%x) policy(store) : (tensor<8xf32>, i64, tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
