// RUN: memrev-opt %s --rev-invert="function=f wrt=2,0" | FileCheck %s

// Several arguments, in the order that is asked for, and what is not asked for
// behind the results.

// CHECK-LABEL: func.func @f_inverse(
// CHECK-SAME:    %[[Y:[^:]*]]: tensor<4xf32>, %[[Z:[^:]*]]: tensor<4xf32>, %[[S:[^:]*]]: tensor<4xf32>)
// CHECK-SAME:    -> (tensor<4xf32>, tensor<4xf32>)
// CHECK-DAG:     %[[T:.*]] = arith.subf %[[Z]], %[[Y]]
// CHECK-DAG:     %[[X:.*]] = arith.subf %[[Y]], %[[S]]
// CHECK:         return %[[T]], %[[X]]
func.func @f(%x: tensor<4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>) {
  %y = arith.addf %x, %s : tensor<4xf32>
  %z = arith.addf %y, %t : tensor<4xf32>
  return %y, %z : tensor<4xf32>, tensor<4xf32>
}
