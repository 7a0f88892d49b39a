// Contractions on the emulator, with every unit: numbers are multiples of an
// eighth, whose products and sums are exact in all types, so that results have
// to be equal to those of plain loops.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: memrev-opt %s --memrev-gpu-schedule="chip=sm_80 fp32-precision=tf32" --memrev-bufferize -o %t.80.mlir
// RUN: %emulate %t.80.mlir --chip sm_80 --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.80 | FileCheck %s
// RUN: memrev-opt %s --memrev-gpu-schedule="chip=sm_90 fp32-precision=tf32x3" --memrev-bufferize -o %t.90.mlir
// RUN: %emulate %t.90.mlir --chip sm_90 --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.90 | FileCheck %s

// CHECK: @transposed: 4 buffers written, error 0.0e+00
func.func @transposed(%a: tensor<72x50xf32>, %at: tensor<50x72xf32>, %b: tensor<50x40xf32>, %bt: tensor<40x50xf32>)
    -> (tensor<72x40xf32>, tensor<72x40xf32>, tensor<72x40xf32>, tensor<72x40xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<72x40xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<72x40xf32>) -> tensor<72x40xf32>
  %nn = linalg.matmul ins(%a, %b : tensor<72x50xf32>, tensor<50x40xf32>) outs(%init : tensor<72x40xf32>) -> tensor<72x40xf32>
  %tn = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%at, %b : tensor<50x72xf32>, tensor<50x40xf32>) outs(%init : tensor<72x40xf32>) -> tensor<72x40xf32>
  %nt = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %bt : tensor<72x50xf32>, tensor<40x50xf32>) outs(%init : tensor<72x40xf32>) -> tensor<72x40xf32>
  %tt = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%at, %bt : tensor<50x72xf32>, tensor<40x50xf32>) outs(%init : tensor<72x40xf32>) -> tensor<72x40xf32>
  return %nn, %tn, %nt, %tt : tensor<72x40xf32>, tensor<72x40xf32>, tensor<72x40xf32>, tensor<72x40xf32>
}

// Nothing is a multiple of anything, and the result is added to.
// CHECK: @odd: 1 buffers written, error 0.0e+00
func.func @odd(%a: tensor<37x29xf32>, %b: tensor<29x41xf32>, %c: tensor<37x41xf32>) -> tensor<37x41xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<37x29xf32>, tensor<29x41xf32>) outs(%c : tensor<37x41xf32>) -> tensor<37x41xf32>
  return %r : tensor<37x41xf32>
}

// CHECK: @double: 1 buffers written, error 0.0e+00
func.func @double(%a: tensor<3x40x26xf64>, %b: tensor<3x26x24xf64>) -> tensor<3x40x24xf64> {
  %zero = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<3x40x24xf64>
  %init = linalg.fill ins(%zero : f64) outs(%e : tensor<3x40x24xf64>) -> tensor<3x40x24xf64>
  %r = linalg.batch_matmul ins(%a, %b : tensor<3x40x26xf64>, tensor<3x26x24xf64>) outs(%init : tensor<3x40x24xf64>) -> tensor<3x40x24xf64>
  return %r : tensor<3x40x24xf64>
}

// CHECK: @half: 3 buffers written, error 0.0e+00
func.func @half(%a: tensor<72x48xf16>, %b: tensor<48x40xf16>, %c: tensor<35x33xbf16>, %d: tensor<33x27xbf16>,
                %e: tensor<48x40xbf16>, %f: tensor<64x40xbf16>)
    -> (tensor<72x40xf32>, tensor<35x27xf32>, tensor<48x64xf32>) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<72x40xf32>
  %i0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<72x40xf32>) -> tensor<72x40xf32>
  %r0 = linalg.matmul ins(%a, %b : tensor<72x48xf16>, tensor<48x40xf16>) outs(%i0 : tensor<72x40xf32>) -> tensor<72x40xf32>
  %e1 = tensor.empty() : tensor<35x27xf32>
  %i1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<35x27xf32>) -> tensor<35x27xf32>
  %r1 = linalg.matmul ins(%c, %d : tensor<35x33xbf16>, tensor<33x27xbf16>) outs(%i1 : tensor<35x27xf32>) -> tensor<35x27xf32>
  %e2 = tensor.empty() : tensor<48x64xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<48x64xf32>) -> tensor<48x64xf32>
  %r2 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%e, %f : tensor<48x40xbf16>, tensor<64x40xbf16>) outs(%i2 : tensor<48x64xf32>) -> tensor<48x64xf32>
  return %r0, %r1, %r2 : tensor<72x40xf32>, tensor<35x27xf32>, tensor<48x64xf32>
}

// A long sum is split, and added up with what the result had before.
// CHECK: @long: 1 buffers written, error 0.0e+00
func.func @long(%a: tensor<2000x24xf32>, %b: tensor<2000x20xf32>, %c: tensor<24x20xf32>) -> tensor<24x20xf32> {
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<2000x24xf32>, tensor<2000x20xf32>) outs(%c : tensor<24x20xf32>) -> tensor<24x20xf32>
  return %r : tensor<24x20xf32>
}

// A convolution with padding, stride and what follows it, in one kernel.
// CHECK: @convolution: 1 buffers written, error 0.0e+00
func.func @convolution(%x: tensor<2x9x11x8xf32>, %w: tensor<3x3x8x16xf32>, %bias: tensor<16xf32>, %y: tensor<2x5x6x16xf32>) -> tensor<2x5x6x16xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x9x11x8xf32> to tensor<2x11x13x8xf32>
  %e = tensor.empty() : tensor<2x5x6x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x5x6x16xf32>) -> tensor<2x5x6x16xf32>
  %c = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>} ins(%p, %w : tensor<2x11x13x8xf32>, tensor<3x3x8x16xf32>)
      outs(%init : tensor<2x5x6x16xf32>) -> tensor<2x5x6x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, h, w, f) -> (n, h, w, f)>, affine_map<(n, h, w, f) -> (f)>,
                                        affine_map<(n, h, w, f) -> (n, h, w, f)>, affine_map<(n, h, w, f) -> (n, h, w, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %bias, %y : tensor<2x5x6x16xf32>, tensor<16xf32>, tensor<2x5x6x16xf32>) outs(%e : tensor<2x5x6x16xf32>) {
  ^bb0(%s: f32, %b: f32, %other: f32, %o: f32):
    %0 = arith.addf %s, %b : f32
    %1 = arith.maximumf %0, %zero : f32
    %2 = arith.addf %1, %other : f32
    linalg.yield %2 : f32
  } -> tensor<2x5x6x16xf32>
  return %r : tensor<2x5x6x16xf32>
}

// The gradient of its filter sums over all pixels.
// CHECK: @filter_gradient: 1 buffers written, error 0.0e+00
func.func @filter_gradient(%x: tensor<2x12x12x8xf32>, %dy: tensor<2x10x10x16xf32>) -> tensor<3x3x8x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x3x8x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<3x3x8x16xf32>) -> tensor<3x3x8x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j, c, f, n, h, w) -> (n, h + i, w + j, c)>,
                                        affine_map<(i, j, c, f, n, h, w) -> (n, h, w, f)>,
                                        affine_map<(i, j, c, f, n, h, w) -> (i, j, c, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<2x12x12x8xf32>, tensor<2x10x10x16xf32>) outs(%init : tensor<3x3x8x16xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x3x8x16xf32>
  return %r : tensor<3x3x8x16xf32>
}

// Numbers with all their bits: three products of ten bits are as good as one
// of 24, but for the last bit or two.
// RUN: %emulate %t.90.mlir --chip sm_90 --reference %t.cpu.mlir --work-dir %t.90 | FileCheck %s --check-prefix=BITS
// BITS: @transposed: 4 buffers written
// RUN: memrev-opt %s --memrev-gpu-schedule --memrev-bufferize -o %t.ieee.mlir
// RUN: %emulate %t.ieee.mlir --chip sm_80 --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.ieee | FileCheck %s
