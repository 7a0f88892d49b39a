// RUN: memrev-opt %s -rev-plan -split-input-file | FileCheck %s

// Loops whose inverses lose digits are inverted if half of the digits stay.

// 0.9 is undone by a division that makes errors larger, 8 times.
// CHECK-LABEL: func.func @damped
// CHECK: } {rev.inverse_gain = 2.32{{[0-9]*}} : f64, rev.invert = 0 : i64}
func.func @damped(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 8 : index
  %k = arith.constant dense<0.9> : tensor<4xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %u = arith.mulf %a, %k : tensor<4xf32>
    %s = math.sin %b : tensor<4xf32>
    %v = arith.addf %u, %s : tensor<4xf32>
    scf.yield %b, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @damped(%x, %y) cotangents(%x, %y) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// 100 times would be too often for 24 digits, of which 12 may be lost.
// CHECK-LABEL: func.func @damped_long
// CHECK: rev.reason = "in all iterations together its inverse may lose more than half of the digits"
func.func @damped_long(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 100 : index
  %k = arith.constant dense<0.9> : tensor<4xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %u = arith.mulf %a, %k : tensor<4xf32>
    %s = math.sin %b : tensor<4xf32>
    %v = arith.addf %u, %s : tensor<4xf32>
    scf.yield %b, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @damped_long(%x, %y) cotangents(%x, %y) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// What grows forward shrinks backward.
// CHECK-LABEL: func.func @growing
// CHECK: } {rev.inverse_gain = 1.000000e+00 : f64, rev.invert = 0 : i64}
func.func @growing(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 100 : index
  %k = arith.constant dense<1.25> : tensor<4xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %u = arith.mulf %a, %k : tensor<4xf32>
    %s = math.sin %b : tensor<4xf32>
    %v = arith.addf %u, %s : tensor<4xf32>
    scf.yield %b, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @growing(%x, %y) cotangents(%x, %y) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// An exponential is not zero, but may be small.
// CHECK-LABEL: func.func @unknown
// CHECK: rev.reason = "the inverse of 'arith.mulf' at {{.*}}:[[@LINE+7]]:10 may lose any number of digits"
func.func @unknown(%x: tensor<4xf32>, %y: tensor<4xf32>, %l: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 4 : index
  %k = math.exp %l : tensor<4xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %u = arith.mulf %a, %k : tensor<4xf32>
    %s = math.sin %b : tensor<4xf32>
    %v = arith.addf %u, %s : tensor<4xf32>
    scf.yield %b, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:3 = rev.vjp @unknown(%x, %y, %y) cotangents(%x, %y) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// The program may say how small.
// CHECK-LABEL: func.func @stated
// CHECK: } {rev.inverse_gain = 1.04{{[0-9]*}} : f64, rev.invert = 0 : i64}
func.func @stated(%x: tensor<4xf32>, %y: tensor<4xf32>, %l: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 4 : index
  %k = math.exp %l : tensor<4xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %u = arith.mulf %a, %k {rev.gain = 1.01} : tensor<4xf32>
    %s = math.sin %b : tensor<4xf32>
    %v = arith.addf %u, %s : tensor<4xf32>
    scf.yield %b, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:3 = rev.vjp @stated(%x, %y, %y) cotangents(%x, %y) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// A factor that may be zero has no inverse.
// CHECK-LABEL: func.func @maybe_zero
// CHECK: rev.reason = "no inverse edge gives iteration argument 0 back: 'arith.mulf' at {{.*}}:[[@LINE+6]]:10 has no inverse edge for iteration argument 0"
func.func @maybe_zero(%x: tensor<4xf32>, %y: tensor<4xf32>, %l: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 4 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %u = arith.mulf %a, %l : tensor<4xf32>
    %s = math.sin %b : tensor<4xf32>
    %v = arith.addf %u, %s : tensor<4xf32>
    scf.yield %b, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:3 = rev.vjp @maybe_zero(%x, %y, %y) cotangents(%x, %y) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// Nor has a division whose result stays near zero a bound in its divisor; in what is divided it has.
// CHECK-LABEL: func.func @divided
// CHECK: } {rev.inverse_gain = 2.44140625 : f64, rev.invert = 0 : i64}
func.func @divided(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 4 : index
  %k = arith.constant dense<1.25> : tensor<4xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %u = arith.divf %a, %k : tensor<4xf32>
    %s = math.sin %b : tensor<4xf32>
    %v = arith.addf %u, %s : tensor<4xf32>
    scf.yield %b, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @divided(%x, %y) cotangents(%x, %y) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// A body gains what its operations gain together.
// CHECK-LABEL: func.func @powers
// CHECK: } {rev.inverse_gain = 1.600000e+01 : f64, rev.invert = 0 : i64}
func.func @powers(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 2 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %e = tensor.empty() : tensor<4xf32>
    %u = linalg.map ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) (%p: f32, %o: f32) {
      %h = arith.constant 0.5 : f32
      %q = arith.mulf %p, %h : f32
      %t = arith.mulf %h, %q : f32
      linalg.yield %t : f32
    }
    %s = math.sin %b : tensor<4xf32>
    %v = arith.addf %u, %s : tensor<4xf32>
    scf.yield %b, %v : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = rev.vjp @powers(%x, %y) cotangents(%x, %y) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}
