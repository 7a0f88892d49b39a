// RUN: memrev-opt %s -split-input-file -rev-differentiate -verify-diagnostics

// Two operands that are one value have another formula.
// expected-note@+1 {{function defined here}}
func.func private @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = linalg.add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @twice(%y) : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// So has an element that the body reads on two ways.
// expected-note@+1 {{function defined here}}
func.func private @two_ways(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) (%u: f32, %o: f32) {
    %s = math.sin %u : f32
    %r = arith.addf %u, %s : f32
    linalg.yield %r : f32
  }
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @two_ways(%y) : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// An operation that may be merged with its inverse has none.
// expected-note@+1 {{function defined here}}
func.func private @reassociated(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = arith.addf %x, %t fastmath<reassoc> : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @reassociated(%y, %t) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// The same in a sum.
// expected-note@+1 {{function defined here}}
func.func private @reassociated_sum(%x: tensor<4xf32>, %a: tensor<4x3xf32>) -> tensor<4xf32> {
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = linalg.reduce ins(%a : tensor<4x3xf32>) outs(%x : tensor<4xf32>) dimensions = [1] (%u: f32, %o: f32) {
    %s = arith.addf %u, %o fastmath<reassoc> : f32
    linalg.yield %s : f32
  }
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>, %a: tensor<4x3xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @reassociated_sum(%y, %a) wrt [0] : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// Half of the elements are not read.
// expected-note@+1 {{function defined here}}
func.func private @half(%x: tensor<4xf32>, %t: tensor<2xf32>) -> tensor<2xf32> {
  %e = tensor.empty() : tensor<2xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i + 1)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]} ins(%x, %t : tensor<4xf32>, tensor<2xf32>) outs(%e : tensor<2xf32>) {
  ^bb0(%u: f32, %v: f32, %o: f32):
    %s = arith.addf %u, %v : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %y : tensor<2xf32>
}
func.func @main(%y: tensor<2xf32>, %t: tensor<2xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @half(%y, %t) wrt [0] : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}
