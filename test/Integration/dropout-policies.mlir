// Inverting, the reverse loop evaluates the masks of dropout again; storing, it
// does not. Both are the same, bit for bit, and those of the forward loop.
// RUN: memrev-opt %s -rev-differentiate -symbol-dce -convert-rev-to-linalg \
// RUN:   -one-shot-bufferize="bufferize-function-boundaries allow-return-allocs-from-loops" \
// RUN:   -convert-linalg-to-loops -convert-scf-to-cf -expand-strided-metadata -lower-affine \
// RUN:   -convert-math-to-llvm -convert-math-to-libm -convert-vector-to-llvm -convert-to-llvm -reconcile-unrealized-casts \
// RUN: | mlir-runner -e main --entry-point-result=void --shared-libs=%mlir_lib_dir/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

// The gradient of the weights in layer i is the mask of that layer, so that it
// reads no value that an inverse gives back.
func.func private @f(%x: tensor<64xf64>, %w: tensor<9x64xf64>, %seed: i64, %step: i64) -> tensor<64xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %rate = arith.constant 0.25 : f64
  %r = scf.for %i = %c0 to %c9 step %c1 iter_args(%a = %x) -> tensor<64xf64> {
    %wi = tensor.extract_slice %w[%i, 0] [1, 64] [1, 1] : tensor<9x64xf64> to tensor<64xf64>
    %b = rev.coupling additive %a given(%wi) {
    ^bb0(%g: tensor<64xf64>):
      %d = rev.dropout %g rate %rate seed %seed layer %i step %step
          : (tensor<64xf64>, f64, i64, index, i64) -> tensor<64xf64>
      rev.yield %d : tensor<64xf64>
    } : tensor<64xf64>, (tensor<64xf64>)
    scf.yield %b : tensor<64xf64>
  }
  return %r : tensor<64xf64>
}

func.func @main() {
  %seed = arith.constant 12345678901 : i64
  %step = arith.constant 3 : i64
  %x = arith.constant dense<0.5> : tensor<64xf64>
  %w = arith.constant dense<1.0> : tensor<9x64xf64>
  %dy = arith.constant dense<1.0> : tensor<64xf64>
  %inverted = rev.vjp @f(%x, %w, %seed, %step) cotangents(%dy) wrt [1] policy(invert)
      : (tensor<64xf64>, tensor<9x64xf64>, i64, i64, tensor<64xf64>) -> tensor<9x64xf64>
  %stored = rev.vjp @f(%x, %w, %seed, %step) cotangents(%dy) wrt [1] policy(store)
      : (tensor<64xf64>, tensor<9x64xf64>, i64, i64, tensor<64xf64>) -> tensor<9x64xf64>
  // With weights of one, what a layer adds is its mask too.
  %y = func.call @f(%x, %w, %seed, %step) : (tensor<64xf64>, tensor<9x64xf64>, i64, i64) -> tensor<64xf64>
  %zero = arith.constant dense<0.0> : tensor<f64>
  %r:2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>,
      affine_map<(i, j) -> ()>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%inverted, %stored : tensor<9x64xf64>, tensor<9x64xf64>) outs(%zero, %zero : tensor<f64>, tensor<f64>) {
  ^bb0(%a: f64, %b: f64, %different: f64, %kept: f64):
    %0 = arith.constant 0.0 : f64
    %1 = arith.constant 1.0 : f64
    %differs = arith.cmpf une, %a, %b : f64
    %isKept = arith.cmpf une, %a, %0 : f64
    %d = arith.select %differs, %1, %0 : f64
    %k = arith.select %isKept, %1, %0 : f64
    %s = arith.addf %different, %d : f64
    %t = arith.addf %kept, %k : f64
    linalg.yield %s, %t : f64, f64
  } -> (tensor<f64>, tensor<f64>)
  // CHECK: 0
  %different = tensor.extract %r#0[] : tensor<f64>
  vector.print %different : f64
  // Of 576 about three quarters.
  // CHECK-NEXT: 4{{[0-9][0-9]}}
  %kept = tensor.extract %r#1[] : tensor<f64>
  vector.print %kept : f64
  // Summed over the layers, the masks are what the forward loop added.
  %sums = linalg.reduce ins(%inverted : tensor<9x64xf64>) outs(%x : tensor<64xf64>) dimensions = [0]
    (%a: f64, %sum: f64) {
      %s = arith.addf %sum, %a : f64
      linalg.yield %s : f64
    }
  %error = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> ()>],
      iterator_types = ["reduction"]} ins(%sums, %y : tensor<64xf64>, tensor<64xf64>) outs(%zero : tensor<f64>) {
  ^bb0(%a: f64, %b: f64, %most: f64):
    %d = arith.subf %a, %b : f64
    %ad = math.absf %d : f64
    %m = arith.maximumf %most, %ad : f64
    linalg.yield %m : f64
  } -> tensor<f64>
  // CHECK-NEXT: 0
  %e = tensor.extract %error[] : tensor<f64>
  vector.print %e : f64
  return
}
