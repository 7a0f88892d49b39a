// Random numbers of GPU code are those of the CPU, and so are the masks of dropout
// that a reverse loop evaluates again.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower -o %t.mlir
// RUN: memrev-opt %t.mlir --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %t.mlir --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s

// CHECK: @uniform: 2 buffers written, error 0.0e+00
func.func @uniform() -> (tensor<37x53xf64>, tensor<37x53xf32>) {
  %seed = arith.constant 12345678901 : i64
  %layer = arith.constant 5 : i32
  %0 = rev.random_uniform seed %seed layer %layer step %seed : (i64, i32, i64) -> tensor<37x53xf64>
  %1 = rev.random_uniform seed %seed layer %layer step %seed : (i64, i32, i64) -> tensor<37x53xf32>
  return %0, %1 : tensor<37x53xf64>, tensor<37x53xf32>
}

// CHECK: @normal: 1 buffers written
func.func @normal() -> tensor<37x53xf32> {
  %seed = arith.constant 12345678901 : i64
  %layer = arith.constant 5 : i32
  %0 = rev.random_normal seed %seed layer %layer step %seed : (i64, i32, i64) -> tensor<37x53xf32>
  return %0 : tensor<37x53xf32>
}

func.func private @chain(%x1: tensor<16x24xf64>, %x2: tensor<16x24xf64>, %w: tensor<6x24xf64>) -> f64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %zero = arith.constant 0.0 : f64
  %rate = arith.constant 0.3 : f32
  %seed = arith.constant 77 : i64
  %y:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x1, %b = %x2) -> (tensor<16x24xf64>, tensor<16x24xf64>) {
    %wi = tensor.extract_slice %w[%i, 0] [1, 24] [1, 1] : tensor<6x24xf64> to tensor<24xf64>
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<16x24xf64>):
      %e = tensor.empty() : tensor<16x24xf64>
      %p = linalg.generic {indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (k)>, affine_map<(n, k) -> (n, k)>],
          iterator_types = ["parallel", "parallel"]} ins(%c, %wi : tensor<16x24xf64>, tensor<24xf64>) outs(%e : tensor<16x24xf64>) {
      ^bb0(%u: f64, %v: f64, %o: f64):
        %0 = arith.mulf %u, %v : f64
        %1 = math.tanh %0 : f64
        linalg.yield %1 : f64
      } -> tensor<16x24xf64>
      %d = rev.dropout %p rate %rate seed %seed layer %i step %c1
          : (tensor<16x24xf64>, f32, i64, index, index) -> tensor<16x24xf64>
      rev.yield %d : tensor<16x24xf64>
    } : tensor<16x24xf64>, (tensor<16x24xf64>)
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%c: tensor<16x24xf64>):
      %d = rev.dropout %c rate %rate seed %seed layer %i step %c0
          : (tensor<16x24xf64>, f32, i64, index, index) -> tensor<16x24xf64>
      rev.yield %d : tensor<16x24xf64>
    } : tensor<16x24xf64>, (tensor<16x24xf64>)
    scf.yield %a1, %b1 : tensor<16x24xf64>, tensor<16x24xf64>
  }
  %e = tensor.empty() : tensor<f64>
  %z = linalg.fill ins(%zero : f64) outs(%e : tensor<f64>) -> tensor<f64>
  %s = linalg.generic {indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> ()>],
      iterator_types = ["reduction", "reduction"]}
      ins(%y#0, %y#1 : tensor<16x24xf64>, tensor<16x24xf64>) outs(%z : tensor<f64>) {
  ^bb0(%p: f64, %q: f64, %sum: f64):
    %0 = arith.mulf %p, %q : f64
    %1 = arith.addf %sum, %0 : f64
    linalg.yield %1 : f64
  } -> tensor<f64>
  %r = tensor.extract %s[] : tensor<f64>
  return %r : f64
}

// CHECK: @gradient: 2 buffers written
func.func @gradient(%x1: tensor<16x24xf64>, %x2: tensor<16x24xf64>, %w: tensor<6x24xf64>) -> (tensor<16x24xf64>, tensor<6x24xf64>) {
  %one = arith.constant 1.0 : f64
  %dx, %dw = rev.vjp @chain(%x1, %x2, %w) cotangents(%one) wrt [0, 2]
      : (tensor<16x24xf64>, tensor<16x24xf64>, tensor<6x24xf64>, f64) -> (tensor<16x24xf64>, tensor<6x24xf64>)
  return %dx, %dw : tensor<16x24xf64>, tensor<6x24xf64>
}
