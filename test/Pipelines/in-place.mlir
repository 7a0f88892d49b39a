// What inversion is for: the reversed loop of a chain of blocks over stacked
// weights, with everything it calls, copies and allocates nothing, and evaluates
// each block's function once.

// RUN: memrev-compile %s --until=bufferize --emit=mlir -o %t
// RUN: FileCheck %s < %t
// RUN: FileCheck %s --check-prefix=ONCE < %t

// Only the wrapper copies the arguments that the body overwrites, for the caller
// keeps them.
// CHECK-LABEL: func.func @step(
// CHECK-COUNT-2: memref.copy
// CHECK: call @step.inplace
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK-LABEL: func.func private @step.inplace
// CHECK-NOT: memref.copy
// CHECK: scf.for
// CHECK-NOT: memref.copy
// CHECK: scf.for
// Behind the backward loop come the kernels.
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy

// Four products in the backward loop are gradients, two evaluate F and G again.
// ONCE-LABEL: func.func private @step.inplace
// ONCE: scf.for
// ONCE-COUNT-2: call @matmul
// ONCE: scf.for
// ONCE-COUNT-6: call @matmul
// ONCE-NOT: call @matmul
// ONCE-LABEL: func.func private @matmul

func.func private @loss(%x1: tensor<4x8xf64>, %x2: tensor<4x8xf64>, %v: tensor<6x8x8xf64>, %w: tensor<6x8x8xf64>) -> tensor<f64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %zero = arith.constant 0.0 : f64
  %r:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<4x8xf64>, tensor<4x8xf64>) {
    %vi = tensor.extract_slice %v[%i, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<6x8x8xf64> to tensor<8x8xf64>
    %wi = tensor.extract_slice %w[%i, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<6x8x8xf64> to tensor<8x8xf64>
    %y1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4x8xf64>):
      %e = tensor.empty() : tensor<4x8xf64>
      %f = linalg.fill ins(%zero : f64) outs(%e : tensor<4x8xf64>) -> tensor<4x8xf64>
      %u = linalg.matmul ins(%c, %vi : tensor<4x8xf64>, tensor<8x8xf64>) outs(%f : tensor<4x8xf64>) -> tensor<4x8xf64>
      %t = math.tanh %u : tensor<4x8xf64>
      rev.yield %t : tensor<4x8xf64>
    } : tensor<4x8xf64>, (tensor<4x8xf64>)
    %y2 = rev.coupling additive %b given(%y1) {
    ^bb0(%c: tensor<4x8xf64>):
      %e = tensor.empty() : tensor<4x8xf64>
      %f = linalg.fill ins(%zero : f64) outs(%e : tensor<4x8xf64>) -> tensor<4x8xf64>
      %u = linalg.matmul ins(%c, %wi : tensor<4x8xf64>, tensor<8x8xf64>) outs(%f : tensor<4x8xf64>) -> tensor<4x8xf64>
      %t = math.tanh %u : tensor<4x8xf64>
      rev.yield %t : tensor<4x8xf64>
    } : tensor<4x8xf64>, (tensor<4x8xf64>)
    scf.yield %y1, %y2 : tensor<4x8xf64>, tensor<4x8xf64>
  }
  %z = arith.constant dense<0.0> : tensor<f64>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%r#0, %r#1 : tensor<4x8xf64>, tensor<4x8xf64>) outs(%z : tensor<f64>) {
  ^bb0(%p: f64, %q: f64, %o: f64):
    %p2 = arith.mulf %p, %p : f64
    %q3 = math.sin %q : f64
    %m = arith.addf %p2, %q3 : f64
    %n = arith.addf %o, %m : f64
    linalg.yield %n : f64
  } -> tensor<f64>
  return %s : tensor<f64>
}

func.func @step(%x1: tensor<4x8xf64>, %x2: tensor<4x8xf64>, %v: tensor<6x8x8xf64>, %w: tensor<6x8x8xf64>)
    -> (tensor<f64>, tensor<4x8xf64>, tensor<4x8xf64>, tensor<6x8x8xf64>, tensor<6x8x8xf64>) {
  %g:5 = rev.value_and_grad @loss(%x1, %x2, %v, %w)
      : (tensor<4x8xf64>, tensor<4x8xf64>, tensor<6x8x8xf64>, tensor<6x8x8xf64>)
     -> (tensor<f64>, tensor<4x8xf64>, tensor<4x8xf64>, tensor<6x8x8xf64>, tensor<6x8x8xf64>)
  return %g#0, %g#1, %g#2, %g#3, %g#4 : tensor<f64>, tensor<4x8xf64>, tensor<4x8xf64>, tensor<6x8x8xf64>, tensor<6x8x8xf64>
}
