// RUN: memrev-opt %s --pass-pipeline='builtin.module(codegen-sink-overwrites)' | FileCheck %s


func.func private @scale(%s: tensor<8xf32>, %x: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel} {
  %y = linalg.mul ins(%s, %x : tensor<8xf32>, tensor<8xf32>) outs(%x : tensor<8xf32>) -> tensor<8xf32>
  return %y : tensor<8xf32>
}

func.func private @effects(%s: tensor<8xf32>, %x: tensor<8xf32>) -> tensor<8xf32> {
  vector.print str "effect"
  %y = linalg.mul ins(%s, %x : tensor<8xf32>, tensor<8xf32>) outs(%x : tensor<8xf32>) -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// The read of %x goes first, even through a view.
// CHECK-LABEL: @reader_first
func.func @reader_first(%s: tensor<8xf32>, %x: tensor<8xf32>, %e: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, f32) {
  %c0 = arith.constant 0 : index
  // CHECK: linalg.exp
  // CHECK: tensor.extract_slice
  // CHECK: tensor.extract
  // CHECK: call @scale
  %y = call @scale(%s, %x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %z = linalg.exp ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %v = tensor.extract_slice %x[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %r = tensor.extract %v[%c0] : tensor<4xf32>
  return %y, %z, %r : tensor<8xf32>, tensor<8xf32>, f32
}

// The result is needed before.
// CHECK-LABEL: @needed
func.func @needed(%s: tensor<8xf32>, %x: tensor<8xf32>, %e: tensor<8xf32>) -> tensor<8xf32> {
  // CHECK: call @scale
  // CHECK: linalg.add
  %y = call @scale(%s, %x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %z = linalg.add ins(%x, %y : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %z : tensor<8xf32>
}

// Another operand is overwritten on the way.
// CHECK-LABEL: @overwritten
func.func @overwritten(%s: tensor<8xf32>, %x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  // CHECK: call @scale
  // CHECK: linalg.exp
  %y = call @scale(%s, %x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %z = linalg.exp ins(%x : tensor<8xf32>) outs(%s : tensor<8xf32>) -> tensor<8xf32>
  return %y, %z : tensor<8xf32>, tensor<8xf32>
}

// A function that is no kernel may do more than compute.
// CHECK-LABEL: @unknown
func.func @unknown(%s: tensor<8xf32>, %x: tensor<8xf32>, %e: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  // CHECK: call @effects
  // CHECK: linalg.exp
  %y = call @effects(%s, %x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %z = linalg.exp ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %y, %z : tensor<8xf32>, tensor<8xf32>
}
