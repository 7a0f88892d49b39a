// Products that cuBLASLt computes, on the emulator with a stand-in that checks
// every descriptor: numbers are multiples of an eighth, so that results have to
// be equal to those of plain loops. Each function is called as it is and as a
// graph.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: memrev-opt %s --memrev-gpu-schedule="chip=sm_90 contractions=vendor" --memrev-bufferize -o %t.90.mlir
// RUN: env MEMREV_VENDOR_TRACE=1 %emulate %t.90.mlir --chip sm_90 --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.90 2> %t.trace | FileCheck %s
// RUN: FileCheck %s --check-prefix=CALL --input-file %t.trace
// RUN: memrev-opt %s --memrev-gpu-schedule="chip=sm_80 contractions=vendor fp32-precision=tf32" --memrev-bufferize -o %t.80.mlir
// RUN: env MEMREV_VENDOR_TRACE=1 %emulate %t.80.mlir --chip sm_80 --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.80 2> %t.trace | FileCheck %s
// RUN: FileCheck %s --check-prefix=TF32 --input-file %t.trace

// The first factor of the library is the second of the program, whose elements
// of a row are neighbours. TF32 holds the small numbers of this file.
// CALL:      cublasLtMatmul 40 x 72 x 50, batch 1, NN, types 0 0 by 68, leading 40 50 40 40, beta 0, workspace 368640
// CALL-NEXT: cublasLtMatmul 40 x 72 x 50, batch 1, NT, types 0 0 by 68, leading 40 72 40 40, beta 0,
// CALL-NEXT: cublasLtMatmul 40 x 72 x 50, batch 1, TN, types 0 0 by 68, leading 50 50 40 40, beta 0,
// CALL-NEXT: cublasLtMatmul 40 x 72 x 50, batch 1, TT, types 0 0 by 68, leading 50 72 40 40, beta 0,
// CALL-NEXT: cublasLtMatmul 40 x 72 x 50, {{.*}}, recorded
// TF32:      cublasLtMatmul 40 x 72 x 50, batch 1, NN, types 0 0 by 77,
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
  // A transpose in front is part of the call.
  %te = tensor.empty() : tensor<50x40xf32>
  %btt = linalg.transpose ins(%bt : tensor<40x50xf32>) outs(%te : tensor<50x40xf32>) permutation = [1, 0]
  %tt = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%at, %btt : tensor<50x72xf32>, tensor<50x40xf32>) outs(%init : tensor<72x40xf32>) -> tensor<72x40xf32>
  return %nn, %tn, %nt, %tt : tensor<72x40xf32>, tensor<72x40xf32>, tensor<72x40xf32>, tensor<72x40xf32>
}

// What is added to is the destination: a copy where it must not change.
// CALL: cublasLtMatmul 41 x 37 x 29, {{.*}} beta 1,
// CALL: cublasLtMatmul 41 x 37 x 29, {{.*}} beta 1,
// CHECK: @added: 2 buffers written, error 0.0e+00
func.func @added(%a: tensor<37x29xf32>, %b: tensor<29x41xf32>, %c: tensor<37x41xf32>, %wide: tensor<37x60xf32>)
    -> (tensor<37x41xf32>, tensor<37x41xf32>) {
  %r = linalg.matmul ins(%a, %b : tensor<37x29xf32>, tensor<29x41xf32>) outs(%c : tensor<37x41xf32>) -> tensor<37x41xf32>
  %part = tensor.extract_slice %wide[0, 7] [37, 41] [1, 1] : tensor<37x60xf32> to tensor<37x41xf32>
  %s = linalg.matmul ins(%a, %b : tensor<37x29xf32>, tensor<29x41xf32>) outs(%part : tensor<37x41xf32>) -> tensor<37x41xf32>
  return %r, %s : tensor<37x41xf32>, tensor<37x41xf32>
}

// Parts of matrices, at offsets that leave them aligned to 4 bytes, and one that
// is written into a part.
// CALL: cublasLtMatmul 16 x 20 x 11, batch 1, NN, types 0 0 by 68, leading 33 17 24 24, beta 0,
// CHECK: @parts: 1 buffers written, error 0.0e+00
func.func @parts(%a: tensor<40x17xf32>, %b: tensor<15x33xf32>, %whole: tensor<30x24xf32>) -> tensor<30x24xf32> {
  %zero = arith.constant 0.0 : f32
  %x = tensor.extract_slice %a[3, 5] [20, 11] [1, 1] : tensor<40x17xf32> to tensor<20x11xf32>
  %y = tensor.extract_slice %b[2, 1] [11, 16] [1, 1] : tensor<15x33xf32> to tensor<11x16xf32>
  %e = tensor.empty() : tensor<20x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<20x16xf32>) -> tensor<20x16xf32>
  %r = linalg.matmul ins(%x, %y : tensor<20x11xf32>, tensor<11x16xf32>) outs(%init : tensor<20x16xf32>) -> tensor<20x16xf32>
  %in = tensor.insert_slice %r into %whole[6, 3] [20, 16] [1, 1] : tensor<20x16xf32> into tensor<30x24xf32>
  return %in : tensor<30x24xf32>
}

// A loop over a stack of weights.
// CALL-COUNT-3: cublasLtMatmul 16 x 24 x 16, {{.*}} beta 0,
// CHECK: @stack: 1 buffers written, error 0.0e+00
func.func @stack(%x: tensor<24x16xf32>, %w: tensor<3x16x16xf32>) -> tensor<24x16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %scale = arith.constant 0.125 : f32
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%y = %x) -> (tensor<24x16xf32>) {
    %wi = tensor.extract_slice %w[%i, 0, 0] [1, 16, 16] [1, 1, 1] : tensor<3x16x16xf32> to tensor<16x16xf32>
    %e = tensor.empty() : tensor<24x16xf32>
    %init = linalg.fill ins(%zero : f32) outs(%e : tensor<24x16xf32>) -> tensor<24x16xf32>
    %p = linalg.matmul ins(%y, %wi : tensor<24x16xf32>, tensor<16x16xf32>) outs(%init : tensor<24x16xf32>) -> tensor<24x16xf32>
    // Signs keep the numbers short.
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%p : tensor<24x16xf32>) outs(%e : tensor<24x16xf32>) {
    ^bb0(%v: f32, %o: f32):
      %positive = arith.cmpf ogt, %v, %zero : f32
      %minus = arith.negf %scale : f32
      %sign = arith.select %positive, %scale, %minus : f32
      linalg.yield %sign : f32
    } -> tensor<24x16xf32>
    scf.yield %s : tensor<24x16xf32>
  }
  return %r : tensor<24x16xf32>
}

// A 1x1 convolution of stride 1 is a product of pixels and channels, and so are
// its gradients.
// CALL: cublasLtMatmul 16 x 60 x 8, batch 1, NN, {{.*}} leading 16 8 16 16, beta 0,
// CALL: cublasLtMatmul 16 x 8 x 60, batch 1, NT, {{.*}} leading 16 8 16 16, beta 0,
// CHECK: @pixels: 2 buffers written, error 0.0e+00
func.func @pixels(%x: tensor<2x5x6x8xf32>, %w: tensor<1x1x8x16xf32>, %dy: tensor<2x5x6x16xf32>)
    -> (tensor<2x5x6x16xf32>, tensor<1x1x8x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x5x6x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x5x6x16xf32>) -> tensor<2x5x6x16xf32>
  %c = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x5x6x8xf32>, tensor<1x1x8x16xf32>) outs(%init : tensor<2x5x6x16xf32>) -> tensor<2x5x6x16xf32>
  %we = tensor.empty() : tensor<1x1x8x16xf32>
  %winit = linalg.fill ins(%zero : f32) outs(%we : tensor<1x1x8x16xf32>) -> tensor<1x1x8x16xf32>
  %dw = linalg.generic {indexing_maps = [affine_map<(i, j, c, f, n, h, w) -> (n, h + i, w + j, c)>,
                                         affine_map<(i, j, c, f, n, h, w) -> (n, h, w, f)>,
                                         affine_map<(i, j, c, f, n, h, w) -> (i, j, c, f)>],
                        iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<2x5x6x8xf32>, tensor<2x5x6x16xf32>) outs(%winit : tensor<1x1x8x16xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x1x8x16xf32>
  return %c, %dw : tensor<2x5x6x16xf32>, tensor<1x1x8x16xf32>
}

// Heads of an attention: a batch whose matrices lie between each other.
// CALL: cublasLtMatmul 12 x 12 x 8, batch 3, TN, types 0 0 by 68, leading 24 24 12 12, beta 0,
// CALL: cublasLtMatmul 8 x 12 x 12, batch 3, NN, types 0 0 by 68, leading 24 12 24 24, beta 0,
// CHECK: @heads: 1 buffers written, error 0.0e+00
func.func @heads(%q: tensor<12x3x8xf32>, %k: tensor<12x3x8xf32>, %v: tensor<12x3x8xf32>) -> tensor<12x3x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x12x12xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<3x12x12xf32>) -> tensor<3x12x12xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(h, i, j, d) -> (i, h, d)>, affine_map<(h, i, j, d) -> (j, h, d)>, affine_map<(h, i, j, d) -> (h, i, j)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<12x3x8xf32>, tensor<12x3x8xf32>) outs(%init : tensor<3x12x12xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x12x12xf32>
  %re = tensor.empty() : tensor<12x3x8xf32>
  %rinit = linalg.fill ins(%zero : f32) outs(%re : tensor<12x3x8xf32>) -> tensor<12x3x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(h, i, d, j) -> (h, i, j)>, affine_map<(h, i, d, j) -> (j, h, d)>, affine_map<(h, i, d, j) -> (i, h, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%s, %v : tensor<3x12x12xf32>, tensor<12x3x8xf32>) outs(%rinit : tensor<12x3x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<12x3x8xf32>
  return %r : tensor<12x3x8xf32>
}

// With images besides, of whose two the library is called for each.
// CALL-COUNT-2: cublasLtMatmul 12 x 12 x 8, batch 3, TN, types 0 0 by 68, leading 24 24 12 12, beta 1,
// CHECK: @images: 1 buffers written, error 0.0e+00
func.func @images(%q: tensor<2x12x3x8xf32>, %k: tensor<2x12x3x8xf32>, %init: tensor<2x3x12x12xf32>) -> tensor<2x3x12x12xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(n, h, i, j, d) -> (n, i, h, d)>, affine_map<(n, h, i, j, d) -> (n, j, h, d)>,
                                        affine_map<(n, h, i, j, d) -> (n, h, i, j)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x12x3x8xf32>, tensor<2x12x3x8xf32>) outs(%init : tensor<2x3x12x12xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x3x12x12xf32>
  return %s : tensor<2x3x12x12xf32>
}

// CALL: cublasLtMatmul 24 x 40 x 26, batch 3, NN, types 1 1 by 70,
// CHECK: @double: 1 buffers written, error 0.0e+00
func.func @double(%a: tensor<3x40x26xf64>, %b: tensor<3x26x24xf64>) -> tensor<3x40x24xf64> {
  %zero = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<3x40x24xf64>
  %init = linalg.fill ins(%zero : f64) outs(%e : tensor<3x40x24xf64>) -> tensor<3x40x24xf64>
  %r = linalg.batch_matmul ins(%a, %b : tensor<3x40x26xf64>, tensor<3x26x24xf64>) outs(%init : tensor<3x40x24xf64>) -> tensor<3x40x24xf64>
  return %r : tensor<3x40x24xf64>
}

// Sums of f16 and bf16 in f32; a rounding of them is part of the call, and what
// follows it is not.
// CALL: cublasLtMatmul 40 x 72 x 48, batch 1, NN, types 2 0 by 68,
// CALL: cublasLtMatmul 40 x 72 x 48, batch 1, NN, types 2 2 by 68,
// CALL: cublasLtMatmul 64 x 48 x 40, batch 1, TN, types 14 14 by 68,
// CHECK: @half: 3 buffers written, error 0.0e+00
func.func @half(%a: tensor<72x48xf16>, %b: tensor<48x40xf16>, %b1: tensor<48x40xf16>, %e: tensor<48x40xbf16>, %f: tensor<64x40xbf16>)
    -> (tensor<72x40xf32>, tensor<72x40xf16>, tensor<48x64xbf16>) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<72x40xf32>
  %i0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<72x40xf32>) -> tensor<72x40xf32>
  %r0 = linalg.matmul ins(%a, %b : tensor<72x48xf16>, tensor<48x40xf16>) outs(%i0 : tensor<72x40xf32>) -> tensor<72x40xf32>
  %r1 = linalg.matmul ins(%a, %b1 : tensor<72x48xf16>, tensor<48x40xf16>) outs(%i0 : tensor<72x40xf32>) -> tensor<72x40xf32>
  %h = tensor.empty() : tensor<72x40xf16>
  %narrow = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%r1 : tensor<72x40xf32>) outs(%h : tensor<72x40xf16>) {
  ^bb0(%v: f32, %o: f16):
    %t = arith.truncf %v : f32 to f16
    linalg.yield %t : f16
  } -> tensor<72x40xf16>
  %relu = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%narrow : tensor<72x40xf16>) outs(%h : tensor<72x40xf16>) {
  ^bb0(%v: f16, %o: f16):
    %none = arith.constant 0.0 : f16
    %m = arith.maximumf %v, %none : f16
    linalg.yield %m : f16
  } -> tensor<72x40xf16>
  %e2 = tensor.empty() : tensor<48x64xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<48x64xf32>) -> tensor<48x64xf32>
  %r2 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%e, %f : tensor<48x40xbf16>, tensor<64x40xbf16>) outs(%i2 : tensor<48x64xf32>) -> tensor<48x64xf32>
  %h2 = tensor.empty() : tensor<48x64xbf16>
  %b2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%r2 : tensor<48x64xf32>) outs(%h2 : tensor<48x64xbf16>) {
  ^bb0(%v: f32, %o: bf16):
    %t = arith.truncf %v : f32 to bf16
    linalg.yield %t : bf16
  } -> tensor<48x64xbf16>
  return %r0, %relu, %b2 : tensor<72x40xf32>, tensor<72x40xf16>, tensor<48x64xbf16>
}

// What comes before stays outside, also where a generated kernel would take it
// in.
// CALL: cublasLtMatmul 24 x 32 x 16, batch 1, NN, types 14 0 by 68,
// CHECK: @before: 1 buffers written, error 0.0e+00
func.func @before(%a: tensor<32x16xbf16>, %b: tensor<16x24xbf16>, %c: tensor<32x24xf32>) -> tensor<32x24xf32> {
  %e = tensor.empty() : tensor<32x16xbf16>
  %minus = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<32x16xbf16>) outs(%e : tensor<32x16xbf16>) {
  ^bb0(%v: bf16, %o: bf16):
    %m = arith.negf %v : bf16
    linalg.yield %m : bf16
  } -> tensor<32x16xbf16>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%minus, %b : tensor<32x16xbf16>, tensor<16x24xbf16>) outs(%c : tensor<32x24xf32>) {
  ^bb0(%x: bf16, %y: bf16, %o: f32):
    %wx = arith.extf %x : bf16 to f32
    %wy = arith.extf %y : bf16 to f32
    %0 = arith.mulf %wx, %wy : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<32x24xf32>
  return %r : tensor<32x24xf32>
}

// A constant is copied to where the library can read it.
// CALL: cublasLtMatmul 2 x 9 x 3, {{.*}} beta 0,
// CHECK: @constant: 1 buffers written, error 0.0e+00
func.func @constant(%a: tensor<9x3xf32>) -> tensor<9x2xf32> {
  %w = arith.constant dense<[[1.0, 0.5], [-2.0, 0.25], [0.125, 4.0]]> : tensor<3x2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<9x2xf32>) -> tensor<9x2xf32>
  %r = linalg.matmul ins(%a, %w : tensor<9x3xf32>, tensor<3x2xf32>) outs(%init : tensor<9x2xf32>) -> tensor<9x2xf32>
  return %r : tensor<9x2xf32>
}
