// RUN: memrev-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect

// Each function is named after the constraint that it breaks.

//===----------------------------------------------------------------------===//
// Bijections
//===----------------------------------------------------------------------===//

func.func @bijection_keyword(%x: tensor<4xf32>) {
  // expected-error @below {{expects a bijection, but got 'multiplicative'}}
  %0 = rev.coupling multiplicative %x given() {
    rev.yield %x : tensor<4xf32>
  } : tensor<4xf32>, ()
  return
}

// -----

func.func @bijection_attribute(%x: tensor<4xf32>) {
  // expected-error @below {{expects a bijection, but got 3 : i32}}
  %0 = rev.coupling 3 : i32 %x given() {
    rev.yield %x : tensor<4xf32>
  } : tensor<4xf32>, ()
  return
}

// -----

func.func @affine_alpha_missing(%x: tensor<4xf32>, %a: tensor<4xf32>) {
  // expected-error @below {{expects 'alpha' for the scale 'soft_tanh'}}
  %0 = rev.coupling affine<soft_tanh> %x given() {
    rev.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  } : tensor<4xf32>, ()
  return
}

// -----

func.func @affine_alpha_superfluous(%x: tensor<4xf32>, %a: tensor<4xf32>) {
  // expected-error @below {{expects no 'alpha' for the scale 'exp'}}
  %0 = rev.coupling affine<exp, alpha = 1.0> %x given() {
    rev.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  } : tensor<4xf32>, ()
  return
}

// -----

func.func @affine_alpha_negative(%x: tensor<4xf32>, %a: tensor<4xf32>) {
  // expected-error @below {{expects a positive 'alpha', but got -1.0}}
  %0 = rev.coupling affine<soft_atan, alpha = -1.0> %x given() {
    rev.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  } : tensor<4xf32>, ()
  return
}

// -----

//===----------------------------------------------------------------------===//
// rev.coupling
//===----------------------------------------------------------------------===//

func.func @coupling_c1(%x: tensor<4xi32>, %t: tensor<4xi32>) {
  // expected-error @below {{'rev.coupling' op expects a coupled tensor of floats, but got 'tensor<4xi32>'}}
  %0 = rev.coupling additive %x given() {
    rev.yield %t : tensor<4xi32>
  } : tensor<4xi32>, ()
  return
}

// -----

// expected-error @below {{expects 'rev.side_results' beside 'rev.inverse'}}
func.func private @side_results_alone(%x: f32) -> (f32, f32) attributes {rev.side_results = 1 : i64}

// -----

// expected-error @below {{expects 'rev.side_results' to be an i64 of at least 0, but got -1 : i64}}
func.func private @side_results(%x: f32) -> (f32, f32) attributes {rev.inverse = @g, rev.side_results = -1 : i64}

// -----

func.func @coupling_c2(%x: tensor<4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'rev.coupling' op expects region arguments of types ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %0 = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<8xf32>):
    rev.yield %c : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return
}

// -----

func.func @coupling_c3_terminator(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.coupling' op expects a region that ends with 'rev.yield'}}
  %0 = rev.coupling additive %x given() {
    "test.stop"() : () -> ()
  } : tensor<4xf32>, ()
  return
}

// -----

func.func @coupling_c3_count(%x: tensor<4xf32>, %t: tensor<4xf32>) {
  // expected-error @below {{'rev.coupling' op expects 2 yielded values, but got 1}}
  %0 = rev.coupling affine<exp> %x given() {
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, ()
  return
}

// -----

func.func @coupling_c3_type(%x: tensor<4xf32>, %t: tensor<8xf32>) {
  // expected-error @below {{'rev.coupling' op expects yielded values of type 'tensor<4xf32>', but got 'tensor<8xf32>'}}
  %0 = rev.coupling additive %x given() {
    // expected-note @below {{yielded here}}
    rev.yield %t : tensor<8xf32>
  } : tensor<4xf32>, ()
  return
}

// -----

// Auxiliary results count.
func.func @coupling_c3_auxiliary(%x: tensor<4xf32>, %t: tensor<4xf32>) {
  // expected-error @below {{'rev.coupling' op expects 3 yielded values, but got 2}}
  %0, %u:2 = rev.coupling additive %x given() {
    rev.yield %t, %t : tensor<4xf32>, tensor<4xf32>
  } : tensor<4xf32>, () -> (tensor<4xf32>, f32)
  return
}

// -----

func.func @coupling_c4_given(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.coupling' op expects given values other than the coupled value}}
  %0 = rev.coupling additive %x given(%x) {
  ^bb0(%a: tensor<4xf32>):
    rev.yield %a : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return
}

// -----

// A read in a nested region counts too.
func.func @coupling_c4_region(%x: tensor<4xf32>, %c: tensor<4xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{'rev.coupling' op expects a region that does not read the coupled value}}
  %0 = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %t = scf.for %i = %c0 to %n step %c1 iter_args(%s = %a) -> tensor<4xf32> {
      // expected-note @below {{read here}}
      %u = arith.addf %s, %x : tensor<4xf32>
      scf.yield %u : tensor<4xf32>
    }
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return
}

// -----

func.func @coupling_c5(%x: tensor<4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'rev.coupling' op expects a region without side effects}}
  %0 = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    // expected-note @below {{first operation with side effects}}
    %m = memref.alloc() : memref<4xf32>
    rev.yield %a : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return
}

// -----

func.func @coupling_c6_batch_dim(%x: tensor<4xf32>, %t: tensor<4xf32>) {
  // expected-error @below {{'rev.coupling' op expects 'batch_dim' to be a dimension of 'tensor<4xf32>', but got 1}}
  %0 = rev.coupling additive %x given() attributes {batch_dim = 1 : i64} {
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, ()
  return
}

// -----

func.func @coupling_c6_rank(%x: tensor<f32>, %t: tensor<f32>) {
  // expected-error @below {{'rev.coupling' op expects a coupled tensor with a batch dimension for 'log_det', but got 'tensor<f32>'}}
  %0, %ld = rev.coupling additive %x given() log_det {
    rev.yield %t : tensor<f32>
  } : tensor<f32>, () -> tensor<1xf32>
  return
}

// -----

func.func @coupling_c6_type(%x: tensor<2x4xf32>, %t: tensor<2x4xf32>) {
  // expected-error @below {{'rev.coupling' op expects a log-determinant of type 'tensor<2xf32>', but got 'tensor<4xf32>'}}
  %0, %ld = rev.coupling additive %x given() log_det {
    rev.yield %t : tensor<2x4xf32>
  } : tensor<2x4xf32>, () -> tensor<4xf32>
  return
}

// -----

func.func @coupling_c6_missing(%x: tensor<2x4xf32>, %t: tensor<2x4xf32>) {
  // expected-error @below {{expects the type of the log-determinant, but got none}}
  %0, %ld = rev.coupling additive %x given() log_det {
    rev.yield %t : tensor<2x4xf32>
  } : tensor<2x4xf32>, ()
  return
}

// -----

func.func @coupling_c7(%x: tensor<4xf32>, %t: tensor<4xf32>, %e: f32) {
  // expected-error @below {{'rev.coupling' op expects auxiliary result 1 of type 'f32', but got 'f64'}}
  %0, %u:2 = rev.coupling additive %x given() {
    // expected-note @below {{yielded here}}
    rev.yield %t, %e, %e : tensor<4xf32>, f32, f32
  } : tensor<4xf32>, () -> (f32, f64)
  return
}

// -----

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

func.func @batch_norm_c1(%x: tensor<8x4xi32>, %c: tensor<4xi32>) {
  // expected-error @below {{'rev.batch_norm' op expects an input tensor of floats, but got 'tensor<8x4xi32>'}}
  %y, %m, %v = rev.batch_norm %x, %c, %c epsilon 1.0e-5
      : (tensor<8x4xi32>, tensor<4xi32>, tensor<4xi32>) -> (tensor<8x4xi32>, tensor<4xi32>, tensor<4xi32>)
  return
}

// -----

func.func @batch_norm_c2(%x: tensor<8x4xf32>, %c: tensor<8xf32>) {
  // expected-error @below {{'rev.batch_norm' op expects a scale of type 'tensor<4xf32>', but got 'tensor<8xf32>'}}
  %y, %m, %v = rev.batch_norm %x, %c, %c epsilon 1.0e-5
      : (tensor<8x4xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<8x4xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

func.func @batch_norm_c3(%x: tensor<8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'rev.batch_norm' op expects 'channel_dim' to be a dimension of 'tensor<8x4xf32>', but got 2}}
  %y, %m, %v = rev.batch_norm %x, %c, %c epsilon 1.0e-5 channel_dim 2
      : (tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @batch_norm_c3_scalar(%x: tensor<f32>, %c: tensor<4xf32>) {
  // expected-error @below {{'rev.batch_norm' op expects 'channel_dim' to be a dimension of 'tensor<f32>', but got -1}}
  %y, %m, %v = rev.batch_norm %x, %c, %c epsilon 1.0e-5
      : (tensor<f32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @batch_norm_inference_c4(%x: tensor<8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'rev.batch_norm_inference' op expects an 'epsilon' that is not negative, but got -1.0}}
  %y = rev.batch_norm_inference %x, %c, %c, %c, %c epsilon -1.0
      : (tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @softmax_cross_entropy_c1(%x: tensor<8x10x1xf32>, %l: tensor<8xi32>) {
  // expected-error @below {{'rev.softmax_cross_entropy' op expects logits that are a tensor of floats of rank 2, but got 'tensor<8x10x1xf32>'}}
  %loss, %lse = rev.softmax_cross_entropy %x, %l
      : (tensor<8x10x1xf32>, tensor<8xi32>) -> (tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

func.func @softmax_cross_entropy_c2(%x: tensor<8x10xf32>, %l: tensor<4xi32>) {
  // expected-error @below {{'rev.softmax_cross_entropy' op expects labels that are a tensor of 8 integers, but got 'tensor<4xi32>'}}
  %loss, %lse = rev.softmax_cross_entropy %x, %l
      : (tensor<8x10xf32>, tensor<4xi32>) -> (tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

func.func @softmax_cross_entropy_c3(%x: tensor<8x10xf32>, %l: tensor<8xi32>) {
  // expected-error @below {{'rev.softmax_cross_entropy' op expects a loss of type 'tensor<8xf32>', but got 'tensor<8xf64>'}}
  %loss, %lse = rev.softmax_cross_entropy %x, %l
      : (tensor<8x10xf32>, tensor<8xi32>) -> (tensor<8xf64>, tensor<8xf64>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// Function transforms
//===----------------------------------------------------------------------===//

func.func private @f(%x: tensor<4xf32>, %i: i32) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @policy(%x: tensor<4xf32>, %i: i32) {
  // expected-error @below {{expects a policy 'invert' or 'store', but got 'keep'}}
  %0 = rev.vjp @f(%x, %i) cotangents(%x) policy(keep)
      : (tensor<4xf32>, i32, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @vjp_c1_name(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.vjp' op expects the name of a function, but got '@absent'}}
  %0 = rev.vjp @absent(%x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// expected-note @below {{function defined here}}
func.func private @declared(tensor<4xf32>) -> tensor<4xf32>
func.func @vjp_c1_body(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.vjp' op expects a function with a body of one block, but '@declared' has 0}}
  %0 = rev.vjp @declared(%x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c2(%x: tensor<4xf32>, %y: tensor<8xf32>) {
  // expected-error @below {{'rev.vjp' op expects arguments of types ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %0 = rev.vjp @f(%y) cotangents(%x) : (tensor<8xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c3_range(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.vjp' op expects 'wrt' to hold numbers of arguments below 1, but got 1}}
  %0 = rev.vjp @f(%x) cotangents(%x) wrt [1] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c3_distinct(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.vjp' op expects 'wrt' to hold distinct numbers, but got 0 twice}}
  %0:2 = rev.vjp @f(%x) cotangents(%x) wrt [0, 0]
      : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func private @f(%x: tensor<4xf32>, %i: i32) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c3_type(%x: tensor<4xf32>, %i: i32) {
  // expected-error @below {{'rev.vjp' op expects 'wrt' to hold arguments with a float element type, but argument 1 has type 'i32'}}
  %0 = rev.vjp @f(%x, %i) cotangents(%x) wrt [1] : (tensor<4xf32>, i32, tensor<4xf32>) -> i32
  return
}

// -----

func.func private @f(%x: tensor<4xf32>, %i: i32) -> (tensor<4xf32>, i32) {
  return %x, %i : tensor<4xf32>, i32
}
func.func @vjp_c4(%x: tensor<4xf32>, %i: i32) {
  // expected-error @below {{'rev.vjp' op expects 'of' to hold results with a float element type, but result 1 has type 'i32'}}
  %0 = rev.vjp @f(%x, %i) cotangents(%i) of [1] : (tensor<4xf32>, i32, i32) -> tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c5(%x: tensor<4xf32>, %y: tensor<8xf32>) {
  // expected-error @below {{'rev.vjp' op expects cotangents of types ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %0 = rev.vjp @f(%x) cotangents(%y) : (tensor<4xf32>, tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c6(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.vjp' op expects results of types ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %0 = rev.vjp @f(%x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @value_and_grad_c1(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.value_and_grad' op expects the name of a function, but got '@absent'}}
  %0 = rev.value_and_grad @absent(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @loss(%x: f32) -> f32 {
  return %x : f32
}
func.func @value_and_grad_c2(%x: f64) {
  // expected-error @below {{'rev.value_and_grad' op expects arguments of types ('f32'), but got ('f64')}}
  %0:2 = rev.value_and_grad @loss(%x) : (f64) -> (f32, f32)
  return
}

// -----

func.func private @loss(%x: f32) -> f32 {
  return %x : f32
}
func.func @value_and_grad_c3(%x: f32) {
  // expected-error @below {{'rev.value_and_grad' op expects 'wrt' to hold numbers of arguments below 1, but got -1}}
  %0:2 = rev.value_and_grad @loss(%x) wrt [-1] : (f32) -> (f32, f32)
  return
}

// -----

func.func private @nothing(%x: f32) {
  return
}
func.func @value_and_grad_c4_none(%x: f32) {
  // expected-error @below {{'rev.value_and_grad' op expects a function with a result}}
  %0 = rev.value_and_grad @nothing(%x) : (f32) -> f32
  return
}

// -----

func.func private @vector(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @value_and_grad_c4_type(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.value_and_grad' op expects a float as result 0 of the function, but got 'tensor<4xf32>'}}
  %0:2 = rev.value_and_grad @vector(%x) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func private @loss(%x: f32) -> f32 {
  return %x : f32
}
func.func @value_and_grad_c5(%x: f32) {
  // expected-error @below {{'rev.value_and_grad' op expects results of types ('f32', 'f32'), but got ('f32')}}
  %0 = rev.value_and_grad @loss(%x) : (f32) -> f32
  return
}

// -----

// expected-note @below {{function defined here}}
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^bb1
^bb1:
  return %x : tensor<4xf32>
}
func.func @inverse_c1(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.inverse' op expects a function with a body of one block, but '@f' has 2}}
  %0 = rev.inverse @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>, %w: tensor<8xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @inverse_c2(%z: tensor<4xf32>) {
  // expected-error @below {{'rev.inverse' op expects inputs of types ('tensor<4xf32>', 'tensor<8xf32>'), but got ('tensor<4xf32>')}}
  %0 = rev.inverse @f(%z) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @inverse_c3(%z: tensor<4xf32>) {
  // expected-error @below {{'rev.inverse' op expects 'wrt' to hold distinct numbers, but got 0 twice}}
  %0:2 = rev.inverse @f(%z) wrt [0, 0] : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// Without arguments there is nothing that the default could recover.
func.func private @f() -> f32 {
  %0 = arith.constant 0.0 : f32
  return %0 : f32
}
func.func @inverse_c3_default(%z: f32) {
  // expected-error @below {{'rev.inverse' op expects 'wrt' to hold numbers of arguments below 0, but got 0}}
  %0 = rev.inverse @f(%z) : (f32) -> f32
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @inverse_c4(%z: tensor<4xf32>) {
  // expected-error @below {{'rev.inverse' op expects results of types ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %0 = rev.inverse @f(%z) : (tensor<4xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @log_det_c1(%x: tensor<3x4xf32>) {
  // expected-error @below {{'rev.log_det' op expects the name of a function, but got '@absent'}}
  %0:2 = rev.log_det @absent(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  return %x : tensor<3x4xf32>
}
func.func @log_det_c2(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.log_det' op expects arguments of types ('tensor<3x4xf32>'), but got ('tensor<4xf32>')}}
  %0:2 = rev.log_det @f(%x) : (tensor<4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  return %x : tensor<3x4xf32>
}
func.func @log_det_c3_dimension(%x: tensor<3x4xf32>) {
  // expected-error @below {{'rev.log_det' op expects 'wrt' to hold tensors of floats with the dimension 2, but argument 0 has type 'tensor<3x4xf32>'}}
  %0:2 = rev.log_det @f(%x) batch_dim(2) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func @f(%x: tensor<3x4xf32>, %y: tensor<4x3xf32>) -> (tensor<3x4xf32>, tensor<4x3xf32>) {
  return %x, %y : tensor<3x4xf32>, tensor<4x3xf32>
}
func.func @log_det_c3_samples(%x: tensor<3x4xf32>, %y: tensor<4x3xf32>) {
  // expected-error @below {{'rev.log_det' op expects arguments 'wrt' with samples of type 'tensor<3xf32>', but argument 1 has 'tensor<4xf32>'}}
  %0:3 = rev.log_det @f(%x, %y) wrt [0, 1] : (tensor<3x4xf32>, tensor<4x3xf32>) -> (tensor<3x4xf32>, tensor<4x3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  return %x : tensor<3x4xf32>
}
func.func @log_det_c3_none(%x: tensor<3x4xf32>) {
  // expected-error @below {{'rev.log_det' op expects 'wrt' to hold an argument, but got none}}
  %0:2 = rev.log_det @f(%x) wrt [] : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  return %x : tensor<3x4xf32>
}
func.func @log_det_c4(%x: tensor<3x4xf32>) {
  // expected-error @below {{'rev.log_det' op expects 'of' to hold distinct numbers, but got 0 twice}}
  %0:2 = rev.log_det @f(%x) of [0, 0] : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  return %x : tensor<3x4xf32>
}
func.func @log_det_c5(%x: tensor<3x4xf32>) {
  // expected-error @below {{'rev.log_det' op expects results of types ('tensor<3x4xf32>', 'tensor<4xf32>'), but got ('tensor<3x4xf32>', 'tensor<3xf32>')}}
  %0:2 = rev.log_det @f(%x) batch_dim(1) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func @jvp_c1(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.jvp' op expects the name of a function, but got '@absent'}}
  %0:2 = rev.jvp @absent(%x) tangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c2(%x: tensor<4xf32>, %y: tensor<8xf32>) {
  // expected-error @below {{'rev.jvp' op expects arguments of types ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %0:2 = rev.jvp @f(%y) tangents(%x) : (tensor<8xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c3(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.jvp' op expects 'wrt' to hold numbers of arguments below 1, but got 1}}
  %0:2 = rev.jvp @f(%x) tangents(%x) wrt [1] : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c4(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.jvp' op expects 'of' to hold distinct numbers, but got 0 twice}}
  %0:3 = rev.jvp @f(%x) tangents(%x) of [0, 0] : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c5(%x: tensor<4xf32>, %y: tensor<8xf32>) {
  // expected-error @below {{'rev.jvp' op expects tangents of types ('tensor<4xf32>'), but got ('tensor<8xf32>')}}
  %0:2 = rev.jvp @f(%x) tangents(%y) : (tensor<4xf32>, tensor<8xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c6(%x: tensor<4xf32>) {
  // expected-error @below {{'rev.jvp' op expects results of types ('tensor<4xf32>', 'tensor<4xf32>'), but got ('tensor<4xf32>')}}
  %0 = rev.jvp @f(%x) tangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @random_bits_c1(%n: index, %s: i64) {
  // expected-error @below {{'rev.random_bits' op expects 2 dynamic extents, but got 1}}
  %0 = rev.random_bits(%n) seed %s layer %s step %s : (index, i64, i64, i64) -> tensor<?x?xi32>
  return
}

// -----

func.func @random_bits_c2(%s: i64) {
  // expected-error @below {{'rev.random_bits' op expects elements of type i32 or i64, but got 'i8'}}
  %0 = rev.random_bits seed %s layer %s step %s : (i64, i64, i64) -> tensor<4xi8>
  return
}

// -----

func.func @random_bits_c3(%s: i64) {
  // expected-error @below {{'rev.random_bits' op expects a 'word' in [0, 2), but got 2}}
  %0 = rev.random_bits seed %s layer %s step %s {word = 2 : i64} : (i64, i64, i64) -> tensor<4xi64>
  return
}

// -----

func.func @random_uniform_c1(%n: index, %s: i64) {
  // expected-error @below {{'rev.random_uniform' op expects 0 dynamic extents, but got 1}}
  %0 = rev.random_uniform(%n) seed %s layer %s step %s : (index, i64, i64, i64) -> tensor<4xf32>
  return
}

// -----

func.func @random_normal_c2(%s: i64) {
  // expected-error @below {{'rev.random_normal' op expects elements of type f64, f32, f16 or bf16, but got 'f8E5M2'}}
  %0 = rev.random_normal seed %s layer %s step %s : (i64, i64, i64) -> tensor<4xf8E5M2>
  return
}

// -----

func.func @dropout_c1(%x: tensor<4xi32>, %p: f32, %s: i64) {
  // expected-error @below {{'rev.dropout' op expects an input tensor of floats, but got 'tensor<4xi32>'}}
  %0 = rev.dropout %x rate %p seed %s layer %s step %s : (tensor<4xi32>, f32, i64, i64, i64) -> tensor<4xi32>
  return
}

// -----

func.func @dropout_c2(%x: tensor<4xf32>, %s: i64) {
  %p = arith.constant 1.5 : f32
  // expected-error @below {{'rev.dropout' op expects a rate in [0, 1], but got 1.5}}
  %0 = rev.dropout %x rate %p seed %s layer %s step %s : (tensor<4xf32>, f32, i64, i64, i64) -> tensor<4xf32>
  return
}

// -----

func.func @checkpoint_on_a_loop(%x: f32) {
  // expected-error @below {{expects 'rev.checkpoint' on an scf.for or scf.while}}
  %0 = arith.negf %x {rev.checkpoint = #rev.periodic<2>} : f32
  return
}

// -----

func.func @checkpoint_kind(%n: index) {
  // expected-error @below {{expects 'rev.checkpoint' to be a #rev.periodic or #rev.binomial, but got 4 : i64}}
  scf.for %i = %n to %n step %n {
  } {rev.checkpoint = 4}
  return
}

// -----

func.func @checkpoint_period(%n: index) {
  scf.for %i = %n to %n step %n {
  // expected-error @below {{expects a positive period, but got 0}}
  } {rev.checkpoint = #rev.periodic<0>}
  return
}

// -----

func.func @checkpoint_slots(%n: index) {
  scf.for %i = %n to %n step %n {
  // expected-error @below {{expects a positive number of slots, but got -1}}
  } {rev.checkpoint = #rev.binomial<-1>}
  return
}

// -----

func.func @running_average_c1(%a: tensor<4xi32>) {
  // expected-error @below {{'rev.running_average' op expects running averages that are floats, but got 'tensor<4xi32>'}}
  %0 = rev.running_average %a, %a momentum 0.1 : tensor<4xi32>
  return
}

// -----

func.func @running_average_c2(%a: tensor<4xf32>) {
  // expected-error @below {{'rev.running_average' op expects a 'momentum' in [0, 1], but got -1.000000e-01}}
  %0 = rev.running_average %a, %a momentum -0.1 : tensor<4xf32>
  return
}

// -----

// expected-error @below {{expects 'rev.name' of argument #1 to be a string, but got 3 : i64}}
func.func @name_of_argument(%a: index, %b: index {rev.name = 3}) {
  return
}

// -----

// expected-error @below {{expects 'rev.residual' of argument #0 to be a string, but got 0 : i64}}
func.func @residual_of_argument(%a: index {rev.residual = 0}) {
  return
}

// -----

// expected-error @below {{expects 'rev.name' of result #0 to be a string, but got unit}}
func.func @name_of_result(%a: index) -> (index {rev.name}) {
  return %a : index
}

// -----

// expected-error @below {{expects 'rev.check_drift' to be a unit attribute of a module, but got 1 : i64 on 'builtin.module'}}
module attributes {rev.check_drift = 1} {
}

// -----

// expected-error @below {{expects 'rev.check_drift' to be a unit attribute of a module, but got unit on 'func.func'}}
func.func @checked() attributes {rev.check_drift} {
  return
}

// -----

// expected-error @below {{expects 'rev.drift_tolerance' to be an f64 above 0, but got 0.000000e+00 : f64}}
func.func @no_drift(%x: f32) -> f32 attributes {rev.drift_tolerance = 0.0 : f64} {
  return %x : f32
}

// -----

func.func @gain(%x: f32) -> f32 {
  // expected-error @below {{expects 'rev.gain' to be an f64 of at least 1, but got 2.000000e+00 : f32}}
  %0 = arith.negf %x {rev.gain = 2.0 : f32} : f32
  return %0 : f32
}
