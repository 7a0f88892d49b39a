// The running averages of batch normalisation inside of couplings in a loop, with
// the gradient taken by inversion, by storing, and not at all: the same numbers, so
// that inverting does not update them twice.
// RUN: memrev-opt %s -rev-differentiate -symbol-dce -convert-rev-to-linalg \
// RUN:   -convert-elementwise-to-linalg -one-shot-bufferize="bufferize-function-boundaries allow-return-allocs-from-loops" \
// RUN:   -convert-linalg-to-loops -convert-scf-to-cf -expand-strided-metadata -lower-affine \
// RUN:   -convert-math-to-llvm -convert-math-to-libm -convert-vector-to-llvm -convert-to-llvm -reconcile-unrealized-casts \
// RUN: | mlir-runner -e main --entry-point-result=void --shared-libs=%mlir_lib_dir/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

func.func private @train(%x1: tensor<8x4xf64>, %x2: tensor<8x4xf64>, %scale: tensor<3x4xf64>, %offset: tensor<3x4xf64>, %running: tensor<3x4xf64>) -> (f64, tensor<3x4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %m = arith.constant dense<0.1> : tensor<4xf64>
  %r:3 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x1, %b = %x2, %s = %running) -> (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>) {
    %g = tensor.extract_slice %scale[%i, 0] [1, 4] [1, 1] : tensor<3x4xf64> to tensor<4xf64>
    %o = tensor.extract_slice %offset[%i, 0] [1, 4] [1, 1] : tensor<3x4xf64> to tensor<4xf64>
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<8x4xf64>):
      %t = math.sin %c : tensor<8x4xf64>
      %y, %mean, %var = rev.batch_norm %t, %g, %o epsilon 1.0e-5 : (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>)
      rev.yield %y : tensor<8x4xf64>
    } : tensor<8x4xf64>, (tensor<8x4xf64>)
    %t = math.sin %b : tensor<8x4xf64>
    %y, %mean, %var = rev.batch_norm %t, %g, %o epsilon 1.0e-5 : (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<8x4xf64>, tensor<4xf64>, tensor<4xf64>)
    %old = tensor.extract_slice %s[%i, 0] [1, 4] [1, 1] : tensor<3x4xf64> to tensor<4xf64>
    %new = rev.running_average %old, %mean momentum 0.1 : tensor<4xf64>
    %s1 = tensor.insert_slice %new into %s[%i, 0] [1, 4] [1, 1] : tensor<4xf64> into tensor<3x4xf64>
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%c: tensor<8x4xf64>):
      %t1 = math.sin %c : tensor<8x4xf64>
      rev.yield %t1 : tensor<8x4xf64>
    } : tensor<8x4xf64>, (tensor<8x4xf64>)
    scf.yield %a1, %b1, %s1 : tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>
  }
  %z = arith.constant dense<0.0> : tensor<f64>
  %q = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%r#0, %r#1 : tensor<8x4xf64>, tensor<8x4xf64>) outs(%z : tensor<f64>) {
  ^bb0(%u: f64, %v: f64, %sum: f64):
    %p = arith.mulf %u, %v : f64
    %n = arith.addf %sum, %p : f64
    linalg.yield %n : f64
  } -> tensor<f64>
  %l = tensor.extract %q[] : tensor<f64>
  return %l, %r#2 : f64, tensor<3x4xf64>
}

func.func private @print(%t: tensor<3x4xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %0 = tensor.extract %t[%c0, %c0] : tensor<3x4xf64>
  vector.print %0 : f64
  %1 = tensor.extract %t[%c1, %c1] : tensor<3x4xf64>
  vector.print %1 : f64
  %2 = tensor.extract %t[%c2, %c2] : tensor<3x4xf64>
  vector.print %2 : f64
  return
}

func.func @main() {
  // The rows of x2 are one: the mean of sin(x2) in the first layer is sin(0.5), and
  // its average 0.9 * 2 + 0.1 * sin(0.5).
  %x1 = arith.constant dense<0.25> : tensor<8x4xf64>
  %x2 = arith.constant dense<0.5> : tensor<8x4xf64>
  %scale = arith.constant dense<1.0> : tensor<3x4xf64>
  %offset = arith.constant dense<0.125> : tensor<3x4xf64>
  %running = arith.constant dense<2.0> : tensor<3x4xf64>
  // CHECK: 1.84794
  // CHECK-NEXT: [[SECOND:[-0-9].+]]
  // CHECK-NEXT: [[THIRD:[-0-9].+]]
  %v, %plain = func.call @train(%x1, %x2, %scale, %offset, %running)
      : (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>) -> (f64, tensor<3x4xf64>)
  func.call @print(%plain) : (tensor<3x4xf64>) -> ()
  // CHECK-NEXT: 1.84794
  // CHECK-NEXT: [[SECOND]]
  // CHECK-NEXT: [[THIRD]]
  %i:3 = rev.value_and_grad @train(%x1, %x2, %scale, %offset, %running) wrt [3] policy(invert)
      : (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>) -> (f64, tensor<3x4xf64>, tensor<3x4xf64>)
  func.call @print(%i#1) : (tensor<3x4xf64>) -> ()
  // CHECK-NEXT: 1.84794
  // CHECK-NEXT: [[SECOND]]
  // CHECK-NEXT: [[THIRD]]
  %s:3 = rev.value_and_grad @train(%x1, %x2, %scale, %offset, %running) wrt [3] policy(store)
      : (tensor<8x4xf64>, tensor<8x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>, tensor<3x4xf64>) -> (f64, tensor<3x4xf64>, tensor<3x4xf64>)
  func.call @print(%s#1) : (tensor<3x4xf64>) -> ()
  // The gradients with respect to the offsets.
  // CHECK-NEXT: [[G0:[-0-9].+]]
  // CHECK-NEXT: [[G1:[-0-9].+]]
  // CHECK-NEXT: [[G2:[-0-9].+]]
  func.call @print(%i#2) : (tensor<3x4xf64>) -> ()
  // CHECK-NEXT: [[G0]]
  // CHECK-NEXT: [[G1]]
  // CHECK-NEXT: [[G2]]
  func.call @print(%s#2) : (tensor<3x4xf64>) -> ()
  return
}
