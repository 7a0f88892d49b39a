// RUN: memrev-opt %s "-rev-plan=storage=first=500,second=300,third=200,fourth=100" | FileCheck %s
// RUN: memrev-opt %s "-rev-plan=storage=first=500,second=300,third=200,fourth=100 derived=second" | FileCheck %s --check-prefix=DERIVED

// What a function differentiates, in functions that it calls too, may store so
// much; what two of them do, the fewer bytes. Nothing else may.
// CHECK: func.func private @both({{.*}} attributes {{{.*}}rev.storage_bytes = 300 : i64}
// CHECK: func.func private @called({{.*}} attributes {{{.*}}rev.storage_bytes = 500 : i64}
// CHECK: func.func private @stored(
// CHECK-NOT: rev.storage_bytes

// What functions differentiate that options differentiate later on, neither.
// DERIVED: func.func private @both(
// DERIVED-NOT: rev.storage_bytes
// DERIVED: func.func private @called({{.*}} attributes {{{.*}}rev.storage_bytes = 500 : i64}
func.func private @both(%x: tensor<f32>) -> tensor<f32> {
  %y = math.exp %x : tensor<f32>
  return %y : tensor<f32>
}
func.func private @called(%x: tensor<f32>) -> tensor<f32> {
  %y = math.sin %x : tensor<f32>
  return %y : tensor<f32>
}
func.func private @stored(%x: tensor<f32>) -> tensor<f32> {
  %y = math.cos %x : tensor<f32>
  return %y : tensor<f32>
}
func.func private @helper(%x: tensor<f32>) -> tensor<f32> {
  %v, %dx = rev.value_and_grad @called(%x) : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %dx : tensor<f32>
}
func.func @first(%x: tensor<f32>) -> tensor<f32> {
  %v, %dx = rev.value_and_grad @both(%x) : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  %y = func.call @helper(%dx) : (tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}
func.func @second(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %dx = rev.vjp @both(%x) cotangents(%x) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %dy = rev.vjp @stored(%x) cotangents(%x) policy(store) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %dx, %dy : tensor<f32>, tensor<f32>
}

// What is differentiated twice stores as by default, for others too.
// CHECK: func.func private @once(
// CHECK-NOT: rev.storage_bytes
// CHECK: func.func private @twice({{.*}} attributes {{{.*}}rev.storage_bytes = 200 : i64}
func.func private @once(%x: tensor<f32>) -> tensor<f32> {
  %y = math.exp %x : tensor<f32>
  return %y : tensor<f32>
}
func.func private @twice(%x: tensor<f32>) -> tensor<f32> {
  %v, %dx = rev.value_and_grad @once(%x) : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %dx : tensor<f32>
}
func.func @third(%x: tensor<f32>) -> tensor<f32> {
  %v, %dx = rev.value_and_grad @twice(%x) : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %dx : tensor<f32>
}
func.func @fourth(%x: tensor<f32>) -> tensor<f32> {
  %v, %dx = rev.value_and_grad @once(%x) : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %dx : tensor<f32>
}
