// Convolutions of layers beside the 2-D ones of networks, each with both gradients:
// depthwise in three dimensions, in groups as one operation, and the derivative of a
// strided one as a layer of its own, which is a transposed convolution.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower -o %t.mlir
// RUN: memrev-opt %t.mlir --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %t.mlir --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s
// RUN: memrev-opt %t.mlir --memrev-gpu-schedule="chip=sm_90" --memrev-bufferize -o %t.90.mlir
// RUN: %emulate %t.90.mlir --chip sm_90 --reference %t.cpu.mlir --work-dir %t.90 | FileCheck %s

func.func private @depthwise_layer(%x: tensor<1x3x4x5x6xf32>, %w: tensor<3x3x3x6xf32>) -> tensor<1x3x4x5x6xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 1, 0] high[0, 1, 1, 1, 0] {
  ^bb0(%n: index, %d: index, %h: index, %v: index, %c: index):
    tensor.yield %zero : f32
  } : tensor<1x3x4x5x6xf32> to tensor<1x5x6x7x6xf32>
  %e = tensor.empty() : tensor<1x3x4x5x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3x4x5x6xf32>) -> tensor<1x3x4x5x6xf32>
  %y = linalg.depthwise_conv_3d_ndhwc_dhwc {dilations = dense<1> : tensor<3xi64>, strides = dense<1> : tensor<3xi64>}
      ins(%p, %w : tensor<1x5x6x7x6xf32>, tensor<3x3x3x6xf32>) outs(%z : tensor<1x3x4x5x6xf32>) -> tensor<1x3x4x5x6xf32>
  return %y : tensor<1x3x4x5x6xf32>
}

// CHECK: @depthwise: 3 buffers written
func.func @depthwise(%x: tensor<1x3x4x5x6xf32>, %w: tensor<3x3x3x6xf32>, %dy: tensor<1x3x4x5x6xf32>)
    -> (tensor<1x3x4x5x6xf32>, tensor<1x3x4x5x6xf32>, tensor<3x3x3x6xf32>) {
  %y = call @depthwise_layer(%x, %w) : (tensor<1x3x4x5x6xf32>, tensor<3x3x3x6xf32>) -> tensor<1x3x4x5x6xf32>
  %dx, %dw = rev.vjp @depthwise_layer(%x, %w) cotangents(%dy)
      : (tensor<1x3x4x5x6xf32>, tensor<3x3x3x6xf32>, tensor<1x3x4x5x6xf32>) -> (tensor<1x3x4x5x6xf32>, tensor<3x3x3x6xf32>)
  return %y, %dx, %dw : tensor<1x3x4x5x6xf32>, tensor<1x3x4x5x6xf32>, tensor<3x3x3x6xf32>
}

// Two groups of two channels and three filters, stride 2.
func.func private @grouped_layer(%x: tensor<2x6x8x2x2xf32>, %w: tensor<4x4x2x2x3xf32>) -> tensor<2x3x4x2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0, 0] high[0, 1, 1, 0, 0] {
  ^bb0(%n: index, %h: index, %v: index, %g: index, %c: index):
    tensor.yield %zero : f32
  } : tensor<2x6x8x2x2xf32> to tensor<2x8x10x2x2xf32>
  %e = tensor.empty() : tensor<2x3x4x2x3xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x4x2x3xf32>) -> tensor<2x3x4x2x3xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(n, h, v, g, f, i, j, c) -> (n, h * 2 + i, v * 2 + j, g, c)>,
                       affine_map<(n, h, v, g, f, i, j, c) -> (i, j, c, g, f)>,
                       affine_map<(n, h, v, g, f, i, j, c) -> (n, h, v, g, f)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%p, %w : tensor<2x8x10x2x2xf32>, tensor<4x4x2x2x3xf32>) outs(%z : tensor<2x3x4x2x3xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<2x3x4x2x3xf32>
  return %y : tensor<2x3x4x2x3xf32>
}

// CHECK: @grouped: 3 buffers written
func.func @grouped(%x: tensor<2x6x8x2x2xf32>, %w: tensor<4x4x2x2x3xf32>, %dy: tensor<2x3x4x2x3xf32>)
    -> (tensor<2x3x4x2x3xf32>, tensor<2x6x8x2x2xf32>, tensor<4x4x2x2x3xf32>) {
  %y = call @grouped_layer(%x, %w) : (tensor<2x6x8x2x2xf32>, tensor<4x4x2x2x3xf32>) -> tensor<2x3x4x2x3xf32>
  %dx, %dw = rev.vjp @grouped_layer(%x, %w) cotangents(%dy)
      : (tensor<2x6x8x2x2xf32>, tensor<4x4x2x2x3xf32>, tensor<2x3x4x2x3xf32>) -> (tensor<2x6x8x2x2xf32>, tensor<4x4x2x2x3xf32>)
  return %y, %dx, %dw : tensor<2x3x4x2x3xf32>, tensor<2x6x8x2x2xf32>, tensor<4x4x2x2x3xf32>
}

func.func private @transposed_layer(%y: tensor<2x3x4x2x3xf32>, %w: tensor<4x4x2x2x3xf32>) -> tensor<2x6x8x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x6x8x2x2xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x6x8x2x2xf32>) -> tensor<2x6x8x2x2xf32>
  %x = rev.vjp @grouped_layer(%z, %w) cotangents(%y) wrt [0]
      : (tensor<2x6x8x2x2xf32>, tensor<4x4x2x2x3xf32>, tensor<2x3x4x2x3xf32>) -> tensor<2x6x8x2x2xf32>
  return %x : tensor<2x6x8x2x2xf32>
}

// CHECK: @transposed: 3 buffers written
func.func @transposed(%y: tensor<2x3x4x2x3xf32>, %w: tensor<4x4x2x2x3xf32>, %dx: tensor<2x6x8x2x2xf32>)
    -> (tensor<2x6x8x2x2xf32>, tensor<2x3x4x2x3xf32>, tensor<4x4x2x2x3xf32>) {
  %x = call @transposed_layer(%y, %w) : (tensor<2x3x4x2x3xf32>, tensor<4x4x2x2x3xf32>) -> tensor<2x6x8x2x2xf32>
  %dy, %dw = rev.vjp @transposed_layer(%y, %w) cotangents(%dx)
      : (tensor<2x3x4x2x3xf32>, tensor<4x4x2x2x3xf32>, tensor<2x6x8x2x2xf32>) -> (tensor<2x3x4x2x3xf32>, tensor<4x4x2x2x3xf32>)
  return %x, %dy, %dw : tensor<2x6x8x2x2xf32>, tensor<2x3x4x2x3xf32>, tensor<4x4x2x2x3xf32>
}
