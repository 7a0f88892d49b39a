// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

// An iteration rounds once.
// expected-error @below {{expects a drift tolerance that one iteration of a loop of unknown length meets, but got 1.000000e-09}}
func.func private @chain(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %n: index) -> tensor<8x8xf32>
    attributes {rev.drift_tolerance = 1.0e-9 : f64} {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %y:2 = scf.for %i = %zero to %n step %one iter_args(%a = %x, %b = %x)
      -> (tensor<8x8xf32>, tensor<8x8xf32>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<8x8xf32>):
      %empty = tensor.empty() : tensor<8x8xf32>
      %t = linalg.matmul ins(%c, %w : tensor<8x8xf32>, tensor<8x8xf32>)
          outs(%empty : tensor<8x8xf32>) -> tensor<8x8xf32>
      rev.yield %t : tensor<8x8xf32>
    } : tensor<8x8xf32>, (tensor<8x8xf32>)
    scf.yield %b, %a1 : tensor<8x8xf32>, tensor<8x8xf32>
  }
  return %y#0 : tensor<8x8xf32>
}
func.func @gradient(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %n: index, %dy: tensor<8x8xf32>)
    -> tensor<8x8xf32> {
  %dw = rev.vjp @chain(%x, %w, %n) cotangents(%dy) wrt [1]
      : (tensor<8x8xf32>, tensor<8x8xf32>, index, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %dw : tensor<8x8xf32>
}

// -----

// The states of these iterations change places, and their shapes with them, so
// that no tensor has room for a number of them. The inverse of the inner loop
// does not go on asking itself for what it starts from.
// expected-error @below {{expects a value whose shape is known before the loop where a derivative reads it, but got 'tensor<?x8xf32>'}}
func.func private @swapped(%x: tensor<?x8xf32>, %z: tensor<?x8xf32>, %n: index) -> tensor<?x8xf32>
    attributes {rev.drift_tolerance = 1.0e-6 : f64} {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %y:2 = scf.for %i = %zero to %n step %one iter_args(%a = %x, %b = %z) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<?x8xf32>):
      %t = math.tanh %c : tensor<?x8xf32>
      rev.yield %t : tensor<?x8xf32>
    } : tensor<?x8xf32>, (tensor<?x8xf32>)
    scf.yield %b, %a1 : tensor<?x8xf32>, tensor<?x8xf32>
  }
  return %y#0 : tensor<?x8xf32>
}
func.func @swapped_gradient(%x: tensor<?x8xf32>, %z: tensor<?x8xf32>, %n: index, %dy: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %dx = rev.vjp @swapped(%x, %z, %n) cotangents(%dy) wrt [0]
      : (tensor<?x8xf32>, tensor<?x8xf32>, index, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %dx : tensor<?x8xf32>
}
