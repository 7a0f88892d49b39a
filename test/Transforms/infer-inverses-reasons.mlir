// RUN: memrev-opt %s -rev-plan -rev-differentiate -split-input-file | FileCheck %s

// The report says of each stored value what kept it from being inverted.

// Nothing undoes a sine or a product.
// CHECK: reason = "'math.sin' at {{.*}}:[[@LINE+8]]:8 has no inverse edge for result 0 of 'linalg.matmul' at {{.*}}:[[@LINE+7]]:8", strategy = "stored"
// CHECK: reason = "'linalg.matmul' at {{.*}}:[[@LINE+8]]:8 has no inverse edge for result 0 of 'math.sin' at {{.*}}:[[@LINE+7]]:8", strategy = "stored"
// CHECK: reason = "the function returns it", strategy = "stored"
func.func private @missing(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = math.sin %a : tensor<4x4xf32>
  %c = linalg.matmul ins(%b, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %d = math.exp %c : tensor<4x4xf32>
  return %d : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @missing(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// What a residual network adds is computed from what it is added to.
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+8]]:8 needs result 0 of 'math.sin' at {{.*}}:[[@LINE+7]]:8, and that needs result 0 of 'linalg.matmul' at {{.*}}:[[@LINE+5]]:8 first", strategy = "stored"
func.func private @residual(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = linalg.matmul ins(%a, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = math.sin %b : tensor<4x4xf32>
  %d = arith.addf %a, %c : tensor<4x4xf32>
  %g = linalg.matmul ins(%d, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @residual(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// One operand of a sum would come back from the other one, but the sum is not stored.
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+13]]:8 is in a chain that starts from 128 bytes and gives 64 back", strategy = "stored"
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+12]]:8 gives another operand back", strategy = "stored"
func.func private @sum(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %k = arith.constant dense<2.0> : tensor<4x4xf32>
  %a = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = linalg.matmul ins(%w, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %sa = math.sin %a : tensor<4x4xf32>
  %sb = math.sin %b : tensor<4x4xf32>
  %p = arith.addf %sa, %sb : tensor<4x4xf32>
  %q = linalg.matmul ins(%p, %k : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %d = arith.addf %a, %b : tensor<4x4xf32>
  %g = linalg.matmul ins(%d, %k : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = arith.mulf %g, %q : tensor<4x4xf32>
  return %r : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @sum(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// The logarithm may lose any number of digits.
// CHECK: reason = "the inverse of 'math.exp' at {{.*}}:[[@LINE+7]]:8 may lose more than half of the digits", strategy = "stored"
func.func private @lossy(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %d = math.sin %a : tensor<4x4xf32>
  %b = math.exp %a : tensor<4x4xf32>
  %c = math.sin %b : tensor<4x4xf32>
  %g = arith.mulf %c, %d : tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @lossy(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// What is read behind an operation is there before its inverse is.
// CHECK: reason = "what is behind 'math.exp' at {{.*}}:[[@LINE+6]]:8 reads it before that is undone", strategy = "stored"
func.func private @before(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = math.exp %a : tensor<4x4xf32>
  %d = math.sin %a : tensor<4x4xf32>
  %g = arith.mulf %b, %d : tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @before(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// One step alone is not worth its function.
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+9]]:8 would evaluate result 0 of 'math.sin' at {{.*}}:[[@LINE+8]]:8 again for this alone", strategy = "stored"
func.func private @step(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = linalg.matmul ins(%w, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %sa = math.sin %a : tensor<4x4xf32>
  %b = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = math.sin %b : tensor<4x4xf32>
  %d = arith.addf %a, %c : tensor<4x4xf32>
  %g = arith.mulf %d, %sa : tensor<4x4xf32>
  %r = math.sin %g : tensor<4x4xf32>
  return %r : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @step(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// Two states are not worth one.
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+11]]:8 is in a chain that starts from 128 bytes and gives 64 back", strategy = "stored"
func.func private @steps(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = linalg.matmul ins(%w, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %sa = math.sin %a : tensor<4x4xf32>
  %sb = math.sin %b : tensor<4x4xf32>
  %m = linalg.matmul ins(%b, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = math.sin %m : tensor<4x4xf32>
  %d = arith.addf %a, %c : tensor<4x4xf32>
  %g = arith.mulf %d, %sa : tensor<4x4xf32>
  %r = math.sin %g : tensor<4x4xf32>
  %q = arith.mulf %r, %sb : tensor<4x4xf32>
  return %q : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @steps(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// A loop that is not inverted gives nothing back.
// CHECK: reason = "'scf.for' at {{.*}}:[[@LINE+9]]:8 is not inverted: no inverse edge gives iteration argument 0 back: 'math.sin' at {{.*}}:[[@LINE+10]]:10 has no inverse edge for iteration argument 0", strategy = "stored"
func.func private @loop(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %a = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %l = scf.for %i = %c0 to %c4 step %c1 iter_args(%v = %a) -> (tensor<4x4xf32>) {
    %s = math.sin %v : tensor<4x4xf32>
    scf.yield %s : tensor<4x4xf32>
  }
  %d = math.sin %a : tensor<4x4xf32>
  %g = arith.mulf %d, %l : tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @loop(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// Nobody reads what the inverse would give back.
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+9]]:8 would start from it", strategy = "stored"
func.func private @unread(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %a = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %d = math.sin %a : tensor<4x4xf32>
  %b = math.exp %a : tensor<4x4xf32>
  %c = math.sin %b : tensor<4x4xf32>
  %g = arith.addf %c, %d : tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @unread(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// What a loop computes is not evaluated again for an inverse.
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+20]]:8 needs result 0 of 'math.exp' at {{.*}}:[[@LINE+19]]:8, which is not evaluated again", strategy = "stored"
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+19]]:8 needs result 0 of 'math.exp' at {{.*}}:[[@LINE+17]]:8, which is not evaluated again", strategy = "stored"
func.func private @stored(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %k = arith.constant dense<2.0> : tensor<4x4xf32>
  %l = scf.for %i = %c0 to %c4 step %c1 iter_args(%v = %x) -> (tensor<4x4xf32>) {
    %s = math.sin %v : tensor<4x4xf32>
    scf.yield %s : tensor<4x4xf32>
  }
  %m = scf.for %i = %c0 to %c4 step %c1 iter_args(%v = %w) -> (tensor<4x4xf32>) {
    %s = math.sin %v : tensor<4x4xf32>
    scf.yield %s : tensor<4x4xf32>
  }
  %a = math.exp %l : tensor<4x4xf32>
  %b = math.exp %m : tensor<4x4xf32>
  %d = arith.addf %a, %b : tensor<4x4xf32>
  %g = linalg.matmul ins(%d, %k : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @stored(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// A sum gives back what is added to what a loop computes, from both.
// CHECK: reason = "the inverse of 'arith.addf' at {{.*}}:[[@LINE+15]]:8 starts from it", strategy = "stored"
func.func private @given(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %a = linalg.matmul ins(%w, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %sa = math.sin %a : tensor<4x4xf32>
  %l = scf.for %i = %c0 to %c4 step %c1 iter_args(%v = %x) -> (tensor<4x4xf32>) {
    %s = math.sin %v : tensor<4x4xf32>
    scf.yield %s : tensor<4x4xf32>
  }
  %k = math.exp %l : tensor<4x4xf32>
  %d = arith.addf %a, %k : tensor<4x4xf32>
  %g = arith.mulf %d, %sa : tensor<4x4xf32>
  return %g : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @given(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// The last state is what the inverse of a loop starts from.
// CHECK: reason = "the inverse of 'scf.for' at {{.*}}:[[@LINE+8]]:10 starts from it", strategy = "stored"
func.func private @chain(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %l:2 = scf.for %i = %c0 to %c4 step %c1 iter_args(%v = %x, %u = %w) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
    %s = math.sin %u : tensor<4x4xf32>
    %n = arith.addf %v, %s : tensor<4x4xf32>
    scf.yield %u, %n : tensor<4x4xf32>, tensor<4x4xf32>
  }
  %d = linalg.matmul ins(%l#0, %l#1 : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %d : tensor<4x4xf32>
}
func.func @main(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0:2 = rev.vjp @chain(%x, %x) cotangents(%x) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}
