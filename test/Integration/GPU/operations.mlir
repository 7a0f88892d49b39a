// The kinds of operations that a convolutional RevNet is made of. The reference
// is the program without the GPU's schedule: reductions in another order.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s

#nhwc = affine_map<(n, h, w, c) -> (n, h, w, c)>
#channel = affine_map<(n, h, w, c) -> (c)>

// CHECK: @strided_conv: 1 buffers written
func.func @strided_conv(%x: tensor<2x9x9x3xf64>, %w: tensor<3x3x3x5xf64>) -> tensor<2x4x4x5xf64> {
  %zero = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<2x4x4x5xf64>
  %z = linalg.fill ins(%zero : f64) outs(%e : tensor<2x4x4x5xf64>) -> tensor<2x4x4x5xf64>
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<2x9x9x3xf64>, tensor<3x3x3x5xf64>) outs(%z : tensor<2x4x4x5xf64>) -> tensor<2x4x4x5xf64>
  return %y : tensor<2x4x4x5xf64>
}

// CHECK: @padded_conv: 1 buffers written
func.func @padded_conv(%x: tensor<2x7x5x3xf32>, %w: tensor<3x3x3x4xf32>) -> tensor<2x7x5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%n: index, %h: index, %v: index, %c: index):
    tensor.yield %zero : f32
  } : tensor<2x7x5x3xf32> to tensor<2x9x7x3xf32>
  %e = tensor.empty() : tensor<2x7x5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x7x5x4xf32>) -> tensor<2x7x5x4xf32>
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%p, %w : tensor<2x9x7x3xf32>, tensor<3x3x3x4xf32>) outs(%z : tensor<2x7x5x4xf32>) -> tensor<2x7x5x4xf32>
  return %y : tensor<2x7x5x4xf32>
}

// CHECK: @filter_gradient: 1 buffers written
func.func @filter_gradient(%x: tensor<64x10x10x4xf64>, %dy: tensor<64x8x8x4xf64>) -> tensor<3x3x4x4xf64> {
  %zero = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<3x3x4x4xf64>
  %z = linalg.fill ins(%zero : f64) outs(%e : tensor<3x3x4x4xf64>) -> tensor<3x3x4x4xf64>
  %r = linalg.generic {
      indexing_maps = [affine_map<(kh, kw, c, f, n, h, w) -> (n, h + kh, w + kw, c)>,
                       affine_map<(kh, kw, c, f, n, h, w) -> (n, h, w, f)>,
                       affine_map<(kh, kw, c, f, n, h, w) -> (kh, kw, c, f)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<64x10x10x4xf64>, tensor<64x8x8x4xf64>) outs(%z : tensor<3x3x4x4xf64>) {
  ^bb0(%a: f64, %b: f64, %sum: f64):
    %0 = arith.mulf %a, %b : f64
    %1 = arith.addf %sum, %0 : f64
    linalg.yield %1 : f64
  } -> tensor<3x3x4x4xf64>
  return %r : tensor<3x3x4x4xf64>
}

// CHECK: @statistics: 2 buffers written
func.func @statistics(%x: tensor<32x8x7x6xf64>) -> (tensor<6xf64>, tensor<6xf64>) {
  %zero = arith.constant 0.0 : f64
  %e0 = tensor.empty() : tensor<6xf64>
  %z0 = linalg.fill ins(%zero : f64) outs(%e0 : tensor<6xf64>) -> tensor<6xf64>
  %e1 = tensor.empty() : tensor<6xf64>
  %z1 = linalg.fill ins(%zero : f64) outs(%e1 : tensor<6xf64>) -> tensor<6xf64>
  %r:2 = linalg.generic {
      indexing_maps = [#nhwc, #channel, #channel],
      iterator_types = ["reduction", "reduction", "reduction", "parallel"]}
      ins(%x : tensor<32x8x7x6xf64>) outs(%z0, %z1 : tensor<6xf64>, tensor<6xf64>) {
  ^bb0(%a: f64, %sum: f64, %max: f64):
    %0 = arith.addf %sum, %a : f64
    %1 = arith.maximumf %max, %a : f64
    linalg.yield %0, %1 : f64, f64
  } -> (tensor<6xf64>, tensor<6xf64>)
  return %r#0, %r#1 : tensor<6xf64>, tensor<6xf64>
}

// A tail that no chunk size divides, and what is there before is added to.

// CHECK: @sum: 1 buffers written
func.func @sum(%x: tensor<10007xf64>, %s: tensor<f64>) -> tensor<f64> {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<10007xf64>) outs(%s : tensor<f64>) {
  ^bb0(%a: f64, %sum: f64):
    %0 = arith.mulf %a, %a : f64
    %1 = arith.addf %sum, %0 : f64
    linalg.yield %1 : f64
  } -> tensor<f64>
  return %r : tensor<f64>
}

// Integers are exact.

// CHECK: @indices: 1 buffers written, error 0.0
func.func @indices(%x: tensor<3x1009xi32>, %s: tensor<3xi32>) -> tensor<3xi32> {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x1009xi32>) outs(%s : tensor<3xi32>) {
  ^bb0(%a: i32, %min: i32):
    %j = linalg.index 1 : index
    %k = arith.index_cast %j : index to i32
    %0 = arith.addi %a, %k : i32
    %1 = arith.addi %min, %0 : i32
    linalg.yield %1 : i32
  } -> tensor<3xi32>
  return %r : tensor<3xi32>
}

// CHECK: @matmuls: 2 buffers written
func.func @matmuls(%a: tensor<5x33xf64>, %b: tensor<33x7xf64>, %c: tensor<4000x5xf64>, %d: tensor<4000x3xf64>)
    -> (tensor<5x7xf64>, tensor<5x3xf64>) {
  %zero = arith.constant 0.0 : f64
  %e0 = tensor.empty() : tensor<5x7xf64>
  %z0 = linalg.fill ins(%zero : f64) outs(%e0 : tensor<5x7xf64>) -> tensor<5x7xf64>
  %0 = linalg.matmul ins(%a, %b : tensor<5x33xf64>, tensor<33x7xf64>) outs(%z0 : tensor<5x7xf64>) -> tensor<5x7xf64>
  %e1 = tensor.empty() : tensor<5x3xf64>
  %z1 = linalg.fill ins(%zero : f64) outs(%e1 : tensor<5x3xf64>) -> tensor<5x3xf64>
  %1 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>,
                                      affine_map<(m, n, k) -> (m, n)>]
      ins(%c, %d : tensor<4000x5xf64>, tensor<4000x3xf64>) outs(%z1 : tensor<5x3xf64>) -> tensor<5x3xf64>
  return %0, %1 : tensor<5x7xf64>, tensor<5x3xf64>
}

// CHECK: @shapes: 3 buffers written, error 0.0
func.func @shapes(%x: tensor<4x6x5xf32>, %y: tensor<4x6x5xf32>)
    -> (tensor<5x4x6xf32>, tensor<4x12x5xf32>, tensor<2x6xf32>) {
  %e = tensor.empty() : tensor<5x4x6xf32>
  %t = linalg.transpose ins(%x : tensor<4x6x5xf32>) outs(%e : tensor<5x4x6xf32>) permutation = [2, 0, 1]
  %f = tensor.empty() : tensor<4x12x5xf32>
  %i = tensor.insert_slice %x into %f[0, 0, 0] [4, 6, 5] [1, 2, 1] : tensor<4x6x5xf32> into tensor<4x12x5xf32>
  %j = tensor.insert_slice %y into %i[0, 1, 0] [4, 6, 5] [1, 2, 1] : tensor<4x6x5xf32> into tensor<4x12x5xf32>
  %s = tensor.extract_slice %x[1, 0, 3] [2, 6, 1] [2, 1, 1] : tensor<4x6x5xf32> to tensor<2x6xf32>
  return %t, %j, %s : tensor<5x4x6xf32>, tensor<4x12x5xf32>, tensor<2x6xf32>
}

// CHECK: @pooling: 1 buffers written, error 0.0
func.func @pooling(%x: tensor<2x6x6x3xf32>) -> tensor<2x3x3x3xf32> {
  %low = arith.constant -3.0e38 : f32
  %w = tensor.empty() : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x3x3x3xf32>
  %z = linalg.fill ins(%low : f32) outs(%e : tensor<2x3x3x3xf32>) -> tensor<2x3x3x3xf32>
  %y = linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<2x6x6x3xf32>, tensor<2x2xf32>) outs(%z : tensor<2x3x3x3xf32>) -> tensor<2x3x3x3xf32>
  return %y : tensor<2x3x3x3xf32>
}

// More iterations than a block has threads, and a number that it does not
// divide. The elementwise operation works in place.

// CHECK: @elementwise: 1 buffers written
func.func @elementwise(%x: tensor<301x7xf32>, %b: tensor<7xf32>, %s: f32) -> tensor<301x7xf32> {
  %zero = arith.constant 0.0 : f32
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<7xf32>) outs(%x : tensor<301x7xf32>) {
  ^bb0(%bias: f32, %a: f32):
    %0 = arith.mulf %a, %s : f32
    %1 = arith.addf %0, %bias : f32
    %2 = arith.maximumf %1, %zero : f32
    linalg.yield %2 : f32
  } -> tensor<301x7xf32>
  return %y : tensor<301x7xf32>
}

// A constant that is not a fill becomes data of the kernels.

// CHECK: @table: 1 buffers written, error 0.0
func.func @table(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c = arith.constant dense<[1.0, -2.0, 3.5, 0.25]> : tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.mul ins(%x, %c : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// CHECK: @empty: 1 buffers written, error 0.0
func.func @empty(%x: tensor<0x4xf32>, %s: tensor<4xf32>) -> (tensor<0x4xf32>, tensor<4xf32>) {
  %f = arith.constant 1.0 : f32
  %y = linalg.fill ins(%f : f32) outs(%x : tensor<0x4xf32>) -> tensor<0x4xf32>
  %r = linalg.reduce { arith.addf } ins(%y : tensor<0x4xf32>) outs(%s : tensor<4xf32>) dimensions = [0]
  return %y, %r : tensor<0x4xf32>, tensor<4xf32>
}
