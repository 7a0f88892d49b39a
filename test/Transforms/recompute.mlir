// RUN: memrev-opt %s -rev-plan -rev-differentiate -split-input-file | FileCheck %s

// What elementwise operations compute from the stored product is evaluated again
// in the backward part. The last activation stays, which is read at once.
func.func private @layers(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %h1 = linalg.matmul ins(%x, %w : tensor<64x64xf32>, tensor<64x64xf32>) outs(%zero : tensor<64x64xf32>) -> tensor<64x64xf32>
  %a1 = math.sin %h1 : tensor<64x64xf32>
  %h2 = linalg.matmul ins(%a1, %w : tensor<64x64xf32>, tensor<64x64xf32>) outs(%zero : tensor<64x64xf32>) -> tensor<64x64xf32>
  %a2 = math.sin %h2 : tensor<64x64xf32>
  %h3 = linalg.matmul ins(%a2, %w : tensor<64x64xf32>, tensor<64x64xf32>) outs(%zero : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %h3 : tensor<64x64xf32>
}

// CHECK-LABEL: func.func private @layers_vjp
// CHECK: %[[H1:.*]] = linalg.matmul
// CHECK: math.sin %[[H1]]
// CHECK: %[[H2:.*]] = linalg.matmul
// CHECK: math.sin %[[H2]]
// CHECK-NOT: math.sin
// CHECK: math.sin %[[H1]]
// CHECK-NOT: math.sin
// CHECK: return

// The policy that stores evaluates nothing again.
// CHECK-LABEL: func.func private @layers_store_vjp
// CHECK-COUNT-2: math.sin
// CHECK-NOT: math.sin
// CHECK: return
func.func @main(%x: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %0:2 = rev.vjp @layers(%x, %x) cotangents(%x)
      : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>)
  %1:2 = rev.vjp @layers(%x, %x) cotangents(%x) policy(store)
      : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>)
  return %0#1, %1#1 : tensor<64x64xf32>, tensor<64x64xf32>
}

// -----

// Batch norm is evaluated again from its statistics, which are stored.
func.func private @norm(%x: tensor<64x8xf32>, %w: tensor<8x8xf32>, %s: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<64x8xf32> {
  %zero = arith.constant dense<0.0> : tensor<64x8xf32>
  %h = linalg.matmul ins(%x, %w : tensor<64x8xf32>, tensor<8x8xf32>) outs(%zero : tensor<64x8xf32>) -> tensor<64x8xf32>
  %n, %m, %v = rev.batch_norm %h, %s, %o epsilon 1.0e-5
      : (tensor<64x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<64x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %y = linalg.matmul ins(%n, %w : tensor<64x8xf32>, tensor<8x8xf32>) outs(%zero : tensor<64x8xf32>) -> tensor<64x8xf32>
  %z = linalg.matmul ins(%y, %w : tensor<64x8xf32>, tensor<8x8xf32>) outs(%zero : tensor<64x8xf32>) -> tensor<64x8xf32>
  return %z : tensor<64x8xf32>
}

// CHECK-LABEL: func.func private @norm_vjp
// CHECK-SAME: %[[S:[a-z0-9]+]]: tensor<8xf32>, %[[O:[a-z0-9]+]]: tensor<8xf32>, %{{[a-z0-9]+}}: tensor<64x8xf32>
// CHECK: %[[H:.*]] = linalg.matmul
// CHECK: %{{.*}}, %[[M:.*]], %[[V:.*]] = rev.batch_norm %[[H]]
// CHECK-NOT: rev.batch_norm %
// CHECK: rev.batch_norm_inference %[[H]], %[[S]], %[[O]], %[[M]], %[[V]] epsilon
// CHECK-NOT: rev.batch_norm %
// CHECK: return
func.func @main(%x: tensor<64x8xf32>, %w: tensor<8x8xf32>, %s: tensor<8xf32>) -> tensor<8x8xf32> {
  %0 = rev.vjp @norm(%x, %w, %s, %s) cotangents(%x) wrt [1]
      : (tensor<64x8xf32>, tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<64x8xf32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

// A loop that stores puts the product on a tape, not what follows from it, and
// not what is padded.
func.func private @loop(%x: tensor<16xf32>, %w: tensor<3x16xf32>) -> tensor<16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> tensor<16xf32> {
    %f = tensor.extract_slice %w[%i, 0] [1, 16] [1, 1] : tensor<3x16xf32> to tensor<16xf32>
    %k = tensor.extract_slice %f[0] [3] [1] : tensor<16xf32> to tensor<3xf32>
    %p = tensor.pad %a low[1] high[1] {
    ^bb0(%j: index):
      tensor.yield %zero : f32
    } : tensor<16xf32> to tensor<18xf32>
    %e = arith.constant dense<0.0> : tensor<16xf32>
    %h = linalg.conv_1d ins(%p, %k : tensor<18xf32>, tensor<3xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
    %s = math.sin %h : tensor<16xf32>
    %t = arith.mulf %s, %f : tensor<16xf32>
    scf.yield %t : tensor<16xf32>
  }
  return %r : tensor<16xf32>
}

// CHECK-LABEL: func.func private @loop_vjp
// CHECK: %{{.*}}:3 = scf.for {{.*}} -> (tensor<16xf32>, tensor<3x16xf32>, tensor<3x16xf32>)
// CHECK: scf.for
// CHECK: math.sin
func.func @main(%x: tensor<16xf32>, %w: tensor<3x16xf32>) -> tensor<3x16xf32> {
  %0 = rev.vjp @loop(%x, %w) cotangents(%x) wrt [1] : (tensor<16xf32>, tensor<3x16xf32>, tensor<16xf32>) -> tensor<3x16xf32>
  return %0 : tensor<3x16xf32>
}

// -----

// The first layer's product is kept while the second layer, which is larger, is at
// its peak: it is evaluated again too, from its operands.
func.func private @wide(%x: tensor<64x64xf32>, %w: tensor<64x1024xf32>, %v: tensor<1024x64xf32>, %u: tensor<64x2048xf32>, %p: tensor<2048x64xf32>) -> tensor<64x64xf32> {
  %z1 = arith.constant dense<0.0> : tensor<64x1024xf32>
  %z2 = arith.constant dense<0.0> : tensor<64x64xf32>
  %z3 = arith.constant dense<0.0> : tensor<64x2048xf32>
  %h = linalg.matmul ins(%x, %w : tensor<64x64xf32>, tensor<64x1024xf32>) outs(%z1 : tensor<64x1024xf32>) -> tensor<64x1024xf32>
  %a = math.sin %h : tensor<64x1024xf32>
  %c = linalg.matmul ins(%a, %v : tensor<64x1024xf32>, tensor<1024x64xf32>) outs(%z2 : tensor<64x64xf32>) -> tensor<64x64xf32>
  %q = linalg.matmul ins(%c, %u : tensor<64x64xf32>, tensor<64x2048xf32>) outs(%z3 : tensor<64x2048xf32>) -> tensor<64x2048xf32>
  %b = math.sin %q : tensor<64x2048xf32>
  %y = linalg.matmul ins(%b, %p : tensor<64x2048xf32>, tensor<2048x64xf32>) outs(%z2 : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %y : tensor<64x64xf32>
}

// CHECK-LABEL: func.func private @wide_vjp
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<64x64xf32>, %[[W:[a-z0-9]+]]: tensor<64x1024xf32>
// CHECK: linalg.matmul ins(%[[X]], %[[W]]
// CHECK: linalg.matmul {{.*}} -> tensor<64x2048xf32>
// CHECK: %[[H:.*]] = linalg.matmul {memrev.recomputed} ins(%[[X]], %[[W]]
// CHECK: math.cos %[[H]]
// CHECK-NOT: memrev.recomputed
// CHECK: return
func.func @main(%x: tensor<64x64xf32>, %w: tensor<64x1024xf32>, %v: tensor<1024x64xf32>, %u: tensor<64x2048xf32>, %p: tensor<2048x64xf32>) -> tensor<64x1024xf32> {
  %0 = rev.vjp @wide(%x, %w, %v, %u, %p) cotangents(%x) wrt [1]
      : (tensor<64x64xf32>, tensor<64x1024xf32>, tensor<1024x64xf32>, tensor<64x2048xf32>, tensor<2048x64xf32>, tensor<64x64xf32>) -> tensor<64x1024xf32>
  return %0 : tensor<64x1024xf32>
}
