// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

func.func private @no_rule(%x: f32) -> f32 {
  %s = arith.constant 1.0 : f8E8M0FNU
  // expected-error @below {{expects operations with a derivative rule where a gradient flows, but 'arith.scaling_truncf' has none}}
  %0 = arith.scaling_truncf %x, %s : f32, f8E8M0FNU to f4E2M1FN
  %1 = arith.extf %0 : f4E2M1FN to f32
  return %1 : f32
}

func.func @main(%x: f32) -> f32 {
  %0 = rev.vjp @no_rule(%x) cotangents(%x) : (f32, f32) -> f32
  return %0 : f32
}

// -----

// Off the path of a gradient an operation needs no rule.
func.func private @no_rule_inactive(%x: f32, %y: f32) -> f32 {
  %s = arith.constant 1.0 : f8E8M0FNU
  %q = arith.scaling_truncf %y, %s : f32, f8E8M0FNU to f4E2M1FN
  %0 = arith.extf %q : f4E2M1FN to f32
  %1 = arith.mulf %x, %0 : f32
  return %1 : f32
}

func.func @main(%x: f32) -> f32 {
  %0 = rev.vjp @no_rule_inactive(%x, %x) cotangents(%x) wrt [0] : (f32, f32, f32) -> f32
  return %0 : f32
}

// -----

// expected-note @below {{function defined here}}
func.func private @recursive(%x: f32) -> f32 {
  // expected-error @below {{expects calls without recursion to differentiate, but '@recursive' calls itself}}
  %0 = call @recursive(%x) : (f32) -> f32
  return %0 : f32
}

func.func @main(%x: f32) -> f32 {
  %0 = rev.vjp @recursive(%x) cotangents(%x) : (f32, f32) -> f32
  return %0 : f32
}

// -----

// expected-error @below {{expects a function that does not transform itself, but '@self' does}}
func.func @self(%x: f32) -> f32 {
  %0 = rev.vjp @self(%x) cotangents(%x) : (f32, f32) -> f32
  return %0 : f32
}

// -----

// expected-note @below {{function defined here}}
func.func private @lossy(%x: f32) -> f32 {
  // expected-note @below {{no inverse edge for argument 0}}
  %0 = math.sin %x : f32
  return %0 : f32
}

func.func @main(%x: f32) -> f32 {
  // expected-error @below {{expects a function whose inverse gives argument 0 back, but no inverse edge reaches it}}
  %0 = rev.inverse @lossy(%x) : (f32) -> f32
  return %0 : f32
}

// -----

func.func private @last_difference(%x: tensor<4xf32>) -> tensor<f32> {
  %z = arith.constant dense<0.0> : tensor<f32>
  // expected-error @below {{expects a reduction by a sum, a product, a maximum or a minimum where a gradient flows, but result 0 is another function of its running value}}
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<4xf32>) outs(%z : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.subf %in, %out : f32
    linalg.yield %m : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}

func.func @main(%x: tensor<4xf32>, %d: tensor<f32>) -> tensor<4xf32> {
  %0 = rev.vjp @last_difference(%x) cotangents(%d) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func private @unranked(%x: tensor<4xf32>) -> tensor<4xf32> {
  %u = tensor.cast %x : tensor<4xf32> to tensor<*xf32>
  // expected-error @below {{expects floats and ranked tensors of floats where a gradient flows, but got 'tensor<*xf32>'}}
  %y = tensor.cast %u : tensor<*xf32> to tensor<4xf32>
  return %y : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @unranked(%x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A running value that feeds another sum is no plain sum.
func.func private @prefix_sums(%x: tensor<4xf32>) -> (tensor<f32>, tensor<f32>) {
  %z = arith.constant dense<0.0> : tensor<f32>
  // expected-error @below {{expects a reduction by a sum, a product, a maximum or a minimum where a gradient flows, but result 1 is another function of its running value}}
  %0:2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<4xf32>) outs(%z, %z : tensor<f32>, tensor<f32>) {
  ^bb0(%in: f32, %sum: f32, %sums: f32):
    %s = arith.addf %sum, %in : f32
    %t = arith.addf %sums, %s : f32
    linalg.yield %s, %t : f32, f32
  } -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

func.func @main(%x: tensor<4xf32>, %d: tensor<f32>) -> tensor<4xf32> {
  %0 = rev.vjp @prefix_sums(%x) cotangents(%d) of [1] : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func private @vectors(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %v = vector.transfer_read %x[%c0], %z : tensor<4xf32>, vector<4xf32>
  // expected-error @below {{expects floats and ranked tensors of floats where a gradient flows, but got 'vector<4xf32>'}}
  %y = vector.transfer_write %v, %x[%c0] : vector<4xf32>, tensor<4xf32>
  return %y : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = rev.vjp @vectors(%x) cotangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @f(%x: f64) -> f64 {
  %m = memref.alloca() : memref<1xf64>
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{expects programs of values where a derivative flows, but 'memref.store' writes to memory}}
  memref.store %x, %m[%c0] : memref<1xf64>
  %y = memref.load %m[%c0] : memref<1xf64>
  return %y : f64
}
func.func @vjp(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @f(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// -----

func.func @f(%x: tensor<4xf64>, %m: memref<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{expects programs of values where a derivative flows, but 'bufferization.materialize_in_destination' writes to memory}}
  bufferization.materialize_in_destination %x in restrict writable %m : (tensor<4xf64>, memref<4xf64>) -> ()
  return %x : tensor<4xf64>
}
func.func @jvp(%x: tensor<4xf64>, %m: memref<4xf64>) -> tensor<4xf64> {
  %0:2 = rev.jvp @f(%x, %m) tangents(%x) : (tensor<4xf64>, memref<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %0#1 : tensor<4xf64>
}

// -----

// A shape that changes from iteration to iteration fits no tape, and a state
// cannot be evaluated again.
func.func private @growing_state(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{expects a value whose shape is known before the loop where a derivative reads it, but got 'tensor<?xf32>'}}
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<?xf32> {
    %t = math.sin %a : tensor<?xf32>
    %g = tensor.concat dim(0) %t, %t : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    scf.yield %g : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

func.func @main(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %0 = rev.vjp @growing_state(%x, %n) cotangents(%x) : (tensor<?xf32>, index, tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
