// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(cpu-select-strategy,cpu-schedule-kernels))" --split-input-file | FileCheck %s

// One parallel loop over blocks of rows; rhs is packed once in front of it; the
// sums are values of the innermost loop.

// CHECK-LABEL: @matmul
// CHECK-SAME: %[[A:.*]]: tensor<512x512xf32>, %[[B:.*]]: tensor<512x512xf32>, %[[D:.*]]: tensor<512x512xf32>
// CHECK-NOT: linalg
// CHECK: %[[P:.*]] = bufferization.alloc_tensor() : tensor<32x512x16xf32>
// CHECK: vector.transfer_write %{{.*}} : vector<16xf32>, tensor<32x512x16xf32>
// CHECK: scf.forall {{.*}} shared_outs(%{{.*}} = %[[D]])
// CHECK: tensor.extract_slice
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>
// CHECK: tensor.extract %[[A]]
// CHECK: vector.broadcast
// CHECK: vector.fma
// CHECK: {loop_annotation = #{{.*}}}
// CHECK: vector.transfer_write
// CHECK: tensor.parallel_insert_slice
// CHECK-NOT: scf.forall
func.func private @matmul(%a: tensor<512x512xf32>, %b: tensor<512x512xf32>, %d: tensor<512x512xf32>) -> tensor<512x512xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<512x512xf32>) -> tensor<512x512xf32>
  %r = linalg.matmul ins(%a, %b : tensor<512x512xf32>, tensor<512x512xf32>) outs(%f : tensor<512x512xf32>) -> tensor<512x512xf32>
  return %r : tensor<512x512xf32>
}

// -----

// Rows of padding are skipped by the bounds of a loop, columns of padding by
// leaving products out; the vector of ten channels is masked where it is
// written.

// CHECK-DAG: #[[LOW:.*]] = affine_map<(d0) -> (-d0 + 1, 0)>
// CHECK-LABEL: @conv
// CHECK-NOT: tensor.pad
// CHECK-NOT: linalg
// CHECK: scf.forall (%{{.*}}, %[[OH:.*]]) in
// CHECK: %[[FIRST:.*]] = affine.max #[[LOW]](%[[OH]])
// CHECK: scf.for %{{.*}} = %[[FIRST]] to
// CHECK: vector.transfer_write {{.*}}, %{{.*}} {in_bounds = [true]} : vector<16xf32>
func.func private @conv(%x: tensor<4x8x8x16xf32>, %w: tensor<3x3x16x10xf32>, %d: tensor<4x8x8x10xf32>) -> tensor<4x8x8x10xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%0: index, %1: index, %2: index, %3: index):
    tensor.yield %z : f32
  } : tensor<4x8x8x16xf32> to tensor<4x10x10x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x8x8x10xf32>) -> tensor<4x8x8x10xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<4x10x10x16xf32>, tensor<3x3x16x10xf32>) outs(%f : tensor<4x8x8x10xf32>) -> tensor<4x8x8x10xf32>
  return %r : tensor<4x8x8x10xf32>
}

// -----

// The epilogue is applied to the sums before they are written.

// CHECK-LABEL: @epilogue
// CHECK-NOT: linalg
// CHECK: vector.fma
// CHECK: arith.addf {{.*}} : vector<16xf32>
// CHECK: arith.maximumf {{.*}} : vector<16xf32>
// CHECK: vector.transfer_write
func.func private @epilogue(%a: tensor<8x8xf32>, %b: tensor<8x16xf32>, %v: tensor<16xf32>, %d: tensor<8x16xf32>) -> tensor<8x16xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x16xf32>) -> tensor<8x16xf32>
  %m = linalg.matmul ins(%a, %b : tensor<8x8xf32>, tensor<8x16xf32>) outs(%f : tensor<8x16xf32>) -> tensor<8x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%m, %v : tensor<8x16xf32>, tensor<16xf32>) outs(%d : tensor<8x16xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.addf %0, %1 : f32
    %4 = arith.maximumf %3, %z : f32
    linalg.yield %4 : f32
  } -> tensor<8x16xf32>
  return %r : tensor<8x16xf32>
}

// -----

// Partial sums of sixteen chunks are combined in order, whatever the number of
// threads: the combining loop is not parallel.

// CHECK-LABEL: @statistics
// CHECK-SAME: %[[X:.*]]: tensor<32x32x32x16xf32>, %[[S:.*]]: tensor<16xf32>, %[[Q:.*]]: tensor<16xf32>
// CHECK-NOT: linalg
// CHECK: %[[P0:.*]] = bufferization.alloc_tensor() : tensor<16x16xf32>
// CHECK: %[[P1:.*]] = bufferization.alloc_tensor() : tensor<16x16xf32>
// CHECK: %[[P:.*]]:2 = scf.forall {{.*}} in (16) shared_outs(%{{.*}} = %[[P0]], %{{.*}} = %[[P1]])
// CHECK: scf.for
// CHECK: vector.transfer_read
// CHECK: scf.for
// CHECK: vector.transfer_read %[[P]]#0
// CHECK: vector.transfer_write %{{.*}}, %[[S]]
// CHECK: vector.transfer_write %{{.*}}, %[[Q]]
func.func private @statistics(%x: tensor<32x32x32x16xf32>, %s: tensor<16xf32>, %q: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>) attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%s : tensor<16xf32>) -> tensor<16xf32>
  %g = linalg.fill ins(%z : f32) outs(%q : tensor<16xf32>) -> tensor<16xf32>
  %r:2 = linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (c)>, affine_map<(n, h, w, c) -> (c)>], iterator_types = ["reduction", "reduction", "reduction", "parallel"]}
      ins(%x : tensor<32x32x32x16xf32>) outs(%f, %g : tensor<16xf32>, tensor<16xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.addf %0, %1 : f32
    %4 = arith.mulf %0, %0 : f32
    %5 = arith.addf %4, %2 : f32
    linalg.yield %3, %5 : f32, f32
  } -> (tensor<16xf32>, tensor<16xf32>)
  return %r#0, %r#1 : tensor<16xf32>, tensor<16xf32>
}

// -----

// A depthwise convolution multiplies vectors of channels: the taps are packed, a
// tile of eight rows takes each vector of the image once for the three taps that
// meet it, and the first one has no left neighbour.

// CHECK-LABEL: @depthwise(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x8x8x40xf32>
// CHECK: %[[P:.*]] = bufferization.alloc_tensor() : tensor<3x3x3x16xf32>
// CHECK: scf.forall
// CHECK: affine.max
// CHECK: scf.for
// CHECK-DAG: %[[T0:.*]] = vector.transfer_read %{{.*}}[%c0, %[[KH:.*]], %c0, %c0]
// CHECK-DAG: %[[T1:.*]] = vector.transfer_read %{{.*}}[%c0, %{{.*}}, %c1, %c0]
// CHECK-DAG: %[[T2:.*]] = vector.transfer_read %{{.*}}[%c0, %{{.*}}, %c2, %c0]
// CHECK-DAG: %[[V:.*]] = vector.transfer_read %[[X]][%{{.*}}, %{{.*}}, %c1, %c0]
// CHECK-DAG: vector.fma %[[V]], %[[T0]], %{{.*}} : vector<16xf32>
// CHECK-DAG: vector.fma %[[V]], %[[T1]], %{{.*}} : vector<16xf32>
// CHECK-DAG: vector.fma %[[V]], %[[T2]], %{{.*}} : vector<16xf32>
// CHECK-NOT: tensor.extract %
// CHECK: return
func.func private @depthwise(%x: tensor<2x8x8x40xf32>, %w: tensor<3x3x40xf32>, %d: tensor<2x8x8x40xf32>) -> tensor<2x8x8x40xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %z : f32
  } : tensor<2x8x8x40xf32> to tensor<2x10x10x40xf32>
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<2x8x8x40xf32>) -> tensor<2x8x8x40xf32>
  %r = linalg.depthwise_conv_2d_nhwc_hwc {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%p, %w : tensor<2x10x10x40xf32>, tensor<3x3x40xf32>) outs(%f : tensor<2x8x8x40xf32>) -> tensor<2x8x8x40xf32>
  return %r : tensor<2x8x8x40xf32>
}

// -----

// The gradient of its filter keeps a sum for each tap; only the first and the last
// iteration of the loop over the image meet the padding.

// CHECK-LABEL: @depthwise_filter_gradient(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<64x16xf32>, %[[G:[a-z0-9]+]]: tensor<64x16xf32>
// CHECK-NOT: arith.select
// CHECK: scf.for %[[I:.*]] = %c1 to %c61 step %c4 {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK: vector.transfer_read %[[G]][%[[I]], %c0]
// CHECK: vector.fma
// CHECK: scf.for %{{.*}} = %c61 to %c63
// CHECK: vector.transfer_read %[[G]][%c63, %c0]
// CHECK-COUNT-2: vector.fma
// CHECK-COUNT-3: vector.transfer_write
func.func private @depthwise_filter_gradient(%x: tensor<64x16xf32>, %g: tensor<64x16xf32>, %d: tensor<3x16xf32>) -> tensor<3x16xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %x low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %z : f32
  } : tensor<64x16xf32> to tensor<66x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<3x16xf32>) -> tensor<3x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(k, c, o) -> (k + o, c)>, affine_map<(k, c, o) -> (o, c)>, affine_map<(k, c, o) -> (k, c)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%p, %g : tensor<66x16xf32>, tensor<64x16xf32>) outs(%f : tensor<3x16xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %s, %m : f32
    linalg.yield %n : f32
  } -> tensor<3x16xf32>
  return %r : tensor<3x16xf32>
}

// -----

// A strided slice of the destination is written in place.

// CHECK-LABEL: @phase
// CHECK-SAME: %[[D:[^ ]*]]: tensor<8x8x8x16xf32>)
// CHECK-NOT: linalg
// CHECK: scf.forall {{.*}} shared_outs(%[[O:.*]] = %[[D]])
// CHECK: tensor.extract_slice %[[O]][{{.*}}] [2, 4, 4, 16] [1, 2, 2, 1]
// CHECK: tensor.parallel_insert_slice %{{.*}} into %[[O]][{{.*}}] [2, 4, 4, 16] [1, 2, 2, 1]
func.func private @phase(%y: tensor<8x4x4x16xf32>, %w: tensor<1x1x16x16xf32>, %d: tensor<8x8x8x16xf32>) -> tensor<8x8x8x16xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %s = tensor.extract_slice %d[0, 1, 1, 0] [8, 4, 4, 16] [1, 2, 2, 1] : tensor<8x8x8x16xf32> to tensor<8x4x4x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%s : tensor<8x4x4x16xf32>) -> tensor<8x4x4x16xf32>
  %c = linalg.conv_2d_nhwc_hwcf ins(%y, %w : tensor<8x4x4x16xf32>, tensor<1x1x16x16xf32>) outs(%f : tensor<8x4x4x16xf32>) -> tensor<8x4x4x16xf32>
  %r = tensor.insert_slice %c into %d[0, 1, 1, 0] [8, 4, 4, 16] [1, 2, 2, 1] : tensor<8x4x4x16xf32> into tensor<8x8x8x16xf32>
  return %r : tensor<8x8x8x16xf32>
}

// -----

// Polynomials for f32, the library for f64.

// CHECK-LABEL: @exp32
// CHECK-NOT: math.exp
// CHECK: return
func.func private @exp32(%x: tensor<64xf32>, %d: tensor<64xf32>) -> tensor<64xf32> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%d : tensor<64xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = math.exp %0 : f32
    linalg.yield %2 : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}
// CHECK-LABEL: @exp64
// CHECK: math.exp %{{.*}} : vector<8xf64>
func.func private @exp64(%x: tensor<64xf64>, %d: tensor<64xf64>) -> tensor<64xf64> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<64xf64>) outs(%d : tensor<64xf64>) {
  ^bb0(%0: f64, %1: f64):
    %2 = math.exp %0 : f64
    linalg.yield %2 : f64
  } -> tensor<64xf64>
  return %r : tensor<64xf64>
}

// -----

// Not a kernel.

// CHECK-LABEL: @untouched
// CHECK: linalg.fill
func.func @untouched(%d: tensor<4xf32>) -> tensor<4xf32> {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}

// -----

// One element of an array as an array of rank 0: a collapse without groups.

// CHECK-LABEL: @element
// CHECK-SAME: %[[X:.*]]: tensor<5xf64>
// CHECK-NOT: linalg
// CHECK: %[[V:.*]] = tensor.extract %[[X]][%c4{{.*}}]
// CHECK: math.absf %[[V]]
func.func private @element(%x: tensor<5xf64>, %d: tensor<f64>) -> tensor<f64> attributes {memrev.kernel} {
  %s = tensor.extract_slice %x[4] [1] [1] : tensor<5xf64> to tensor<1xf64>
  %c = tensor.collapse_shape %s [] : tensor<1xf64> into tensor<f64>
  %r = linalg.abs ins(%c : tensor<f64>) outs(%d : tensor<f64>) -> tensor<f64>
  return %r : tensor<f64>
}

// -----

// Four groups lie in a vector. What they need of the image is loaded once, and
// each channel is dealt out of it to the lanes of its group.

// CHECK-LABEL: @groups(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<4x34x8x4xf32>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{\[}}[0], [1], [2, 3]] : tensor<4x34x8x4xf32> into tensor<4x34x32xf32>
// CHECK: %[[V:.*]] = vector.transfer_read %[[FLAT]]{{.*}} {in_bounds = [true]} : tensor<4x34x32xf32>, vector<16xf32>
// CHECK: vector.shuffle %[[V]], %[[V]] [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12] : vector<16xf32>, vector<16xf32>
// CHECK: vector.fma
// CHECK: vector.shuffle %[[V]], %[[V]] [1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9, 13, 13, 13, 13]
// CHECK: vector.transfer_write {{.*}} : vector<16xf32>
func.func private @groups(%x: tensor<4x34x8x4xf32>, %w: tensor<3x4x8x4xf32>, %d: tensor<4x32x8x4xf32>) -> tensor<4x32x8x4xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x32x8x4xf32>) -> tensor<4x32x8x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, p, g, o, k, i) -> (n, p + k, g, i)>, affine_map<(n, p, g, o, k, i) -> (k, i, g, o)>, affine_map<(n, p, g, o, k, i) -> (n, p, g, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<4x34x8x4xf32>, tensor<3x4x8x4xf32>) outs(%f : tensor<4x32x8x4xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x32x8x4xf32>
  return %r : tensor<4x32x8x4xf32>
}

// -----

// Five groups of three in each vector leave a lane.

// CHECK-LABEL: @groups_of_three(
// CHECK: %[[MASK:.*]] = vector.constant_mask [15] : vector<16xi1>
// CHECK: vector.shuffle {{.*}} [0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9, 12, 12, 12, 0]
// CHECK: vector.transfer_write {{.*}}, %[[MASK]]
func.func private @groups_of_three(%x: tensor<4x34x8x3xf32>, %w: tensor<3x3x8x3xf32>, %d: tensor<4x32x8x3xf32>) -> tensor<4x32x8x3xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x32x8x3xf32>) -> tensor<4x32x8x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, p, g, o, k, i) -> (n, p + k, g, i)>, affine_map<(n, p, g, o, k, i) -> (k, i, g, o)>, affine_map<(n, p, g, o, k, i) -> (n, p, g, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<4x34x8x3xf32>, tensor<3x3x8x3xf32>) outs(%f : tensor<4x32x8x3xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x32x8x3xf32>
  return %r : tensor<4x32x8x3xf32>
}

// -----

// Every second element of two vectors.

// CHECK-LABEL: @two_filters(
// CHECK: %[[LOW:.*]] = vector.transfer_read {{.*}} : tensor<4x34x64xf32>, vector<16xf32>
// CHECK: vector.shuffle
// CHECK: %[[HIGH:.*]] = vector.transfer_read {{.*}} : tensor<4x34x64xf32>, vector<16xf32>
// CHECK: vector.shuffle {{.*}}, %[[HIGH]] [0, 1, 2, 3, 4, 5, 6, 7, 16, 18, 20, 22, 24, 26, 28, 30]
// CHECK: vector.fma
func.func private @two_filters(%x: tensor<4x34x32x2xf32>, %w: tensor<3x32x2xf32>, %d: tensor<4x32x32xf32>) -> tensor<4x32x32xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x32x32xf32>) -> tensor<4x32x32xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, p, g, k, o) -> (n, p + k, g, o)>, affine_map<(n, p, g, k, o) -> (k, g, o)>, affine_map<(n, p, g, k, o) -> (n, p, g)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<4x34x32x2xf32>, tensor<3x32x2xf32>) outs(%f : tensor<4x32x32xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x32x32xf32>
  return %r : tensor<4x32x32xf32>
}

// -----

// Every second element up to the last one: the second vector ends there.

// CHECK-LABEL: @every_second(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<5x31xf32>
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C15:.*]] = arith.constant 15 : index
// CHECK: %[[LOW:.*]] = vector.transfer_read %[[X]][%{{.*}}, %[[C0]]]
// CHECK: %[[HIGH:.*]] = vector.transfer_read %[[X]][%{{.*}}, %[[C15]]]
// CHECK: vector.shuffle %{{.*}}, %[[HIGH]] [0, 1, 2, 3, 4, 5, 6, 7, 17, 19, 21, 23, 25, 27, 29, 31]
func.func private @every_second(%x: tensor<5x31xf32>, %d: tensor<5x16xf32>) -> tensor<5x16xf32> attributes {memrev.kernel} {
  %s = tensor.extract_slice %x[0, 0] [5, 16] [1, 2] : tensor<5x31xf32> to tensor<5x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<5x16xf32>) outs(%d : tensor<5x16xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.mulf %0, %0 : f32
    linalg.yield %2 : f32
  } -> tensor<5x16xf32>
  return %r : tensor<5x16xf32>
}
