// RUN: memrev-opt %s -verify-roundtrip | FileCheck %s
// RUN: memrev-opt %s -mlir-print-op-generic | memrev-opt | FileCheck %s

// CHECK-LABEL: @additive
func.func @additive(%x1: tensor<2x4xf32>, %x2: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK: rev.coupling additive %{{.*}} given(%{{.*}}) {
  // CHECK: rev.yield
  // CHECK: } : tensor<2x4xf32>, (tensor<2x4xf32>)
  %y1 = rev.coupling additive %x1 given(%x2) {
  ^bb0(%c: tensor<2x4xf32>):
    %t = math.tanh %c : tensor<2x4xf32>
    rev.yield %t : tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>)
  return %y1 : tensor<2x4xf32>
}

// A coupling can be conditioned on any number of values, none included.
// CHECK-LABEL: @given
func.func @given(%x: tensor<2x4xf32>, %a: tensor<2x4xf32>, %b: tensor<3xf64>) -> tensor<2x4xf32> {
  // CHECK: rev.coupling additive %{{.*}} given() {
  // CHECK: } : tensor<2x4xf32>, ()
  %0 = rev.coupling additive %x given() {
    rev.yield %a : tensor<2x4xf32>
  } : tensor<2x4xf32>, ()
  // CHECK: given(%{{.*}}, %{{.*}}) {
  // CHECK: } : tensor<2x4xf32>, (tensor<2x4xf32>, tensor<3xf64>)
  %1 = rev.coupling additive %0 given(%a, %b) {
  ^bb0(%c: tensor<2x4xf32>, %d: tensor<3xf64>):
    rev.yield %c : tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>, tensor<3xf64>)
  return %1 : tensor<2x4xf32>
}

// What the region yields beyond the bijection's parameters are results too.
// CHECK-LABEL: @auxiliary
func.func @auxiliary(%x: tensor<2x4xf32>, %c: tensor<2x4xf32>, %i: index) -> tensor<2x4xf32> {
  // CHECK: %{{.*}}, %[[ONE:.*]] = rev.coupling additive %{{.*}} given(%{{.*}}) {
  // CHECK: rev.yield %{{.*}}, %{{.*}} : tensor<2x4xf32>, f32
  // CHECK: } : tensor<2x4xf32>, (tensor<2x4xf32>) -> f32
  %0, %u = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<2x4xf32>):
    %e = tensor.extract %a[%i, %i] : tensor<2x4xf32>
    rev.yield %a, %e : tensor<2x4xf32>, f32
  } : tensor<2x4xf32>, (tensor<2x4xf32>) -> f32
  // CHECK: %{{.*}}, %{{.*}}, %{{.*}}:2 = rev.coupling affine<exp> %{{.*}} given(%{{.*}}) log_det {
  // CHECK: } : tensor<2x4xf32>, (tensor<2x4xf32>) -> (tensor<2xf32>, index, f32)
  %1, %ld, %v:2 = rev.coupling affine<exp> %0 given(%c) log_det {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a, %a, %i, %u : tensor<2x4xf32>, tensor<2x4xf32>, index, f32
  } : tensor<2x4xf32>, (tensor<2x4xf32>) -> (tensor<2xf32>, index, f32)
  return %1 : tensor<2x4xf32>
}

// CHECK-LABEL: @affine
func.func @affine(%x: tensor<2x4xf32>, %c: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK: rev.coupling affine<exp> %
  %0, %ld = rev.coupling affine<exp> %x given(%c) log_det {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a, %a : tensor<2x4xf32>, tensor<2x4xf32>
  // CHECK: } : tensor<2x4xf32>, (tensor<2x4xf32>) -> tensor<2xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>) -> tensor<2xf32>
  // CHECK: rev.coupling affine<sigmoid> %{{.*}} given(%{{.*}}) log_det attributes {batch_dim = 1 : i64} {
  %1, %ld1 = rev.coupling affine<sigmoid> %0 given(%c) log_det attributes {batch_dim = 1 : i64} {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a, %a : tensor<2x4xf32>, tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>) -> tensor<4xf32>
  // CHECK: rev.coupling affine<soft_tanh, alpha = 1.900000e+00 : f64>
  %2 = rev.coupling affine<soft_tanh, alpha = 1.9> %1 given(%c) {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a, %a : tensor<2x4xf32>, tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>)
  // CHECK: rev.coupling affine<soft_atan, alpha = 2.000000e+00 : f64>
  %3 = rev.coupling affine<soft_atan, alpha = 2.0> %2 given(%c) {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a, %a : tensor<2x4xf32>, tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>)
  // CHECK: rev.coupling affine<identity>
  %4 = rev.coupling affine<identity> %3 given(%c) {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a, %a : tensor<2x4xf32>, tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>)
  return %4 : tensor<2x4xf32>
}

// An inverse of an inverse is what it was; parameters of the inverse are those of
// the kind.
// CHECK-LABEL: @inverse_of
func.func @inverse_of(%x: tensor<2x4xf32>, %c: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK: rev.coupling inverse_of<additive> %
  %0 = rev.coupling inverse_of<additive> %x given(%c) {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a : tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>)
  // CHECK: rev.coupling inverse_of<affine<soft_tanh, alpha = 1.900000e+00 : f64>> %{{.*}} given(%{{.*}}) log_det attributes {batch_dim = 1 : i64} {
  %1, %ld = rev.coupling #rev.inverse_of<#rev.affine<soft_tanh, alpha = 1.9>> %0 given(%c) log_det attributes {batch_dim = 1 : i64} {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a, %a : tensor<2x4xf32>, tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>) -> tensor<4xf32>
  // CHECK: rev.coupling affine<exp> %
  %2 = rev.coupling inverse_of<inverse_of<affine<exp>>> %1 given(%c) {
  ^bb0(%a: tensor<2x4xf32>):
    rev.yield %a, %a : tensor<2x4xf32>, tensor<2x4xf32>
  } : tensor<2x4xf32>, (tensor<2x4xf32>)
  return %2 : tensor<2x4xf32>
}

func.func @f(%x: tensor<4xf32>, %w: tensor<4xf32>, %i: i32) -> tensor<4xf32> {
  %0 = arith.mulf %x, %w : tensor<4xf32>
  return %0 : tensor<4xf32>
}

func.func @loss(%x: tensor<4xf32>, %w: tensor<4xf32>) -> (f32, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %0 = tensor.extract %x[%c0] : tensor<4xf32>
  return %0, %w : f32, tensor<4xf32>
}

// CHECK-LABEL: @vjp
func.func @vjp(%x: tensor<4xf32>, %i: i32) -> tensor<4xf32> {
  // CHECK: rev.vjp @f(%{{.*}}, %{{.*}}, %{{.*}}) cotangents(%{{.*}}) : (tensor<4xf32>, tensor<4xf32>, i32, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  %0:2 = rev.vjp @f(%x, %x, %i) cotangents(%x)
      : (tensor<4xf32>, tensor<4xf32>, i32, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  // CHECK: rev.vjp @f({{.*}}) cotangents(%{{.*}}) wrt [1] of [0] policy(store) :
  %1 = rev.vjp @f(%x, %x, %i) cotangents(%x) wrt [1] of [0] policy(store)
      : (tensor<4xf32>, tensor<4xf32>, i32, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: @jvp
func.func @jvp(%x: tensor<4xf32>, %i: i32) -> tensor<4xf32> {
  // CHECK: rev.jvp @f(%{{.*}}, %{{.*}}, %{{.*}}) tangents(%{{.*}}, %{{.*}}) : (tensor<4xf32>, tensor<4xf32>, i32, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  %0:2 = rev.jvp @f(%x, %x, %i) tangents(%x, %x)
      : (tensor<4xf32>, tensor<4xf32>, i32, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  // CHECK: rev.jvp @f({{.*}}) tangents(%{{.*}}) wrt [1] of [0] strong_zero :
  %1:2 = rev.jvp @f(%x, %x, %i) tangents(%x) wrt [1] of [0] strong_zero
      : (tensor<4xf32>, tensor<4xf32>, i32, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  // CHECK: rev.stop_gradient %{{.*}} : tensor<4xf32>
  %2 = rev.stop_gradient %1#1 : tensor<4xf32>
  return %2 : tensor<4xf32>
}

// CHECK-LABEL: @custom
// CHECK-SAME: rev.custom_jvp = @g
// CHECK-SAME: rev.custom_vjp = #rev.custom_vjp<forward = @h, backward = @k>
func.func private @custom(%x: f32) -> f32 attributes {
    rev.custom_vjp = #rev.custom_vjp<forward = @h, backward = @k>, rev.custom_jvp = @g}

// CHECK-LABEL: @value_and_grad
func.func @value_and_grad(%x: tensor<4xf32>) -> f32 {
  // CHECK: rev.value_and_grad @loss(%{{.*}}, %{{.*}}) wrt [1] policy(store) :
  %l, %w, %dw = rev.value_and_grad @loss(%x, %x) wrt [1] policy(store)
      : (tensor<4xf32>, tensor<4xf32>) -> (f32, tensor<4xf32>, tensor<4xf32>)
  return %l : f32
}

// CHECK-LABEL: @inverse
func.func @inverse(%z: tensor<4xf32>, %w: tensor<4xf32>, %i: i32) -> tensor<4xf32> {
  // CHECK: rev.inverse @f(%{{.*}}, %{{.*}}, %{{.*}}) wrt [0] :
  %x = rev.inverse @f(%z, %w, %i) wrt [0] : (tensor<4xf32>, tensor<4xf32>, i32) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// CHECK-LABEL: @layers
func.func @layers(%x: tensor<2x8x8x4xf32>, %c: tensor<4xf32>, %logits: tensor<8x10xf32>, %labels: tensor<8xi32>) {
  // CHECK: rev.batch_norm %{{.*}}, %{{.*}}, %{{.*}} epsilon 1.000000e-05 :
  %y, %m, %v = rev.batch_norm %x, %c, %c epsilon 1.0e-5
      : (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>)
  // CHECK: rev.batch_norm_inference {{.*}} epsilon 1.000000e-05 channel_dim 3 :
  %z = rev.batch_norm_inference %y, %c, %c, %m, %v epsilon 1.0e-5 channel_dim 3
      : (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x8x8x4xf32>
  // CHECK: rev.softmax_cross_entropy
  %loss, %lse = rev.softmax_cross_entropy %logits, %labels
      : (tensor<8x10xf32>, tensor<8xi32>) -> (tensor<8xf32>, tensor<8xf32>)
  return
}

// CHECK-LABEL: func.func @random
func.func @random(%x: tensor<?x8xf32>, %n: index, %rate: f32, %seed: i64, %layer: i32) {
  %c0 = arith.constant 0 : index
  // CHECK: rev.random_bits seed %{{.*}} layer %{{.*}} step %{{.*}} : (i64, i32, index) -> tensor<4x8xi32>
  %0 = rev.random_bits seed %seed layer %layer step %c0 : (i64, i32, index) -> tensor<4x8xi32>
  // CHECK: rev.random_bits seed %{{.*}} layer %{{.*}} step %{{.*}} offset %{{.*}} {word = 1 : i64} : (i64, i32, index, i64) -> tensor<8xi64>
  %1 = rev.random_bits seed %seed layer %layer step %c0 offset %seed {word = 1 : i64} : (i64, i32, index, i64) -> tensor<8xi64>
  // CHECK: rev.random_uniform(%{{.*}}) seed %{{.*}} layer %{{.*}} step %{{.*}} : (index, i64, i32, index) -> tensor<?x8xbf16>
  %2 = rev.random_uniform(%n) seed %seed layer %layer step %c0 : (index, i64, i32, index) -> tensor<?x8xbf16>
  // CHECK: rev.random_normal(%{{.*}}, %{{.*}}) seed %{{.*}} layer %{{.*}} step %{{.*}} : (index, index, i64, i32, index) -> tensor<?x?xf64>
  %3 = rev.random_normal(%n, %n) seed %seed layer %layer step %c0 : (index, index, i64, i32, index) -> tensor<?x?xf64>
  // CHECK: rev.dropout %{{.*}} rate %{{.*}} seed %{{.*}} layer %{{.*}} step %{{.*}} : (tensor<?x8xf32>, f32, i64, i32, index) -> tensor<?x8xf32>
  %4 = rev.dropout %x rate %rate seed %seed layer %layer step %c0 : (tensor<?x8xf32>, f32, i64, i32, index) -> tensor<?x8xf32>
  return
}

// CHECK-LABEL: func.func @running_average
func.func @running_average(%running: tensor<?xf32>, %mean: tensor<?xf32>) -> tensor<?xf32> {
  // CHECK: rev.running_average %{{.*}}, %{{.*}} momentum 1.000000e-01 : tensor<?xf32>
  %0 = rev.running_average %running, %mean momentum 0.1 : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// CHECK-LABEL: @log_det
func.func @log_det(%x: tensor<2x4xf32>) -> tensor<4xf32> {
  // CHECK: rev.log_det @samples(%{{.*}}) : (tensor<2x4xf32>)
  %0:2 = rev.log_det @samples(%x) : (tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>)
  // CHECK: rev.log_det @samples(%{{.*}}) wrt [0] of [0] batch_dim(1) : (tensor<2x4xf32>)
  %1:2 = rev.log_det @samples(%x) wrt [0] of [0] batch_dim(1) : (tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<4xf32>)
  return %1#1 : tensor<4xf32>
}
func.func @samples(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  return %x : tensor<2x4xf32>
}
