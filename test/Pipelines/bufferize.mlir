// RUN: memrev-opt %s -memrev-bufferize | FileCheck %s

// An additive coupling and its inverse over stacked weights: the reversed loop
// allocates and copies nothing. The half that is overwritten is copied once, into
// its result, and the other one too.
// CHECK-LABEL: func.func @loop(
// CHECK-SAME: memrev.arena_bytes = 256
// CHECK: memref.copy %arg0, %[[R:.*]] :
// CHECK-NOT: memref.copy
// CHECK: call @loop.inplace(%[[R]], %arg1,
// CHECK-NEXT: memref.copy %arg1,
// CHECK-NEXT: return
// CHECK-LABEL: func.func private @loop.inplace(
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: return
func.func @loop(%x1: tensor<8x8xf32>, %x2: tensor<8x8xf32>, %w: tensor<6x8x8xf32>)
    -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c6 = arith.constant 6 : index
  %zero = arith.constant 0.0 : f32
  %f:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
    %wi = tensor.extract_slice %w[%i, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<6x8x8xf32> to tensor<8x8xf32>
    %e = tensor.empty() : tensor<8x8xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %m = linalg.matmul ins(%b, %wi : tensor<8x8xf32>, tensor<8x8xf32>) outs(%z : tensor<8x8xf32>) -> tensor<8x8xf32>
    %y = linalg.add ins(%a, %m : tensor<8x8xf32>, tensor<8x8xf32>) outs(%a : tensor<8x8xf32>) -> tensor<8x8xf32>
    scf.yield %y, %b : tensor<8x8xf32>, tensor<8x8xf32>
  }
  %r:2 = scf.for %k = %c0 to %c6 step %c1 iter_args(%a = %f#0, %b = %f#1) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
    %i = arith.subi %c5, %k : index
    %wi = tensor.extract_slice %w[%i, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<6x8x8xf32> to tensor<8x8xf32>
    %e = tensor.empty() : tensor<8x8xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %m = linalg.matmul ins(%b, %wi : tensor<8x8xf32>, tensor<8x8xf32>) outs(%z : tensor<8x8xf32>) -> tensor<8x8xf32>
    %x = linalg.sub ins(%a, %m : tensor<8x8xf32>, tensor<8x8xf32>) outs(%a : tensor<8x8xf32>) -> tensor<8x8xf32>
    scf.yield %x, %b : tensor<8x8xf32>, tensor<8x8xf32>
  }
  return %r#0, %r#1 : tensor<8x8xf32>, tensor<8x8xf32>
}
