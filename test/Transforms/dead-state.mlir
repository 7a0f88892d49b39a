// RUN: memrev-opt %s -rev-differentiate -symbol-dce | FileCheck %s

// The derivative of a sum reads no value of the function: neither the forward
// loop nor the state of the reversed one is left.
// CHECK-LABEL: func.func private @sum_vjp(
// CHECK-SAME:    %{{.*}}: tensor<4xf64>, %[[DY:.*]]: tensor<4xf64>)
// CHECK-NOT:     arith.subf
// CHECK:         %[[ZERO:.*]] = linalg.fill
// CHECK:         %[[R:.*]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %[[DY]], %{{.*}} = %[[ZERO]]) -> (tensor<4xf64>, tensor<4xf64>)
// CHECK-NOT:     scf.for
// CHECK:         return %[[R]]#1
func.func @sum(%x: tensor<4xf64>) -> tensor<4xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 64 : index
  %z = arith.constant dense<0.0> : tensor<4xf64>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %z) -> tensor<4xf64> {
    %b = arith.addf %a, %x : tensor<4xf64>
    scf.yield %b : tensor<4xf64>
  }
  return %r : tensor<4xf64>
}

// A tape of what is stored, and no stack of results that nobody reads.
// CHECK-LABEL: func.func private @scan_vjp(
// CHECK:         scf.for {{.*}} -> (tensor<4xf64>, tensor<8x4xf64>)
func.func @scan(%x: tensor<4xf64>) -> tensor<8x4xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 8 : index
  %e = tensor.empty() : tensor<8x4xf64>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %s = %e) -> (tensor<4xf64>, tensor<8x4xf64>) {
    %b = math.tanh %a : tensor<4xf64>
    %t = tensor.insert_slice %b into %s[%i, 0] [1, 4] [1, 1] : tensor<4xf64> into tensor<8x4xf64>
    scf.yield %b, %t : tensor<4xf64>, tensor<8x4xf64>
  }
  return %r#1 : tensor<8x4xf64>
}

func.func @main(%x: tensor<4xf64>, %c: tensor<8x4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %0 = rev.vjp @sum(%x) cotangents(%x) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %1 = rev.vjp @scan(%x) cotangents(%c) policy(store) : (tensor<4xf64>, tensor<8x4xf64>) -> tensor<4xf64>
  return %0, %1 : tensor<4xf64>, tensor<4xf64>
}
