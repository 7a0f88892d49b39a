// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(codegen-fuse-elementwise))' | FileCheck %s

#id = affine_map<(d0) -> (d0)>
#sum = affine_map<(d0) -> ()>

// An elementwise op is fused into the reduction that reads it.
// CHECK-LABEL: @fused
func.func @fused(%x: tensor<8xf32>, %s: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<8xf32>
  // CHECK-COUNT-1: linalg.generic
  // CHECK-NOT: linalg.generic
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %z = linalg.generic {indexing_maps = [#id, #sum], iterator_types = ["reduction"]}
      ins(%y : tensor<8xf32>) outs(%s : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %o, %a : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  // CHECK: return
  return %z : tensor<f32>
}

// An op that accumulates stays apart from a reduction: its result would be
// indexed by the reduction's loop.
// CHECK-LABEL: @accumulation
func.func @accumulation(%x: tensor<8xf32>, %t: tensor<8xf32>, %s: tensor<f32>) -> tensor<f32> {
  // CHECK-COUNT-2: linalg.generic
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%t : tensor<8xf32>) outs(%x : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %o, %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %z = linalg.generic {indexing_maps = [#id, #sum], iterator_types = ["reduction"]}
      ins(%y : tensor<8xf32>) outs(%s : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %o, %a : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %z : tensor<f32>
}

// It stays apart from a reader with a loop more, which would add in each of its
// iterations.
// CHECK-LABEL: @accumulation_broadcast
func.func @accumulation_broadcast(%x: tensor<8xf32>, %t: tensor<8xf32>) -> tensor<8x4xf32> {
  %e = tensor.empty() : tensor<8x4xf32>
  // CHECK-COUNT-2: linalg.generic
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%t : tensor<8xf32>) outs(%x : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %o, %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<8xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.sin %a : f32
    linalg.yield %r : f32
  } -> tensor<8x4xf32>
  return %z : tensor<8x4xf32>
}

// It is fused into an elementwise reader.
// CHECK-LABEL: @chain
func.func @chain(%x: tensor<8xf32>, %t: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  // CHECK-COUNT-1: linalg.generic
  // CHECK-NOT: linalg.generic
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%t : tensor<8xf32>) outs(%x : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %o, %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%y : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  // CHECK: return
  return %z : tensor<8xf32>
}

// What an elementwise reader brought along stays apart from a reduction as well.
// CHECK-LABEL: @accumulation_in_a_chain
func.func @accumulation_in_a_chain(%x: tensor<8xf32>, %t: tensor<8xf32>, %s: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<8xf32>
  // CHECK-COUNT-2: linalg.generic
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%t : tensor<8xf32>) outs(%x : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %o, %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %m = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%y : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.cosh %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %z = linalg.generic {indexing_maps = [#id, #sum], iterator_types = ["reduction"]}
      ins(%m : tensor<8xf32>) outs(%s : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %o, %a : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %z : tensor<f32>
}

// Each reader repeats what is quick, where what that reads is there anyway.
// CHECK-LABEL: @readers
func.func @readers(%x: tensor<128x128xf32>) -> (tensor<128x128xf32>, tensor<128x128xf32>, tensor<128x128xf32>) {
  %e = tensor.empty() : tensor<128x128xf32>
  // CHECK: %[[M:.*]] = linalg.matmul
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<128x128xf32>) -> tensor<128x128xf32>
  %m = linalg.matmul ins(%x, %x : tensor<128x128xf32>, tensor<128x128xf32>) outs(%f : tensor<128x128xf32>) -> tensor<128x128xf32>
  // CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[M]] : tensor<128x128xf32>)
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%m : tensor<128x128xf32>) outs(%e : tensor<128x128xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<128x128xf32>
  // CHECK: %[[P:.*]] = linalg.matmul ins(%[[Y]],
  %p = linalg.matmul ins(%y, %x : tensor<128x128xf32>, tensor<128x128xf32>) outs(%f : tensor<128x128xf32>) -> tensor<128x128xf32>
  // CHECK: linalg.generic {{.*}} ins(%[[M]] : tensor<128x128xf32>)
  // CHECK: arith.mulf
  // CHECK: math.sin
  %z = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<128x128xf32>) outs(%e : tensor<128x128xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.sin %a : f32
    linalg.yield %r : f32
  } -> tensor<128x128xf32>
  return %p, %z, %m : tensor<128x128xf32>, tensor<128x128xf32>, tensor<128x128xf32>
}

// If that would have to be kept for it, the readers share one.
// CHECK-LABEL: @shared
func.func @shared(%x: tensor<128x128xf32>) -> (tensor<128x128xf32>, tensor<128x128xf32>) {
  %e = tensor.empty() : tensor<128x128xf32>
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<128x128xf32>) -> tensor<128x128xf32>
  // CHECK-COUNT-1: arith.mulf
  // CHECK-NOT: arith.mulf
  %m = linalg.matmul ins(%x, %x : tensor<128x128xf32>, tensor<128x128xf32>) outs(%f : tensor<128x128xf32>) -> tensor<128x128xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%m : tensor<128x128xf32>) outs(%e : tensor<128x128xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<128x128xf32>
  %p = linalg.matmul ins(%y, %x : tensor<128x128xf32>, tensor<128x128xf32>) outs(%f : tensor<128x128xf32>) -> tensor<128x128xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<128x128xf32>) outs(%e : tensor<128x128xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.sin %a : f32
    linalg.yield %r : f32
  } -> tensor<128x128xf32>
  // CHECK: return
  return %p, %z : tensor<128x128xf32>, tensor<128x128xf32>
}

// Padding goes behind slices, where kernels repeat it.
// CHECK-LABEL: @slice_of_padding
func.func @slice_of_padding(%x: tensor<8x8xf32>) -> tensor<7x8xf32> {
  %zero = arith.constant 0.0 : f32
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[2, 0] [6, 8]
  // CHECK: tensor.pad %[[S]] low[0, 0] high[1, 0]
  // CHECK: tensor<6x8xf32> to tensor<7x8xf32>
  %p = tensor.pad %x low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<8x8xf32> to tensor<10x8xf32>
  %s = tensor.extract_slice %p[3, 0] [7, 8] [1, 1] : tensor<10x8xf32> to tensor<7x8xf32>
  return %s : tensor<7x8xf32>
}

// What a product reads many times is computed once, in front of it.
// CHECK-LABEL: @product
func.func @product(%x: tensor<8x4xf32>, %w: tensor<4x16xf32>, %d: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %e = tensor.empty() : tensor<8x4xf32>
  // CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<8x4xf32>)
  // CHECK: linalg.generic {{.*}} ins(%[[Y]], %{{.*}} : tensor<8x4xf32>, tensor<4x16xf32>)
  %y = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<8x4xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%y, %w : tensor<8x4xf32>, tensor<4x16xf32>) outs(%d : tensor<8x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.mulf %a, %b : f32
    %s = arith.addf %o, %r : f32
    linalg.yield %s : f32
  } -> tensor<8x16xf32>
  return %p : tensor<8x16xf32>
}

// A dot product reads each element once, and takes the op in.
// CHECK-LABEL: @dot
func.func @dot(%x: tensor<8xf32>, %y: tensor<8xf32>, %d: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<8xf32>
  // CHECK-COUNT-1: linalg.generic
  // CHECK-NOT: linalg.generic
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.sqrt %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %p = linalg.generic {indexing_maps = [#id, #id, #sum], iterator_types = ["reduction"]}
      ins(%s, %y : tensor<8xf32>, tensor<8xf32>) outs(%d : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.mulf %a, %b : f32
    %t = arith.addf %o, %r : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  // CHECK: return
  return %p : tensor<f32>
}

// A root for each column is not taken for each element.
// CHECK-LABEL: @roots
func.func @roots(%v: tensor<4xf32>, %x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %f = tensor.empty() : tensor<8x4xf32>
  // CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<4xf32>)
  // CHECK: math.rsqrt
  // CHECK: linalg.generic
  // CHECK: arith.mulf
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%v : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.rsqrt %a : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  // CHECK: return
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%s, %x : tensor<4xf32>, tensor<8x4xf32>) outs(%f : tensor<8x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.mulf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// A factor for each column is.
// CHECK-LABEL: @factors
func.func @factors(%v: tensor<4xf32>, %x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %f = tensor.empty() : tensor<8x4xf32>
  // CHECK-COUNT-1: linalg.generic
  // CHECK-NOT: linalg.generic
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%v : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  // CHECK: return
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%s, %x : tensor<4xf32>, tensor<8x4xf32>) outs(%f : tensor<8x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.mulf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// A reshape stays in front of what takes the place of an argument: the argument
// and the result would be reshaped instead.
#id2 = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: @reshaped_gradient
// CHECK: %[[G:.*]] = tensor.collapse_shape
// CHECK: linalg.generic {{.*}}ins(%arg0, %[[G]] : tensor<4x8xf32>, tensor<4x8xf32>)
// CHECK-NOT: tensor.collapse_shape
// CHECK: return
func.func @reshaped_gradient(%p: tensor<4x8xf32>, %g: tensor<4x2x4xf32>) -> tensor<4x8xf32> {
  %c = tensor.collapse_shape %g [[0], [1, 2]] : tensor<4x2x4xf32> into tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id2, #id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%p, %c : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.subf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
