// The expansions of math functions against the C library, to 1e-14 of the
// largest value in f64 and 2e-6 in f32.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-gpu-schedule --memrev-bufferize -o %t.mlir
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.mlir --reference %t.cpu.mlir --range -4 4 --work-dir %t.dir | FileCheck %s

// CHECK: @f64: 8 buffers written
func.func @f64(%x: tensor<5000xf64>) -> (tensor<5000xf64>, tensor<5000xf64>, tensor<5000xf64>, tensor<5000xf64>,
                                         tensor<5000xf64>, tensor<5000xf64>, tensor<5000xf64>, tensor<5000xf64>) {
  %positive = math.absf %x : tensor<5000xf64>
  %exp = math.exp %x : tensor<5000xf64>
  %expm1 = math.expm1 %x : tensor<5000xf64>
  %log = math.log %positive : tensor<5000xf64>
  %log1p = math.log1p %positive : tensor<5000xf64>
  %tanh = math.tanh %x : tensor<5000xf64>
  %atan = math.atan %x : tensor<5000xf64>
  %rsqrt = math.rsqrt %positive : tensor<5000xf64>
  %log2 = math.log2 %positive : tensor<5000xf64>
  return %exp, %expm1, %log, %log1p, %tanh, %atan, %rsqrt, %log2 : tensor<5000xf64>, tensor<5000xf64>, tensor<5000xf64>,
      tensor<5000xf64>, tensor<5000xf64>, tensor<5000xf64>, tensor<5000xf64>, tensor<5000xf64>
}

// Far from zero, and with the limits in reach: overflow, underflow, denormals.

// CHECK: @f64_wide: 3 buffers written
func.func @f64_wide(%x: tensor<999xf64>) -> (tensor<999xf64>, tensor<999xf64>, tensor<999xf64>) {
  %e0 = tensor.empty() : tensor<999xf64>
  %e1 = tensor.empty() : tensor<999xf64>
  %e2 = tensor.empty() : tensor<999xf64>
  %scale = arith.constant 170.0 : f64
  %half = arith.constant 0.5 : f64
  %r:3 = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]}
      ins(%x : tensor<999xf64>) outs(%e0, %e1, %e2 : tensor<999xf64>, tensor<999xf64>, tensor<999xf64>) {
  ^bb0(%a: f64, %o0: f64, %o1: f64, %o2: f64):
    %s = arith.mulf %a, %scale : f64
    %n = arith.negf %s : f64
    %p = math.exp %s : f64
    %q = math.exp %n : f64
    %l = math.log %p : f64
    %m = math.log %q : f64
    %t = math.tanh %s : f64
    linalg.yield %l, %m, %t : f64, f64, f64
  } -> (tensor<999xf64>, tensor<999xf64>, tensor<999xf64>)
  return %r#0, %r#1, %r#2 : tensor<999xf64>, tensor<999xf64>, tensor<999xf64>
}

// Values that are no numbers, or at the edge of them. The sixth is a denormal.

// CHECK: @f64_special: 6 buffers written
func.func @f64_special() -> (tensor<8xf64>, tensor<8xf64>, tensor<8xf64>, tensor<8xf64>, tensor<8xf64>, tensor<8xf64>) {
  %x = arith.constant dense<[0x7FF8000000000000, 0x7FF0000000000000, 0xFFF0000000000000, 0.0, 710.0, 4.0e-320, -746.0,
                             -1.0]> : tensor<8xf64>
  %0 = math.exp %x : tensor<8xf64>
  %1 = math.log %x : tensor<8xf64>
  %2 = math.log1p %x : tensor<8xf64>
  %3 = math.tanh %x : tensor<8xf64>
  %4 = math.expm1 %x : tensor<8xf64>
  %5 = math.atan %x : tensor<8xf64>
  return %0, %1, %2, %3, %4, %5 : tensor<8xf64>, tensor<8xf64>, tensor<8xf64>, tensor<8xf64>, tensor<8xf64>, tensor<8xf64>
}

// CHECK: @f32: 8 buffers written
func.func @f32(%x: tensor<5000xf32>) -> (tensor<5000xf32>, tensor<5000xf32>, tensor<5000xf32>, tensor<5000xf32>,
                                         tensor<5000xf32>, tensor<5000xf32>, tensor<5000xf32>, tensor<5000xf32>) {
  %positive = math.absf %x : tensor<5000xf32>
  %exp = math.exp %x : tensor<5000xf32>
  %expm1 = math.expm1 %x : tensor<5000xf32>
  %log = math.log %positive : tensor<5000xf32>
  %log1p = math.log1p %positive : tensor<5000xf32>
  %tanh = math.tanh %x : tensor<5000xf32>
  %atan = math.atan %x : tensor<5000xf32>
  %rsqrt = math.rsqrt %positive : tensor<5000xf32>
  %erf = math.erf %x : tensor<5000xf32>
  return %exp, %expm1, %log, %log1p, %tanh, %atan, %rsqrt, %erf : tensor<5000xf32>, tensor<5000xf32>, tensor<5000xf32>,
      tensor<5000xf32>, tensor<5000xf32>, tensor<5000xf32>, tensor<5000xf32>, tensor<5000xf32>
}
