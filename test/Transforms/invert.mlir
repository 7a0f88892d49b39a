// RUN: memrev-opt %s --split-input-file --rev-invert=function=f | FileCheck %s

// Of an addition each operand follows from the other one; the first argument is
// the default.

// CHECK-LABEL: func.func @f_inverse(
// CHECK-SAME:    %[[Y:.*]]: tensor<4xf32>, %[[S:.*]]: tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:    %[[X:.*]] = arith.subf %[[Y]], %[[S]]
// CHECK-NEXT:    return %[[X]]
func.func @f(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.addf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Calls of a function that names its inverse become calls of that one, in loops
// too.

func.func private @scale(%x: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> attributes {rev.inverse = @unscale} {
  %y = arith.mulf %x, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unscale(%y: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> {
  %x = arith.divf %y, %s : tensor<4xf32>
  return %x : tensor<4xf32>
}

// CHECK-LABEL: func.func @f_inverse(
// CHECK-SAME:    %[[Y:.*]]: tensor<4xf32>, %[[S:.*]]: tensor<4xf32>) -> tensor<4xf32>
// CHECK:         %[[SHIFTED:.*]] = call @unscale(%[[Y]], %[[S]])
// CHECK:         %[[LOOP:.*]] = scf.for {{.*}} iter_args(%[[V:.*]] = %[[SHIFTED]])
// CHECK:           %[[BEFORE:.*]] = arith.subf %[[V]], %[[S]]
// CHECK:           %[[X:.*]] = func.call @unscale(%[[BEFORE]], %[[S]])
// CHECK:           scf.yield %[[X]]
// CHECK:         return %[[LOOP]]
func.func @f(%x: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 3 : index
  %z = scf.for %i = %zero to %end step %one iter_args(%v = %x)
      -> (tensor<4xf32>) {
    %scaled = func.call @scale(%v, %s)
        : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %shifted = arith.addf %scaled, %s : tensor<4xf32>
    scf.yield %shifted : tensor<4xf32>
  }
  %y = call @scale(%z, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// The function itself names it, which becomes public.

// CHECK-LABEL: func.func private @f(
// CHECK-LABEL: func.func @g(
// CHECK-NOT:   @f_inverse
func.func private @f(%x: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> attributes {rev.inverse = @g}
func.func private @g(%y: tensor<4xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> {
  %x = arith.divf %y, %s : tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// State that nothing else depends on is given back too, with the digits that it
// has.

// CHECK-LABEL: func.func @f_inverse(
// CHECK:         scf.for {{.*}} iter_args(%[[V:.*]] = %{{.*}})
// CHECK:           arith.divf %[[V]], %{{.*}} : tensor<4xf32>
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 3 : index
  %two = arith.constant dense<2.0> : tensor<4xf32>
  %y = scf.for %i = %zero to %end step %one iter_args(%v = %x)
      -> (tensor<4xf32>) {
    %scaled = arith.mulf %v, %two : tensor<4xf32>
    scf.yield %scaled : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}
