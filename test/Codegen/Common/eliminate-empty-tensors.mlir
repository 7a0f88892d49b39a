// RUN: memrev-opt %s --codegen-eliminate-empty-tensors | FileCheck %s

// A slice is computed where it goes.

// CHECK-LABEL: func @slice
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK: %[[T:.*]] = tensor.empty() : tensor<8xf32>
// CHECK-NOT: tensor.empty
// CHECK: %[[S:.*]] = tensor.extract_slice %[[T]][2] [4] [1]
// CHECK: %[[F:.*]] = linalg.fill ins(%[[X]] : f32) outs(%[[S]] : tensor<4xf32>)
// CHECK: tensor.insert_slice %[[F]] into %[[T]][2] [4] [1]
func.func @slice(%x: f32) -> tensor<8xf32> {
  %t = tensor.empty() : tensor<8xf32>
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%x : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r = tensor.insert_slice %f into %t[2] [4] [1] : tensor<4xf32> into tensor<8xf32>
  return %r : tensor<8xf32>
}

// A branch that yields what the loop carries, or the result of a call, which the
// analysis of one function rejects: no error, but bufferization's to accept.

// CHECK-LABEL: func @branch
// CHECK: scf.if
// CHECK: %[[E:.*]] = tensor.empty() : tensor<6xf32>
// CHECK: call @kernel(%{{.*}}, %[[E]])
// CHECK: bufferization.materialize_in_destination
func.func @branch(%x: tensor<6xf32>, %y: tensor<6xf32>, %n: index, %c: i1) -> tensor<6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<6xf32> {
    %b = scf.if %c -> tensor<6xf32> {
      scf.yield %a : tensor<6xf32>
    } else {
      %e = tensor.empty() : tensor<6xf32>
      %v = func.call @kernel(%y, %e) : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
      scf.yield %v : tensor<6xf32>
    }
    %e = tensor.empty() : tensor<6xf32>
    %s = linalg.add ins(%b, %y : tensor<6xf32>, tensor<6xf32>) outs(%e : tensor<6xf32>) -> tensor<6xf32>
    %n1 = bufferization.materialize_in_destination %s in %a : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
    scf.yield %n1 : tensor<6xf32>
  }
  return %r : tensor<6xf32>
}
func.func private @kernel(%x: tensor<6xf32>, %y: tensor<6xf32>) -> tensor<6xf32> {
  %r = linalg.copy ins(%x : tensor<6xf32>) outs(%y : tensor<6xf32>) -> tensor<6xf32>
  return %r : tensor<6xf32>
}
