// RUN: memrev-opt %s -rev-differentiate | FileCheck %s

// The projection around the block has a smaller result than operand: its
// derivative waits until the block's is done, and is added to that in place.
func.func private @block(%x0: tensor<128x64xf32>, %w: tensor<64x64xf32>, %p: tensor<64x16xf32>) -> tensor<128x16xf32> {
  %zero = arith.constant dense<0.0> : tensor<128x64xf32>
  %small = arith.constant dense<0.0> : tensor<128x16xf32>
  %x = math.sin %x0 : tensor<128x64xf32>
  %h = linalg.matmul ins(%x, %w : tensor<128x64xf32>, tensor<64x64xf32>) outs(%zero : tensor<128x64xf32>) -> tensor<128x64xf32>
  %a = math.tanh %h : tensor<128x64xf32>
  %y = linalg.matmul ins(%a, %p : tensor<128x64xf32>, tensor<64x16xf32>) outs(%small : tensor<128x16xf32>) -> tensor<128x16xf32>
  %s = linalg.matmul ins(%x, %p : tensor<128x64xf32>, tensor<64x16xf32>) outs(%small : tensor<128x16xf32>) -> tensor<128x16xf32>
  %r = arith.addf %y, %s : tensor<128x16xf32>
  return %r : tensor<128x16xf32>
}

// CHECK-LABEL: func.func private @block_vjp
// CHECK-SAME: %[[P:[a-z0-9]+]]: tensor<64x16xf32>, %[[DY:[a-z0-9]+]]: tensor<128x16xf32>
// CHECK: %[[X:.*]] = math.sin
// CHECK: %[[A:.*]] = math.tanh
// CHECK: linalg.matmul {{.*}} ins(%[[DY]], %[[P]]
// CHECK: %[[DH:.*]] = arith.subf
// CHECK: %[[DX:.*]] = linalg.matmul {{.*}} ins(%[[DH]], %{{.*}} : tensor<128x64xf32>, tensor<64x64xf32>)
// CHECK: linalg.matmul {{.*}} ins(%[[DY]], %[[P]] : tensor<128x16xf32>, tensor<64x16xf32>) outs(%[[DX]]
func.func @main(%x: tensor<128x64xf32>, %w: tensor<64x64xf32>, %p: tensor<64x16xf32>, %dy: tensor<128x16xf32>) -> tensor<128x64xf32> {
  %0 = rev.vjp @block(%x, %w, %p) cotangents(%dy) wrt [0]
      : (tensor<128x64xf32>, tensor<64x64xf32>, tensor<64x16xf32>, tensor<128x16xf32>) -> tensor<128x64xf32>
  return %0 : tensor<128x64xf32>
}
