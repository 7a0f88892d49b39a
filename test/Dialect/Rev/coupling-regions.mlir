// RUN: memrev-opt %s | memrev-opt | FileCheck %s

func.func private @oscillate(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = math.sin %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// What functions do is seen when they are inlined, in loops and by transforms too.
// CHECK-LABEL: func.func @coupling_of_transforms
func.func @coupling_of_transforms(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: rev.coupling additive
  %0 = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    // CHECK: scf.for
    %t = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %a) -> tensor<4xf32> {
      %u = func.call @oscillate(%s) : (tensor<4xf32>) -> tensor<4xf32>
      // CHECK: rev.vjp @oscillate
      %v = rev.vjp @oscillate(%s) cotangents(%u) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      scf.yield %v : tensor<4xf32>
    }
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %0 : tensor<4xf32>
}
