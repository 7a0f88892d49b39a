// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-split-reductions))" | FileCheck %s

#nhwc = affine_map<(n, h, w, c) -> (n, h, w, c)>
#channel = affine_map<(n, h, w, c) -> (c)>

// Batch norm statistics: 16 outputs, 2048 elements each. N is promoted, H is
// divided into 4 chunks, and both results are combined in one operation.

// CHECK-DAG: #[[DIVIDED:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4, d2, d3)>
// CHECK-DAG: #[[PARTIAL:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d4, d3)>
// CHECK-DAG: #[[COMBINED:.*]] = affine_map<(d0, d1, d2) -> (d1, d2, d0)>

// CHECK-LABEL: func @statistics
//  CHECK-SAME:   (%[[X:.*]]: tensor<32x8x8x16xf32>, %[[S:.*]]: tensor<16xf32>, %[[M:.*]]: tensor<16xf32>)
func.func @statistics(%x: tensor<32x8x8x16xf32>, %s: tensor<16xf32>, %m: tensor<16xf32>)
    -> (tensor<16xf32>, tensor<16xf32>) {
  // CHECK: %[[DIVX:.*]] = tensor.expand_shape %[[X]] {{\[}}[0], [1, 2], [3], [4]] output_shape [32, 2, 4, 8, 16]
  // CHECK: %[[ZERO:.*]] = arith.constant 0.0
  // CHECK: %[[SUMS:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<32x4x16xf32>)
  // CHECK: %[[LOWEST:.*]] = arith.constant 0xFF800000
  // CHECK: %[[MAXIMA:.*]] = linalg.fill ins(%[[LOWEST]] : f32) outs(%{{.*}} : tensor<32x4x16xf32>)
  // CHECK: %[[P:.*]]:2 = linalg.generic
  // CHECK-SAME: #[[DIVIDED]], #[[PARTIAL]], #[[PARTIAL]]
  // CHECK-SAME: ["parallel", "reduction", "reduction", "parallel", "parallel"]
  // CHECK-SAME: ins(%[[DIVX]] : {{.*}}) outs(%[[SUMS]], %[[MAXIMA]]
  // CHECK:   arith.mulf
  // CHECK: linalg.generic
  // CHECK-SAME: #[[COMBINED]]
  // CHECK-SAME: ["parallel", "reduction", "reduction"]
  // CHECK-SAME: ins(%[[P]]#0, %[[P]]#1 : {{.*}}) outs(%[[S]], %[[M]]
  // CHECK-NOT: arith.mulf
  // CHECK:   arith.addf
  // CHECK:   arith.maximumf
  // CHECK-NOT: linalg.generic
  // CHECK: return
  %r:2 = linalg.generic {
      indexing_maps = [#nhwc, #channel, #channel],
      iterator_types = ["reduction", "reduction", "reduction", "parallel"]}
      ins(%x : tensor<32x8x8x16xf32>) outs(%s, %m : tensor<16xf32>, tensor<16xf32>) {
  ^bb0(%e: f32, %sum: f32, %max: f32):
    %0 = arith.mulf %e, %e : f32
    %1 = arith.addf %sum, %0 : f32
    %2 = arith.maximumf %e, %max : f32
    linalg.yield %1, %2 : f32, f32
  } -> (tensor<16xf32>, tensor<16xf32>)
  return %r#0, %r#1 : tensor<16xf32>, tensor<16xf32>
}

// Two splits, and a tail of 7: neighbouring threads read neighbours.

// CHECK-LABEL: func @loss
func.func @loss(%x: tensor<10007xf64>, %s: tensor<f64>) -> tensor<f64> {
  // CHECK: %[[HEAD:.*]] = tensor.extract_slice %{{.*}}[0] [10000] [1]
  // CHECK: tensor.expand_shape %[[HEAD]] {{\[}}[0, 1]] output_shape [16, 625]
  // CHECK: linalg.generic {{.*}} ["reduction", "parallel"]{{.*}} outs(%{{.*}} : tensor<625xf64>)
  // CHECK: tensor.expand_shape %{{.*}} {{\[}}[0, 1]] output_shape [25, 25]
  // CHECK: linalg.generic {{.*}} ["reduction", "parallel"]{{.*}} outs(%{{.*}} : tensor<25xf64>)
  // CHECK: %[[MOST:.*]] = linalg.generic {{.*}} ["reduction"]{{.*}} ins(%{{.*}} : tensor<25xf64>) outs(%{{.*}} : tensor<f64>)
  // CHECK: %[[TAIL:.*]] = tensor.extract_slice %{{.*}}[10000] [7] [1]
  // CHECK: %[[ALL:.*]] = linalg.generic {{.*}} ["reduction"]{{.*}} ins(%[[TAIL]] : {{.*}}) outs(%[[MOST]] : tensor<f64>)
  // CHECK: return %[[ALL]]
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<10007xf64>) outs(%s : tensor<f64>) {
  ^bb0(%e: f64, %sum: f64):
    %0 = arith.addf %sum, %e : f64
    linalg.yield %0 : f64
  } -> tensor<f64>
  return %r : tensor<f64>
}

// CHECK-LABEL: func @dynamic
func.func @dynamic(%x: tensor<?xf32>, %s: tensor<f32>) -> tensor<f32> {
  // CHECK: %[[PER:.*]] = affine.apply {{.*}}
  // CHECK: tensor.expand_shape %{{.*}} output_shape [%[[PER]], 1024]
  // CHECK: return
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<?xf32>) outs(%s : tensor<f32>) {
  ^bb0(%e: f32, %sum: f32):
    %0 = arith.addf %sum, %e : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}

// The filter gradient of a convolution: w and h are in expressions, n is not.

// CHECK-LABEL: func @filter_gradient
func.func @filter_gradient(%x: tensor<64x10x10x4xf32>, %dy: tensor<64x8x8x4xf32>, %dw: tensor<3x3x4x4xf32>)
    -> tensor<3x3x4x4xf32> {
  // CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]{{.*}} outs(%{{.*}} : tensor<64x3x3x4x4xf32>)
  // CHECK: linalg.generic {{.*}} ["parallel", "parallel", "parallel", "parallel", "reduction"]{{.*}} outs(%{{.*}} : tensor<3x3x4x4xf32>)
  %r = linalg.generic {
      indexing_maps = [affine_map<(kh, kw, c, f, n, h, w) -> (n, h + kh, w + kw, c)>,
                       affine_map<(kh, kw, c, f, n, h, w) -> (n, h, w, f)>,
                       affine_map<(kh, kw, c, f, n, h, w) -> (kh, kw, c, f)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<64x10x10x4xf32>, tensor<64x8x8x4xf32>) outs(%dw : tensor<3x3x4x4xf32>) {
  ^bb0(%e: f32, %d: f32, %sum: f32):
    %0 = arith.mulf %e, %d : f32
    %1 = arith.addf %sum, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x3x4x4xf32>
  return %r : tensor<3x3x4x4xf32>
}

// Named operations have bodies too.

// CHECK-LABEL: func @tall_matmul
func.func @tall_matmul(%a: tensor<4x65536xf32>, %b: tensor<65536x4xf32>, %c: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // CHECK: linalg.generic {{.*}} ["parallel", "parallel", "reduction", "parallel"]{{.*}} outs(%{{.*}} : tensor<2048x4x4xf32>)
  // CHECK: linalg.generic
  // CHECK-NOT: linalg.matmul
  %r = linalg.matmul ins(%a, %b : tensor<4x65536xf32>, tensor<65536x4xf32>) outs(%c : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %r : tensor<4x4xf32>
}

// Enough outputs, few elements, or no single combiner: left alone.

// CHECK-LABEL: func @wide_matmul
func.func @wide_matmul(%a: tensor<256x512xf32>, %b: tensor<512x256xf32>, %c: tensor<256x256xf32>) -> tensor<256x256xf32> {
  // CHECK-NOT: linalg.generic
  // CHECK: linalg.matmul
  %r = linalg.matmul ins(%a, %b : tensor<256x512xf32>, tensor<512x256xf32>) outs(%c : tensor<256x256xf32>) -> tensor<256x256xf32>
  return %r : tensor<256x256xf32>
}

// CHECK-LABEL: func @short
func.func @short(%x: tensor<255xf32>, %s: tensor<f32>) -> tensor<f32> {
  // CHECK: linalg.reduce
  // CHECK-NOT: linalg.generic
  %r = linalg.reduce { arith.addf } ins(%x : tensor<255xf32>) outs(%s : tensor<f32>) dimensions = [0]
  return %r : tensor<f32>
}

// CHECK-LABEL: func @norm
func.func @norm(%x: tensor<4096xf32>, %s: tensor<f32>) -> tensor<f32> {
  // CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<4096xf32>)
  // CHECK-NOT: linalg.generic
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<4096xf32>) outs(%s : tensor<f32>) {
  ^bb0(%e: f32, %sum: f32):
    %0 = arith.mulf %sum, %sum : f32
    %1 = arith.addf %0, %e : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func @difference
func.func @difference(%x: tensor<4096xf32>, %s: tensor<f32>) -> tensor<f32> {
  // CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<4096xf32>)
  // CHECK-NOT: linalg.generic
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<4096xf32>) outs(%s : tensor<f32>) {
  ^bb0(%e: f32, %sum: f32):
    %0 = arith.subf %sum, %e : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}
