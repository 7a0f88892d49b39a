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

// -----

// One zero is enough.
// expected-note@+1 {{function defined here}}
func.func private @zero_in_constant(%x: tensor<4xf32>, %l: tensor<4xf32>) -> tensor<4xf32> {
  %k = arith.constant dense<[1.0, 2.0, 0.0, 3.0]> : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = arith.mulf %x, %k : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @zero_in_constant(%y, %y) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// What is not a number has no sign and no size.
// expected-note@+1 {{function defined here}}
func.func private @no_number(%x: tensor<4xf32>, %l: tensor<4xf32>) -> tensor<4xf32> {
  %k = arith.constant dense<[1.0, 2.0, 0x7FC00000, 3.0]> : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = arith.mulf %x, %k : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @no_number(%y, %y) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// A hyperbolic tangent goes through zero, and half of one is as far from 0.4.
// expected-note@+1 {{function defined here}}
func.func private @through_zero(%x: tensor<4xf32>, %l: tensor<4xf32>) -> tensor<4xf32> {
  %t = math.tanh %l : tensor<4xf32>
  %h = arith.constant dense<0.5> : tensor<4xf32>
  %s = arith.mulf %t, %h : tensor<4xf32>
  %c = arith.constant dense<0.4> : tensor<4xf32>
  %k = arith.addf %s, %c : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = arith.mulf %x, %k : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @through_zero(%y, %y) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// So does what is cut off at zero.
// expected-note@+1 {{function defined here}}
func.func private @rectified(%x: tensor<4xf32>, %l: tensor<4xf32>) -> tensor<4xf32> {
  %z = arith.constant dense<0.0> : tensor<4xf32>
  %k = arith.maximumf %l, %z : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = arith.mulf %x, %k : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @rectified(%y, %y) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// A sum that starts from something else than zero may be zero.
// expected-note@+1 {{function defined here}}
func.func private @summed(%x: tensor<4xf32>, %l: tensor<4xf32>) -> tensor<4xf32> {
  %o = arith.constant dense<1.0> : tensor<4xf32>
  %e = tensor.expand_shape %l [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %k = linalg.reduce {arith.addf} ins(%e : tensor<4x1xf32>) outs(%o : tensor<4xf32>) dimensions = [1]
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = arith.mulf %x, %k : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @summed(%y, %y) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// A rectifier that leaks nothing.
// expected-note@+1 {{function defined here}}
func.func private @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %z = arith.constant dense<0.0> : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = arith.maximumf %x, %z : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @relu(%y) wrt [0] : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// Nor one that falls where the number is negative, or may.
// expected-note@+1 {{function defined here}}
func.func private @falling(%x: tensor<4xf32>, %a: tensor<4xf32>) -> tensor<4xf32> {
  %z = arith.constant dense<0.0> : tensor<4xf32>
  // expected-note@+1 {{have no inverse edge for argument 0}}
  %c = arith.cmpf ogt, %x, %z : tensor<4xf32>
  %m = arith.mulf %x, %a : tensor<4xf32>
  %y = arith.select %c, %x, %m : tensor<4xi1>, tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>, %a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @falling(%y, %a) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// A slope of which it is not known which side of one it is on.
// expected-note@+1 {{function defined here}}
func.func private @either_slope(%x: tensor<4xf32>, %a: tensor<4xf32>) -> tensor<4xf32> {
  %s = math.exp %a : tensor<4xf32>
  %m = arith.mulf %x, %s : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for result 0 of 'arith.mulf'}}
  %y = arith.maximumf %x, %m : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>, %a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @either_slope(%y, %a) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// A comparison with another number than zero.
// expected-note@+1 {{function defined here}}
func.func private @shifted(%x: tensor<4xf32>) -> tensor<4xf32> {
  %o = arith.constant dense<1.0> : tensor<4xf32>
  %h = arith.constant dense<0.5> : tensor<4xf32>
  %c = arith.cmpf ogt, %x, %o : tensor<4xf32>
  %m = arith.mulf %x, %h : tensor<4xf32>
  // expected-note@+1 {{has no inverse edge for result 0 of 'arith.mulf'}}
  %y = arith.select %c, %x, %m : tensor<4xi1>, tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @shifted(%y) wrt [0] : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// A complex number of which one part may be zero, and the other is.
// expected-note@+1 {{function defined here}}
func.func private @complex_zero(%x: complex<f32>, %a: f32) -> complex<f32> {
  %z = arith.constant 0.0 : f32
  %k = complex.create %z, %a : complex<f32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = complex.mul %x, %k : complex<f32>
  return %y : complex<f32>
}
func.func @main(%y: complex<f32>, %a: f32) -> complex<f32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @complex_zero(%y, %a) wrt [0] : (complex<f32>, f32) -> complex<f32>
  return %x : complex<f32>
}

// -----

// Half of a number.
// expected-note@+1 {{function defined here}}
func.func private @real_part(%x: complex<f32>) -> f32 {
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = complex.re %x : complex<f32>
  return %y : f32
}
func.func @main(%y: f32) -> complex<f32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @real_part(%y) wrt [0] : (f32) -> complex<f32>
  return %x : complex<f32>
}

// -----

// A dimension may be of extent zero.
// expected-note@+1 {{function defined here}}
func.func private @no_copy(%x: tensor<4xf32>, %n: index) -> tensor<?x4xf32> {
  %e = tensor.empty(%n) : tensor<?x4xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = linalg.broadcast ins(%x : tensor<4xf32>) outs(%e : tensor<?x4xf32>) dimensions = [0]
  return %y : tensor<?x4xf32>
}
func.func @main(%y: tensor<?x4xf32>, %n: index) -> tensor<4xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @no_copy(%y, %n) wrt [0] : (tensor<?x4xf32>, index) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----

// The last tile is cut off.
// expected-note@+1 {{function defined here}}
func.func private @cut(%x: tensor<2x3xf32>) -> tensor<5xf32> {
  %e = tensor.empty() : tensor<5xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = linalg.unpack %x inner_dims_pos = [0] inner_tiles = [3] into %e : tensor<2x3xf32> -> tensor<5xf32>
  return %y : tensor<5xf32>
}
func.func @main(%y: tensor<5xf32>) -> tensor<2x3xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @cut(%y) wrt [0] : (tensor<5xf32>) -> tensor<2x3xf32>
  return %x : tensor<2x3xf32>
}

// -----

// What was packed is of unknown extent.
// expected-note@+1 {{function defined here}}
func.func private @packed_open(%x: tensor<?xf32>, %e: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %z = arith.constant 0.0 : f32
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = linalg.pack %x padding_value(%z : f32) inner_dims_pos = [0] inner_tiles = [3] into %e : tensor<?xf32> -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
func.func @main(%y: tensor<?x3xf32>, %e: tensor<?x3xf32>) -> tensor<?xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @packed_open(%y, %e) wrt [0] : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?xf32>
  return %x : tensor<?xf32>
}

// -----

// One element may be replaced by the other.
// expected-note@+1 {{function defined here}}
func.func private @same_element(%x: tensor<2xf32>, %i: index, %j: index) -> tensor<2xf32> {
  // expected-note@+1 {{have no inverse edge for argument 0}}
  %a = tensor.extract %x[%i] : tensor<2xf32>
  %u = arith.negf %a : f32
  %y = tensor.insert %u into %x[%j] : tensor<2xf32>
  return %y : tensor<2xf32>
}
func.func @main(%y: tensor<2xf32>, %i: index, %j: index) -> tensor<2xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @same_element(%y, %i, %j) wrt [0] : (tensor<2xf32>, index, index) -> tensor<2xf32>
  return %x : tensor<2xf32>
}

// -----

// Tiles without elements say nothing about the last one, which is cut.
// expected-note@+1 {{function defined here}}
func.func private @empty(%x: tensor<0x2x3xf32>) -> tensor<0x5xf32> {
  %e = tensor.empty() : tensor<0x5xf32>
  // expected-note@+1 {{has no inverse edge for argument 0}}
  %y = linalg.unpack %x inner_dims_pos = [1] inner_tiles = [3] into %e : tensor<0x2x3xf32> -> tensor<0x5xf32>
  return %y : tensor<0x5xf32>
}
func.func @main(%y: tensor<0x5xf32>) -> tensor<0x2x3xf32> {
  // expected-error@+1 {{expects a function whose inverse gives argument 0 back}}
  %x = rev.inverse @empty(%y) : (tensor<0x5xf32>) -> tensor<0x2x3xf32>
  return %x : tensor<0x2x3xf32>
}
