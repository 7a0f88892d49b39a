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

// A loop that updates %x goes behind its reader, too; not if it reads what is
// overwritten on the way.
// CHECK-LABEL: @loop
func.func @loop(%s: tensor<8xf32>, %x: tensor<8xf32>, %e: tensor<8xf32>, %n: index) -> (tensor<8xf32>, tensor<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: linalg.exp
  // CHECK: scf.for
  %y = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<8xf32> {
    %b = func.call @scale(%s, %a) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    scf.yield %b : tensor<8xf32>
  }
  %z = linalg.exp ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %y, %z : tensor<8xf32>, tensor<8xf32>
}
// CHECK-LABEL: @loop_that_reads
func.func @loop_that_reads(%s: tensor<8xf32>, %x: tensor<8xf32>, %n: index) -> (tensor<8xf32>, tensor<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for
  // CHECK: linalg.exp
  %y = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<8xf32> {
    %b = func.call @scale(%s, %a) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    scf.yield %b : tensor<8xf32>
  }
  %z = linalg.exp ins(%x : tensor<8xf32>) outs(%s : tensor<8xf32>) -> tensor<8xf32>
  return %y, %z : tensor<8xf32>, tensor<8xf32>
}
