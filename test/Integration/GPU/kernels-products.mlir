// Products that are too narrow for tensor cores, with what follows on them.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.dir | FileCheck %s

// CHECK: @dot: 1 buffers written, error 0.0e+00
func.func @dot(%x: tensor<5000xf32>, %y: tensor<5000xf32>, %s: tensor<f32>) -> tensor<f32> {
  %r = linalg.dot ins(%x, %y : tensor<5000xf32>, tensor<5000xf32>) outs(%s : tensor<f32>) -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK: @vector: 2 buffers written, error 0.0e+00
func.func @vector(%a: tensor<30x70xf32>, %x: tensor<70xf32>, %y: tensor<30xf32>) -> (tensor<30xf32>, tensor<70xf32>) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<30xf32>
  %i0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<30xf32>) -> tensor<30xf32>
  %r0 = linalg.matvec ins(%a, %x : tensor<30x70xf32>, tensor<70xf32>) outs(%i0 : tensor<30xf32>) -> tensor<30xf32>
  %e1 = tensor.empty() : tensor<70xf32>
  %i1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<70xf32>) -> tensor<70xf32>
  %r1 = linalg.vecmat ins(%y, %a : tensor<30xf32>, tensor<30x70xf32>) outs(%i1 : tensor<70xf32>) -> tensor<70xf32>
  return %r0, %r1 : tensor<30xf32>, tensor<70xf32>
}

// A bias and a mask of another type behind a product, whose factors are f16.
// CHECK: @epilogue: 2 buffers written, error 0.0e+00
func.func @epilogue(%x: tensor<6x200xf16>, %w: tensor<200x3xf16>, %b: tensor<3xf32>) -> (tensor<6x3xf32>, tensor<6x3xi1>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x3xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<6x3xf32>) -> tensor<6x3xf32>
  %p = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<6x200xf16>, tensor<200x3xf16>) outs(%i : tensor<6x3xf32>) {
  ^bb0(%a: f16, %c: f16, %o: f32):
    %0 = arith.extf %a : f16 to f32
    %1 = arith.extf %c : f16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %o, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<6x3xf32>
  %m = tensor.empty() : tensor<6x3xi1>
  %r:2 = linalg.generic {
      indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%p, %b : tensor<6x3xf32>, tensor<3xf32>) outs(%e, %m : tensor<6x3xf32>, tensor<6x3xi1>) {
  ^bb0(%a: f32, %c: f32, %o: f32, %q: i1):
    %0 = arith.addf %a, %c : f32
    %1 = arith.cmpf ogt, %0, %zero : f32
    linalg.yield %0, %1 : f32, i1
  } -> (tensor<6x3xf32>, tensor<6x3xi1>)
  return %r#0, %r#1 : tensor<6x3xf32>, tensor<6x3xi1>
}

// A padded convolution of three channels to two.
// CHECK: @convolution: 1 buffers written, error 0.0e+00
func.func @convolution(%x: tensor<2x7x5x3xf64>, %w: tensor<3x3x3x2xf64>) -> tensor<2x7x5x2xf64> {
  %zero = arith.constant 0.0 : f64
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%n: index, %h: index, %v: index, %c: index):
    tensor.yield %zero : f64
  } : tensor<2x7x5x3xf64> to tensor<2x9x7x3xf64>
  %e = tensor.empty() : tensor<2x7x5x2xf64>
  %z = linalg.fill ins(%zero : f64) outs(%e : tensor<2x7x5x2xf64>) -> tensor<2x7x5x2xf64>
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%p, %w : tensor<2x9x7x3xf64>, tensor<3x3x3x2xf64>) outs(%z : tensor<2x7x5x2xf64>) -> tensor<2x7x5x2xf64>
  return %y : tensor<2x7x5x2xf64>
}

// Integers, and a sum of one term.
// CHECK: @integers: 2 buffers written, error 0.0e+00
func.func @integers(%x: tensor<9x20xi32>, %w: tensor<20x12xi32>, %a: tensor<8x1xf32>, %b: tensor<1x8xf32>) -> (tensor<9x12xi32>, tensor<8x8xf32>) {
  %c0 = arith.constant 0 : i32
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x12xi32>
  %i0 = linalg.fill ins(%c0 : i32) outs(%e0 : tensor<9x12xi32>) -> tensor<9x12xi32>
  %r0 = linalg.matmul ins(%x, %w : tensor<9x20xi32>, tensor<20x12xi32>) outs(%i0 : tensor<9x12xi32>) -> tensor<9x12xi32>
  %e1 = tensor.empty() : tensor<8x8xf32>
  %i1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<8x8xf32>) -> tensor<8x8xf32>
  %r1 = linalg.matmul ins(%a, %b : tensor<8x1xf32>, tensor<1x8xf32>) outs(%i1 : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %r0, %r1 : tensor<9x12xi32>, tensor<8x8xf32>
}
