// RUN: memrev-opt %s --cpu-select-strategy --split-input-file | FileCheck %s
// RUN: memrev-opt %s --cpu-select-strategy="vector-bits=256 accumulators=12" --split-input-file | FileCheck %s --check-prefix=AVX2
// RUN: memrev-opt %s --cpu-select-strategy --split-input-file --remarks-filter=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// 32 x 12 sums in 24 registers; rows in the parallel loop.

// CHECK-LABEL: @matmul
// CHECK-SAME: memrev.strategy = {block_dims = array<i64>, {{.*}}chunks = 1 : i64, engine = "contraction", group_dim = -1 : i64, lanes = 16 : i64, pack = true, panel = [[P:[0-9]+]] : i64, parallel_dims = array<i64: 0>
// CHECK-SAME: row_dim = 0
// CHECK-SAME: vector_dim = 1
// AVX2-LABEL: @matmul
// AVX2-SAME: lanes = 8 : i64
func.func private @matmul(%a: tensor<512x512xf32>, %b: tensor<512x512xf32>, %d: tensor<512x512xf32>) -> tensor<512x512xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<512x512xf32>) -> tensor<512x512xf32>
  %r = linalg.matmul ins(%a, %b : tensor<512x512xf32>, tensor<512x512xf32>) outs(%f : tensor<512x512xf32>) -> tensor<512x512xf32>
  return %r : tensor<512x512xf32>
}

// -----

// f64 has half the lanes. Work this small stays in one thread.

// CHECK-LABEL: @small
// CHECK-SAME: lanes = 8 : i64
// CHECK-SAME: parallel_dims = array<i64>
func.func private @small(%a: tensor<8x8xf64>, %b: tensor<8x8xf64>, %d: tensor<8x8xf64>) -> tensor<8x8xf64> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f64
  %f = linalg.fill ins(%z : f64) outs(%d : tensor<8x8xf64>) -> tensor<8x8xf64>
  %r = linalg.matmul ins(%a, %b : tensor<8x8xf64>, tensor<8x8xf64>) outs(%f : tensor<8x8xf64>) -> tensor<8x8xf64>
  return %r : tensor<8x8xf64>
}

// -----

// A sum of many terms with few results is cut into chunks.

// CHECK-LABEL: @tall
// CHECK-SAME: block_dims = array<i64: 2>, block_tiles = array<i64: {{[0-9]+}}>, chunk_dim = 2 : i64, {{.*}}chunks = 16 : i64, engine = "contraction"
func.func private @tall(%a: tensor<25600x32xf32>, %b: tensor<25600x32xf32>, %d: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<32x32xf32>) -> tensor<32x32xf32>
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<25600x32xf32>, tensor<25600x32xf32>) outs(%f : tensor<32x32xf32>) -> tensor<32x32xf32>
  return %r : tensor<32x32xf32>
}

// -----

// The same for a convolution of many channels on a small image; the taps of the filter
// are blocks then, too, and not unrolled.

// CHECK-LABEL: @deep
// CHECK-SAME: block_dims = array<i64: 4, 5, 6>
// CHECK-SAME: unroll_dim = -1
func.func private @deep(%x: tensor<2x9x9x832xf32>, %w: tensor<3x3x832x832xf32>, %d: tensor<2x7x7x832xf32>) -> tensor<2x7x7x832xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<2x7x7x832xf32>) -> tensor<2x7x7x832xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<2x9x9x832xf32>, tensor<3x3x832x832xf32>) outs(%f : tensor<2x7x7x832xf32>) -> tensor<2x7x7x832xf32>
  return %r : tensor<2x7x7x832xf32>
}

// -----

// Rows of a depthwise convolution are vectors of channels; a unit dimension behind
// them does not hide that they are contiguous.

// CHECK-LABEL: @depthwise
// CHECK-SAME: engine = "contraction", group_dim = -1 : i64, lanes = 16 : i64
// CHECK-SAME: row_dim = 2
// CHECK-SAME: unroll_dim = 5 : i64, vector_dim = 3 : i64
func.func private @depthwise(%x: tensor<8x34x34x64xf32>, %w: tensor<3x3x64x1xf32>, %d: tensor<8x32x32x64x1xf32>) -> tensor<8x32x32x64x1xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<8x32x32x64x1xf32>) -> tensor<8x32x32x64x1xf32>
  %r = linalg.depthwise_conv_2d_nhwc_hwcm ins(%x, %w : tensor<8x34x34x64xf32>, tensor<3x3x64x1xf32>) outs(%f : tensor<8x32x32x64x1xf32>) -> tensor<8x32x32x64x1xf32>
  return %r : tensor<8x32x32x64x1xf32>
}

// -----

// Narrow groups lie in a vector side by side, and are one dimension with their
// channels. The sum over the channels of a group is unrolled, as its terms are
// dealt out of the same vectors.

// CHECK-LABEL: @groups
// CHECK-SAME: engine = "contraction", group_dim = 2 : i64, lanes = 16 : i64
// CHECK-SAME: row_dim = 1 : i64, {{.*}}unroll = 4 : i64, unroll_dim = 4 : i64, vector_dim = 3 : i64
// AVX2-LABEL: @groups
// AVX2-SAME: group_dim = 2 : i64, lanes = 8 : i64
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

// Vectors hold whole groups: the last lane stays unused.

// CHECK-LABEL: @groups_of_three
// CHECK-SAME: group_dim = 2 : i64, lanes = 15 : i64
// AVX2-LABEL: @groups_of_three
// AVX2-SAME: group_dim = 2 : i64, lanes = 6 : i64
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

// A group that fills a vector has it alone, and so have those that would pay more
// for shuffles than they save, or whose lanes would be dealt out of too many vectors.

// CHECK-LABEL: @wide_groups
// CHECK-SAME: group_dim = -1 : i64, lanes = 8 : i64
// AVX2-LABEL: @wide_groups
// AVX2-SAME: group_dim = -1 : i64, lanes = 8 : i64
func.func private @wide_groups(%x: tensor<4x34x8x8xf32>, %w: tensor<3x8x8x8xf32>, %d: tensor<4x32x8x8xf32>) -> tensor<4x32x8x8xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x32x8x8xf32>) -> tensor<4x32x8x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, p, g, o, k, i) -> (n, p + k, g, i)>, affine_map<(n, p, g, o, k, i) -> (k, i, g, o)>, affine_map<(n, p, g, o, k, i) -> (n, p, g, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<4x34x8x8xf32>, tensor<3x8x8x8xf32>) outs(%f : tensor<4x32x8x8xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x32x8x8xf32>
  return %r : tensor<4x32x8x8xf32>
}

// -----

// CHECK-LABEL: @many_terms
// CHECK-SAME: group_dim = -1 : i64, lanes = 2 : i64
func.func private @many_terms(%x: tensor<4x34x8x40xf32>, %w: tensor<3x40x8x2xf32>, %d: tensor<4x32x8x2xf32>) -> tensor<4x32x8x2xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<4x32x8x2xf32>) -> tensor<4x32x8x2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, p, g, o, k, i) -> (n, p + k, g, i)>, affine_map<(n, p, g, o, k, i) -> (k, i, g, o)>, affine_map<(n, p, g, o, k, i) -> (n, p, g, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<4x34x8x40xf32>, tensor<3x40x8x2xf32>) outs(%f : tensor<4x32x8x2xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x32x8x2xf32>
  return %r : tensor<4x32x8x2xf32>
}

// -----

// Taps share their vectors, so that they are rows rather than channels.

// CHECK-LABEL: @group_filter
// CHECK-SAME: group_dim = 2 : i64, lanes = 16 : i64
// CHECK-SAME: row_dim = 0 : i64
func.func private @group_filter(%x: tensor<8x258x8x4xf32>, %w: tensor<8x256x8x4xf32>, %d: tensor<3x4x8x4xf32>) -> tensor<3x4x8x4xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<3x4x8x4xf32>) -> tensor<3x4x8x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(k, i, g, o, n, p) -> (n, p + k, g, i)>, affine_map<(k, i, g, o, n, p) -> (n, p, g, o)>, affine_map<(k, i, g, o, n, p) -> (k, i, g, o)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<8x258x8x4xf32>, tensor<8x256x8x4xf32>) outs(%f : tensor<3x4x8x4xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %0, %1 : f32
    %4 = arith.addf %2, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<3x4x8x4xf32>
  return %r : tensor<3x4x8x4xf32>
}

// -----

// With two filters for each channel the gradient of the image sums over every
// second element, and vectors of channels are dealt out of two.

// CHECK-LABEL: @two_filters
// CHECK-SAME: engine = "contraction", group_dim = -1 : i64, lanes = 16 : i64
// CHECK-SAME: unroll = 2 : i64, {{.*}}vector_dim = 2 : i64
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

// Where no rows share a vector, products of vectors are sums like others.

// CHECK-LABEL: @column_products
// CHECK-SAME: engine = "generic"
func.func private @column_products(%a: tensor<512x64xf32>, %b: tensor<512x64xf32>, %d: tensor<64xf32>) -> tensor<64xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<64xf32>) -> tensor<64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(c, n) -> (n, c)>, affine_map<(c, n) -> (n, c)>, affine_map<(c, n) -> (c)>], iterator_types = ["parallel", "reduction"]} ins(%a, %b : tensor<512x64xf32>, tensor<512x64xf32>) outs(%f : tensor<64xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %m = arith.mulf %x, %y : f32
    %n = arith.addf %s, %m : f32
    linalg.yield %n : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// -----

// Elementwise on a contiguous array is one loop.

// CHECK-LABEL: @elementwise
// CHECK-SAME: engine = "generic", group_dim = -1 : i64, lanes = 16 : i64, {{.*}}parallel_dims = array<i64: 0>, {{.*}}vector_dim = 0 : i64
func.func private @elementwise(%x: tensor<64x32x16xf32>, %d: tensor<64x32x16xf32>) -> tensor<64x32x16xf32> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<64x32x16xf32>) outs(%d : tensor<64x32x16xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.mulf %0, %0 : f32
    linalg.yield %2 : f32
  } -> tensor<64x32x16xf32>
  return %r : tensor<64x32x16xf32>
}

// -----

// Not a kernel, and one whose sizes are set by hand.

// CHECK-LABEL: @other
// CHECK-NOT: memrev.strategy
// CHECK-LABEL: @manual
// CHECK-SAME: memrev.strategy = {by_hand}
func.func private @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func private @manual(%x: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.strategy = {by_hand}} {
  return %x : tensor<4xf32>
}

// -----

// A body without a vector form is left to scalar loops, and said to be.

// CHECK-LABEL: @gather
// CHECK-NOT: memrev.strategy
// REMARK: remark: {{.*}}'gather' of tensor<8xf32> is lowered to scalar loops because its body has tensor.extract, which has no vector form
func.func private @gather(%i: tensor<8xindex>, %t: tensor<100xf32>, %d: tensor<8xf32>) -> tensor<8xf32> attributes {memrev.kernel} {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%i : tensor<8xindex>) outs(%d : tensor<8xf32>) {
  ^bb0(%0: index, %1: f32):
    %2 = tensor.extract %t[%0] : tensor<100xf32>
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// -----

// Terms are read along the rows that are added up, although there are more rows
// than terms in each.

// CHECK-LABEL: @row_sums
// CHECK-SAME: vector_dim = 1
func.func private @row_sums(%x: tensor<1024x128xf32>, %d: tensor<1024xf32>) -> tensor<1024xf32> attributes {memrev.kernel} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%d : tensor<1024xf32>) -> tensor<1024xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<1024x128xf32>) outs(%f : tensor<1024xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<1024xf32>
  return %r : tensor<1024xf32>
}
