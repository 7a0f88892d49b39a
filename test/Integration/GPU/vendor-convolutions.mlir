// Convolutions that cuDNN computes, on the emulator with a stand-in that checks
// every descriptor: numbers are multiples of an eighth, so that results have to
// be equal to those of plain loops. Each function is called as it is and as a
// graph.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// REQUIRES: slow
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: memrev-opt %s --memrev-gpu-schedule="chip=sm_90 contractions=vendor" --memrev-bufferize -o %t.90.mlir
// RUN: env MEMREV_VENDOR_TRACE=1 %emulate %t.90.mlir --chip sm_90 --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.90 2> %t.trace | FileCheck %s
// RUN: FileCheck %s --check-prefix=CALL --input-file %t.trace
// RUN: memrev-opt %s --memrev-gpu-schedule="chip=sm_80 contractions=vendor fp32-precision=tf32" --memrev-bufferize -o %t.80.mlir
// RUN: env MEMREV_VENDOR_TRACE=1 %emulate %t.80.mlir --chip sm_80 --reference %t.cpu.mlir --multiples-of 0.125 --work-dir %t.80 2> %t.trace | FileCheck %s
// RUN: FileCheck %s --check-prefix=TF32 --input-file %t.trace

// Math 3 multiplies with every bit, 1 on tensor cores; the first algorithm that
// memrev may take is 1. TF32 holds the small numbers of this file.
// CALL:      cudnnConvolutionForward 2 x 9 x 7 x 5 by 8 x 3 x 3 x 5, padding 1 1, stride 1 1, dilation 1 1, groups 1, type 0, math 3, algorithm 1, beta 0, workspace 1024{{$}}
// CALL-NEXT: cudnnConvolutionForward 2 x 9 x 7 x 5 {{.*}}, recorded
// TF32:      cudnnConvolutionForward 2 x 9 x 7 x 5 by 8 x 3 x 3 x 5, {{.*}} type 0, math 1, algorithm 1,
// CHECK: @forward: 1 buffers written, error 0.0e+00
func.func @forward(%x: tensor<2x9x7x5xf32>, %w: tensor<3x3x5x8xf32>) -> tensor<2x9x7x8xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<2x9x7x5xf32> to tensor<2x11x9x5xf32>
  %e = tensor.empty() : tensor<2x9x7x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x9x7x8xf32>) -> tensor<2x9x7x8xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<2x11x9x5xf32>, tensor<3x3x5x8xf32>) outs(%init : tensor<2x9x7x8xf32>) -> tensor<2x9x7x8xf32>
  return %r : tensor<2x9x7x8xf32>
}

// Strides, dilations, other paddings; a last row and column that no window
// reaches.
// CALL: cudnnConvolutionForward 3 x 13 x 16 x 4 by 6 x 3 x 2 x 4, padding 2 0, stride 2 3, dilation 2 3, groups 1,
// CHECK: @strided: 1 buffers written, error 0.0e+00
func.func @strided(%x: tensor<3x13x16x4xf32>, %w: tensor<3x2x4x6xf32>) -> tensor<3x7x5x6xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 2, 0, 0] high[0, 2, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<3x13x16x4xf32> to tensor<3x17x16x4xf32>
  %e = tensor.empty() : tensor<3x7x5x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<3x7x5x6xf32>) -> tensor<3x7x5x6xf32>
  %r = linalg.conv_2d_nhwc_hwcf {strides = dense<[2, 3]> : tensor<2xi64>, dilations = dense<[2, 3]> : tensor<2xi64>}
      ins(%p, %w : tensor<3x17x16x4xf32>, tensor<3x2x4x6xf32>) outs(%init : tensor<3x7x5x6xf32>) -> tensor<3x7x5x6xf32>
  return %r : tensor<3x7x5x6xf32>
}

// What is added to is the destination. The images are the last of some, from an
// argument on.
// CALL: cudnnConvolutionForward 2 x 6 x 6 x 4 by 8 x 3 x 3 x 4, padding 0 0, {{.*}} beta 1,
// CALL: cudnnConvolutionForward 2 x 6 x 6 x 4 by 8 x 3 x 3 x 4, padding 0 0, {{.*}} beta 1,
// CHECK: @added: 2 buffers written, error 0.0e+00
func.func @added(%x: tensor<5x6x6x4xf32>, %w: tensor<3x3x4x8xf32>, %c: tensor<2x4x4x8xf32>, %d: tensor<2x4x4x8xf32>)
    -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %part = tensor.extract_slice %x[3, 0, 0, 0] [2, 6, 6, 4] [1, 1, 1, 1] : tensor<5x6x6x4xf32> to tensor<2x6x6x4xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%part, %w : tensor<2x6x6x4xf32>, tensor<3x3x4x8xf32>) outs(%c : tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %first = tensor.extract_slice %x[1, 0, 0, 0] [2, 6, 6, 4] [1, 1, 1, 1] : tensor<5x6x6x4xf32> to tensor<2x6x6x4xf32>
  %s = linalg.conv_2d_nhwc_hwcf ins(%first, %w : tensor<2x6x6x4xf32>, tensor<3x3x4x8xf32>) outs(%d : tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  return %r, %s : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}

// The gradient of an image: its filter is reversed and has the channels
// changed.
// CALL: cudnnConvolutionForward 2 x 6 x 5 x 8 by 4 x 3 x 2 x 8, padding 1 1, stride 1 1,
// CHECK: @image_gradient: 1 buffers written, error 0.0e+00
func.func @image_gradient(%dy: tensor<2x6x5x8xf32>, %w: tensor<3x2x4x8xf32>) -> tensor<2x6x6x4xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %dy low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<2x6x5x8xf32> to tensor<2x8x7x8xf32>
  %fe = tensor.empty() : tensor<3x2x8x4xf32>
  %flipped = linalg.generic {indexing_maps = [affine_map<(r, s, f, c) -> (2 - r, 1 - s, c, f)>, affine_map<(r, s, f, c) -> (r, s, f, c)>],
                             iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%w : tensor<3x2x4x8xf32>) outs(%fe : tensor<3x2x8x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<3x2x8x4xf32>
  %e = tensor.empty() : tensor<2x6x6x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x6x6x4xf32>) -> tensor<2x6x6x4xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%p, %flipped : tensor<2x8x7x8xf32>, tensor<3x2x8x4xf32>) outs(%init : tensor<2x6x6x4xf32>) -> tensor<2x6x6x4xf32>
  return %r : tensor<2x6x6x4xf32>
}

// Windows that are read from their ends on have their filters reversed, too.
// CALL: cudnnConvolutionForward 2 x 8 x 7 x 4 by 8 x 3 x 2 x 4, padding 0 0, stride 1 2,
// CHECK: @reversed: 1 buffers written, error 0.0e+00
func.func @reversed(%x: tensor<2x8x7x4xf32>, %w: tensor<3x2x4x8xf32>) -> tensor<2x6x3x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x6x3x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x6x3x8xf32>) -> tensor<2x6x3x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, y, x, f, r, s, c) -> (n, y - r + 2, x * 2 + s, c)>,
                                        affine_map<(n, y, x, f, r, s, c) -> (r, s, c, f)>,
                                        affine_map<(n, y, x, f, r, s, c) -> (n, y, x, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x8x7x4xf32>, tensor<3x2x4x8xf32>) outs(%init : tensor<2x6x3x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x6x3x8xf32>
  return %r : tensor<2x6x3x8xf32>
}

// The gradient of a filter, with strides and padding: from zero, and added.
#x = affine_map<(r, s, c, f, n, y, x) -> (n, y * 2 + r, x + s * 2, c)>
#dy = affine_map<(r, s, c, f, n, y, x) -> (n, y, x, f)>
#dw = affine_map<(r, s, c, f, n, y, x) -> (r, s, c, f)>
// CALL-COUNT-2: cudnnConvolutionBackwardFilter 3 x 9 x 8 x 5 by 8 x 3 x 3 x 5, padding 1 2, stride 2 1, dilation 1 2, groups 1, type 0, math 3, algorithm 1, beta 0, workspace 1024
// CHECK: @filter_gradient: 2 buffers written, error 0.0e+00
func.func @filter_gradient(%x: tensor<3x9x8x5xf32>, %dy: tensor<3x5x8x8xf32>, %dw: tensor<3x3x5x8xf32>)
    -> (tensor<3x3x5x8xf32>, tensor<3x3x5x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 2, 0] high[0, 1, 2, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<3x9x8x5xf32> to tensor<3x11x12x5xf32>
  %e = tensor.empty() : tensor<3x3x5x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<3x3x5x8xf32>) -> tensor<3x3x5x8xf32>
  %r = linalg.generic {indexing_maps = [#x, #dy, #dw], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%p, %dy : tensor<3x11x12x5xf32>, tensor<3x5x8x8xf32>) outs(%init : tensor<3x3x5x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x3x5x8xf32>
  %s = linalg.generic {indexing_maps = [#x, #dy, #dw], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%p, %dy : tensor<3x11x12x5xf32>, tensor<3x5x8x8xf32>) outs(%dw : tensor<3x3x5x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x3x5x8xf32>
  return %r, %s : tensor<3x3x5x8xf32>, tensor<3x3x5x8xf32>
}

// One dimension, an image of one channel, and a filter that is 3 x 1 over an
// image of one row less than that.
// CALL: cudnnConvolutionForward 3 x 1 x 20 x 4 by 8 x 1 x 5 x 4, padding 0 0, stride 1 2,
// CALL: cudnnConvolutionForward 2 x 9 x 8 x 1 by 4 x 3 x 3 x 1, padding 0 0,
// CALL: cudnnConvolutionForward 4 x 8 x 6 x 4 by 8 x 3 x 1 x 4, padding 0 0,
// CHECK: @others: 3 buffers written, error 0.0e+00
func.func @others(%a: tensor<3x20x4xf32>, %wa: tensor<5x4x8xf32>, %b: tensor<2x9x8x1xf32>, %wb: tensor<3x3x1x4xf32>,
                  %c: tensor<4x8x6x4xf32>, %wc: tensor<3x1x4x8xf32>)
    -> (tensor<3x8x8xf32>, tensor<2x7x6x4xf32>, tensor<4x6x6x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %ea = tensor.empty() : tensor<3x8x8xf32>
  %ia = linalg.fill ins(%zero : f32) outs(%ea : tensor<3x8x8xf32>) -> tensor<3x8x8xf32>
  %ra = linalg.conv_1d_nwc_wcf {strides = dense<2> : tensor<1xi64>} ins(%a, %wa : tensor<3x20x4xf32>, tensor<5x4x8xf32>) outs(%ia : tensor<3x8x8xf32>) -> tensor<3x8x8xf32>
  %eb = tensor.empty() : tensor<2x7x6x4xf32>
  %ib = linalg.fill ins(%zero : f32) outs(%eb : tensor<2x7x6x4xf32>) -> tensor<2x7x6x4xf32>
  %rb = linalg.conv_2d_nhwc_hwcf ins(%b, %wb : tensor<2x9x8x1xf32>, tensor<3x3x1x4xf32>) outs(%ib : tensor<2x7x6x4xf32>) -> tensor<2x7x6x4xf32>
  %ec = tensor.empty() : tensor<4x6x6x8xf32>
  %ic = linalg.fill ins(%zero : f32) outs(%ec : tensor<4x6x6x8xf32>) -> tensor<4x6x6x8xf32>
  %rc = linalg.conv_2d_nhwc_hwcf ins(%c, %wc : tensor<4x8x6x4xf32>, tensor<3x1x4x8xf32>) outs(%ic : tensor<4x6x6x8xf32>) -> tensor<4x6x6x8xf32>
  return %ra, %rb, %rc : tensor<3x8x8xf32>, tensor<2x7x6x4xf32>, tensor<4x6x6x8xf32>
}

// One tap and a stride, from each second row and column.
// CALL: cudnnConvolutionForward 2 x 9 x 8 x 12 by 8 x 1 x 1 x 12, padding 0 0, stride 2 2,
// CHECK: @taps: 1 buffers written, error 0.0e+00
func.func @taps(%x: tensor<2x9x8x12xf32>, %w: tensor<1x1x12x8xf32>) -> tensor<2x5x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x5x4x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x5x4x8xf32>) -> tensor<2x5x4x8xf32>
  %r = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>} ins(%x, %w : tensor<2x9x8x12xf32>, tensor<1x1x12x8xf32>)
      outs(%init : tensor<2x5x4x8xf32>) -> tensor<2x5x4x8xf32>
  return %r : tensor<2x5x4x8xf32>
}

// A filter for each channel, and for each group of channels.
// CALL: cudnnConvolutionForward 2 x 8 x 8 x 8 by 8 x 3 x 3 x 1, {{.*}} groups 8,
// CALL: cudnnConvolutionForward 2 x 8 x 8 x 12 by 15 x 3 x 3 x 4, {{.*}} groups 3,
// CHECK: @groups: 2 buffers written, error 0.0e+00
func.func @groups(%x: tensor<2x8x8x8xf32>, %w: tensor<3x3x8xf32>, %g: tensor<2x8x8x3x4xf32>, %wg: tensor<3x3x3x4x5xf32>)
    -> (tensor<2x6x6x8xf32>, tensor<2x6x6x3x5xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x6x6x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  %r = linalg.depthwise_conv_2d_nhwc_hwc ins(%x, %w : tensor<2x8x8x8xf32>, tensor<3x3x8xf32>) outs(%init : tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  %eg = tensor.empty() : tensor<2x6x6x3x5xf32>
  %ig = linalg.fill ins(%zero : f32) outs(%eg : tensor<2x6x6x3x5xf32>) -> tensor<2x6x6x3x5xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(n, y, x, g, f, r, s, c) -> (n, y + r, x + s, g, c)>,
                                        affine_map<(n, y, x, g, f, r, s, c) -> (g, r, s, c, f)>,
                                        affine_map<(n, y, x, g, f, r, s, c) -> (n, y, x, g, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%g, %wg : tensor<2x8x8x3x4xf32>, tensor<3x3x3x4x5xf32>) outs(%ig : tensor<2x6x6x3x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x6x6x3x5xf32>
  return %r, %s : tensor<2x6x6x8xf32>, tensor<2x6x6x3x5xf32>
}

// The gradient of a filter for each channel.
// CALL: cudnnConvolutionBackwardFilter 2 x 8 x 8 x 8 by 8 x 3 x 3 x 1, {{.*}} groups 8,
// CHECK: @depthwise_gradient: 1 buffers written, error 0.0e+00
func.func @depthwise_gradient(%x: tensor<2x8x8x8xf32>, %dy: tensor<2x6x6x8xf32>) -> tensor<3x3x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x3x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<3x3x8xf32>) -> tensor<3x3x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(r, s, c, n, y, x) -> (n, y + r, x + s, c)>,
                                        affine_map<(r, s, c, n, y, x) -> (n, y, x, c)>,
                                        affine_map<(r, s, c, n, y, x) -> (r, s, c)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<2x8x8x8xf32>, tensor<2x6x6x8xf32>) outs(%init : tensor<3x3x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x3x8xf32>
  return %r : tensor<3x3x8xf32>
}

// Layers in a loop, with a stack of filters, and a stack of their gradients.
// CALL-COUNT-3: cudnnConvolutionForward 2 x 5 x 5 x 8 by 8 x 3 x 3 x 8, padding 1 1, {{.*}} beta 0
// CHECK: @stack: 1 buffers written, error 0.0e+00
func.func @stack(%x: tensor<2x5x5x8xf32>, %w: tensor<3x3x3x8x8xf32>) -> tensor<2x5x5x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %scale = arith.constant 0.0625 : f32
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%y = %x) -> (tensor<2x5x5x8xf32>) {
    %wi = tensor.extract_slice %w[%i, 0, 0, 0, 0] [1, 3, 3, 8, 8] [1, 1, 1, 1, 1] : tensor<3x3x3x8x8xf32> to tensor<3x3x8x8xf32>
    %p = tensor.pad %y low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%a: index, %b: index, %c: index, %d: index):
      tensor.yield %zero : f32
    } : tensor<2x5x5x8xf32> to tensor<2x7x7x8xf32>
    %e = tensor.empty() : tensor<2x5x5x8xf32>
    %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x5x5x8xf32>) -> tensor<2x5x5x8xf32>
    %m = linalg.conv_2d_nhwc_hwcf ins(%p, %wi : tensor<2x7x7x8xf32>, tensor<3x3x8x8xf32>) outs(%init : tensor<2x5x5x8xf32>) -> tensor<2x5x5x8xf32>
    // Small multiples of an eighth, so that the next layer's sums are exact.
    %s = linalg.generic {indexing_maps = [affine_map<(n, y, x, c) -> (n, y, x, c)>, affine_map<(n, y, x, c) -> (n, y, x, c)>],
                         iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%m : tensor<2x5x5x8xf32>) outs(%e : tensor<2x5x5x8xf32>) {
    ^bb0(%v: f32, %o: f32):
      %0 = arith.mulf %v, %scale : f32
      %1 = math.floor %0 : f32
      %2 = arith.mulf %1, %scale : f32
      linalg.yield %2 : f32
    } -> tensor<2x5x5x8xf32>
    scf.yield %s : tensor<2x5x5x8xf32>
  }
  return %r : tensor<2x5x5x8xf32>
}

// CALL-COUNT-2: cudnnConvolutionBackwardFilter 2 x 6 x 6 x 4 by 8 x 3 x 3 x 4,
// CHECK: @gradients: 1 buffers written, error 0.0e+00
func.func @gradients(%x: tensor<2x2x6x6x4xf32>, %dy: tensor<2x2x4x4x8xf32>, %dw: tensor<2x3x3x4x8xf32>) -> tensor<2x3x3x4x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%sum = %dw) -> (tensor<2x3x3x4x8xf32>) {
    %xi = tensor.extract_slice %x[%i, 0, 0, 0, 0] [1, 2, 6, 6, 4] [1, 1, 1, 1, 1] : tensor<2x2x6x6x4xf32> to tensor<2x6x6x4xf32>
    %dyi = tensor.extract_slice %dy[%i, 0, 0, 0, 0] [1, 2, 4, 4, 8] [1, 1, 1, 1, 1] : tensor<2x2x4x4x8xf32> to tensor<2x4x4x8xf32>
    %old = tensor.extract_slice %sum[%i, 0, 0, 0, 0] [1, 3, 3, 4, 8] [1, 1, 1, 1, 1] : tensor<2x3x3x4x8xf32> to tensor<3x3x4x8xf32>
    %new = linalg.generic {indexing_maps = [affine_map<(r, s, c, f, n, y, x) -> (n, y + r, x + s, c)>, #dy, #dw],
                           iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%xi, %dyi : tensor<2x6x6x4xf32>, tensor<2x4x4x8xf32>) outs(%old : tensor<3x3x4x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %0 = arith.mulf %a, %b : f32
      %1 = arith.addf %o, %0 : f32
      linalg.yield %1 : f32
    } -> tensor<3x3x4x8xf32>
    %in = tensor.insert_slice %new into %sum[%i, 0, 0, 0, 0] [1, 3, 3, 4, 8] [1, 1, 1, 1, 1] : tensor<3x3x4x8xf32> into tensor<2x3x3x4x8xf32>
    scf.yield %in : tensor<2x3x3x4x8xf32>
  }
  return %r : tensor<2x3x3x4x8xf32>
}

// Narrow types: sums are in f32 and rounded by the library.
// CALL: cudnnConvolutionForward 2 x 6 x 5 x 8 by 8 x 3 x 3 x 8, {{.*}} type 2, math 1,
// CALL: cudnnConvolutionForward 2 x 6 x 5 x 8 by 8 x 3 x 3 x 8, {{.*}} type 9, math 1,
// CHECK: @halves: 2 buffers written, error 0.0e+00
func.func @halves(%x: tensor<2x6x5x8xf16>, %w: tensor<3x3x8x8xf16>, %xb: tensor<2x6x5x8xbf16>, %wb: tensor<3x3x8x8xbf16>)
    -> (tensor<2x4x3x8xf16>, tensor<2x4x3x8xbf16>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x3x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x3x8xf32>) -> tensor<2x4x3x8xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x6x5x8xf16>, tensor<3x3x8x8xf16>) outs(%init : tensor<2x4x3x8xf32>) -> tensor<2x4x3x8xf32>
  %eh = tensor.empty() : tensor<2x4x3x8xf16>
  %h = linalg.generic {indexing_maps = [affine_map<(n, y, x, c) -> (n, y, x, c)>, affine_map<(n, y, x, c) -> (n, y, x, c)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%r : tensor<2x4x3x8xf32>) outs(%eh : tensor<2x4x3x8xf16>) {
  ^bb0(%v: f32, %o: f16):
    %0 = arith.truncf %v : f32 to f16
    linalg.yield %0 : f16
  } -> tensor<2x4x3x8xf16>
  %s = linalg.conv_2d_nhwc_hwcf ins(%xb, %wb : tensor<2x6x5x8xbf16>, tensor<3x3x8x8xbf16>) outs(%init : tensor<2x4x3x8xf32>) -> tensor<2x4x3x8xf32>
  %eb = tensor.empty() : tensor<2x4x3x8xbf16>
  %b = linalg.generic {indexing_maps = [affine_map<(n, y, x, c) -> (n, y, x, c)>, affine_map<(n, y, x, c) -> (n, y, x, c)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x3x8xf32>) outs(%eb : tensor<2x4x3x8xbf16>) {
  ^bb0(%v: f32, %o: bf16):
    %0 = arith.truncf %v : f32 to bf16
    linalg.yield %0 : bf16
  } -> tensor<2x4x3x8xbf16>
  return %h, %b : tensor<2x4x3x8xf16>, tensor<2x4x3x8xbf16>
}

// CALL: cudnnConvolutionBackwardFilter 2 x 6 x 5 x 8 by 8 x 3 x 3 x 8, {{.*}} type 2, math 1,
// CHECK: @half_gradient: 1 buffers written, error 0.0e+00
func.func @half_gradient(%x: tensor<2x6x5x8xf16>, %dy: tensor<2x4x3x8xf16>) -> tensor<3x3x8x8xf16> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x3x8x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<3x3x8x8xf32>) -> tensor<3x3x8x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(r, s, c, f, n, y, x) -> (n, y + r, x + s, c)>, #dy, #dw],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<2x6x5x8xf16>, tensor<2x4x3x8xf16>) outs(%init : tensor<3x3x8x8xf32>) {
  ^bb0(%a: f16, %b: f16, %o: f32):
    %a32 = arith.extf %a : f16 to f32
    %b32 = arith.extf %b : f16 to f32
    %0 = arith.mulf %a32, %b32 : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x3x8x8xf32>
  %eh = tensor.empty() : tensor<3x3x8x8xf16>
  %h = linalg.generic {indexing_maps = [affine_map<(n, y, x, c) -> (n, y, x, c)>, affine_map<(n, y, x, c) -> (n, y, x, c)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%r : tensor<3x3x8x8xf32>) outs(%eh : tensor<3x3x8x8xf16>) {
  ^bb0(%v: f32, %o: f16):
    %0 = arith.truncf %v : f32 to f16
    linalg.yield %0 : f16
  } -> tensor<3x3x8x8xf16>
  return %h : tensor<3x3x8x8xf16>
}
