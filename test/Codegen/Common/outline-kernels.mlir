// RUN: memrev-opt %s --codegen-outline-kernels --split-input-file | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// A contraction takes its fill and its elementwise consumer along. The second
// operand of the epilogue dies there, so that it is written over.

// CHECK-LABEL: func.func private @epilogue
// CHECK-SAME: %[[A:[^ ]*]]: tensor<4x8xf32>, %[[B:[^ ]*]]: tensor<8x16xf32>, %[[X:[^ ]*]]: tensor<4x16xf32>, %[[V:[^ ]*]]: tensor<16xf32>
// CHECK-NOT: linalg
// CHECK-NEXT: %[[R:.*]] = call @matmul_0(%[[A]], %[[B]], %[[V]], %[[X]])
// CHECK-NEXT: return %[[R]]
func.func private @epilogue(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %x: tensor<4x16xf32>, %v: tensor<16xf32>) -> tensor<4x16xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %m = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [#id, #row, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%m, %v, %x : tensor<4x16xf32>, tensor<16xf32>, tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32, %3: f32):
    %4 = arith.addf %0, %1 : f32
    %5 = arith.addf %4, %2 : f32
    linalg.yield %5 : f32
  } -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}
// CHECK: func.func private @matmul_0({{.*}}, {{.*}}, {{.*}}, %[[D:.*]]: tensor<4x16xf32>) -> tensor<4x16xf32> attributes {memrev.kernel}
// CHECK: linalg.fill
// CHECK: linalg.matmul
// CHECK: %[[E:.*]] = linalg.generic {{.*}} outs(%[[D]]
// CHECK: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %[[OUT:.*]]: f32):
// CHECK: arith.addf %{{.*}}, %[[OUT]]
// CHECK: return %[[E]]

// -----

// The arguments of a public function are its caller's: the result gets a buffer
// of its own.

// CHECK-LABEL: func.func @public
// CHECK: %[[E:.*]] = tensor.empty
// CHECK: call @generic_0(%{{.*}}, %[[E]])
func.func @public(%x: tensor<64xf32>) -> tensor<64xf32> {
  %e = tensor.empty() : tensor<64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.mulf %0, %0 : f32
    linalg.yield %2 : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// -----

// Slices of stacks are taken inside, also where the layer is a constant, so
// that both layers share one kernel.

// CHECK-LABEL: func.func private @stacks
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<3x8x8xf32>, %[[G:.*]]: tensor<3x8x8xf32>
// CHECK: %[[C0:.*]] = arith.constant 0 : index
// CHECK: %[[Y:.*]] = call @matmul_0(%[[X]], %[[W]], %[[C0]], %{{.*}})
// CHECK: %[[C1:.*]] = arith.constant 1 : index
// CHECK: %[[Y2:.*]] = call @matmul_0(%[[Y]], %[[W]], %[[C1]], %{{.*}})
// CHECK: call @matmul_1(%[[X]], %[[Y2]], %{{.*}}, %[[G]])
func.func private @stacks(%x: tensor<4x8xf32>, %w: tensor<3x8x8xf32>, %g: tensor<3x8x8xf32>) -> tensor<3x8x8xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %w0 = tensor.extract_slice %w[0, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<3x8x8xf32> to tensor<8x8xf32>
  %w1 = tensor.extract_slice %w[1, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<3x8x8xf32> to tensor<8x8xf32>
  %y = linalg.matmul ins(%x, %w0 : tensor<4x8xf32>, tensor<8x8xf32>) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32>
  %y2 = linalg.matmul ins(%y, %w1 : tensor<4x8xf32>, tensor<8x8xf32>) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32>
  %ge = tensor.empty() : tensor<8x8xf32>
  %gf = linalg.fill ins(%z : f32) outs(%ge : tensor<8x8xf32>) -> tensor<8x8xf32>
  %dw = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %y2 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%gf : tensor<8x8xf32>) -> tensor<8x8xf32>
  %r = tensor.insert_slice %dw into %g[1, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<8x8xf32> into tensor<3x8x8xf32>
  return %r : tensor<3x8x8xf32>
}
// CHECK: func.func private @matmul_0(%{{.*}}, %[[WS:.*]]: tensor<3x8x8xf32>, %[[I:.*]]: index, %{{.*}})
// CHECK: tensor.extract_slice %[[WS]][%[[I]], 0, 0]
// CHECK: func.func private @matmul_1(%{{.*}}, %{{.*}}, %[[I:.*]]: index, %[[GS:.*]]: tensor<3x8x8xf32>)
// CHECK: %[[D:.*]] = tensor.extract_slice %[[GS]][%[[I]], 0, 0]
// CHECK: linalg.fill {{.*}} outs(%[[D]]
// CHECK: tensor.insert_slice %{{.*}} into %[[GS]][%[[I]], 0, 0]

// -----

// A padding goes into each kernel that reads it, and so does a flipped filter,
// through the slice of a phase as well.

#flip = affine_map<(a, b, f, c) -> (2 - a, 2 - b, c, f)>
#same = affine_map<(a, b, f, c) -> (a, b, f, c)>

// CHECK-LABEL: func.func @absorbed
// CHECK-NOT: tensor.pad
// CHECK-NOT: linalg
// CHECK: call @conv_2d_nhwc_hwcf_0
// CHECK: call @conv_2d_nhwc_hwcf_1
// CHECK: return
func.func @absorbed(%y: tensor<1x4x4x8xf32>, %w: tensor<3x3x5x8xf32>) -> (tensor<1x4x4x5xf32>, tensor<1x5x5x5xf32>) {
  %z = arith.constant 0.0 : f32
  %we = tensor.empty() : tensor<3x3x8x5xf32>
  %wt = linalg.generic {indexing_maps = [#flip, #same], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%w : tensor<3x3x5x8xf32>) outs(%we : tensor<3x3x8x5xf32>) {
  ^bb0(%0: f32, %1: f32):
    linalg.yield %0 : f32
  } -> tensor<3x3x8x5xf32>
  %p = tensor.pad %y low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%0: index, %1: index, %2: index, %3: index):
    tensor.yield %z : f32
  } : tensor<1x4x4x8xf32> to tensor<1x6x6x8xf32>
  %e = tensor.empty() : tensor<1x4x4x5xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%p, %wt : tensor<1x6x6x8xf32>, tensor<3x3x8x5xf32>) outs(%f : tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  %ws = tensor.extract_slice %wt[0, 0, 0, 0] [2, 2, 8, 5] [2, 2, 1, 1] : tensor<3x3x8x5xf32> to tensor<2x2x8x5xf32>
  %e2 = tensor.empty() : tensor<1x5x5x5xf32>
  %f2 = linalg.fill ins(%z : f32) outs(%e2 : tensor<1x5x5x5xf32>) -> tensor<1x5x5x5xf32>
  %r2 = linalg.conv_2d_nhwc_hwcf ins(%p, %ws : tensor<1x6x6x8xf32>, tensor<2x2x8x5xf32>) outs(%f2 : tensor<1x5x5x5xf32>) -> tensor<1x5x5x5xf32>
  return %r, %r2 : tensor<1x4x4x5xf32>, tensor<1x5x5x5xf32>
}
// CHECK: func.func private @conv_2d_nhwc_hwcf_0
// CHECK: tensor.pad
// CHECK: linalg.generic
// CHECK: linalg.conv_2d_nhwc_hwcf

// -----

// A result that is used twice is no epilogue's alone; a dynamic shape stays.

// CHECK-LABEL: func.func @apart
// CHECK: call @matmul_0
// CHECK: call @generic_1
// CHECK: linalg.fill
func.func @apart(%a: tensor<4x4xf32>, %d: tensor<?xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<?xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %m = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%m : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = math.exp %0 : f32
    linalg.yield %2 : f32
  } -> tensor<4x4xf32>
  %g = linalg.fill ins(%z : f32) outs(%d : tensor<?xf32>) -> tensor<?xf32>
  return %m, %r, %g : tensor<4x4xf32>, tensor<4x4xf32>, tensor<?xf32>
}

// -----

// The convolution is not computed behind the op that may write over its input.

// CHECK-LABEL: func.func private @order
// CHECK: call @matmul_0(%[[X:.*]], %[[W:.*]], %{{.*}})
// CHECK: call @generic_1(%[[X]])
// CHECK: call @generic_2
func.func private @order(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %m = linalg.matmul ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %x2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%0: f32, %1: f32):
    %2 = arith.negf %0 : f32
    linalg.yield %2 : f32
  } -> tensor<4x4xf32>
  %y2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%m, %y : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.addf %0, %1 : f32
    linalg.yield %3 : f32
  } -> tensor<4x4xf32>
  return %x2, %y2 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// An epilogue that reads two contractions goes with one of them, once.

// CHECK-LABEL: func.func private @shared_epilogue
// CHECK-NEXT: tensor.empty
// CHECK: %[[B:.*]] = call @matmul
// CHECK-NEXT: %[[R:.*]] = call @matmul
// CHECK-NEXT: return %[[R]]
func.func private @shared_epilogue(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<8x16xf32>, %x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %s = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  %t = linalg.matmul ins(%a, %c : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %t : tensor<4x16xf32>, tensor<4x16xf32>) outs(%x : tensor<4x16xf32>) {
  ^bb0(%0: f32, %1: f32, %2: f32):
    %3 = arith.mulf %2, %0 : f32
    %4 = arith.addf %3, %1 : f32
    linalg.yield %4 : f32
  } -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

// -----

// Nothing to do.

// CHECK-LABEL: func.func @empty
// CHECK-NEXT: return
func.func @empty() {
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// What updates a layer of a stack in its place, or is marked as an update, is a
// kernel of its own behind the product.

// CHECK-LABEL: func.func private @updates
// CHECK: call @matmul_0(%{{[^,]*}}, %{{[^,]*}}, %{{[^,)]*}}) :
// CHECK: call @generic_1(
// CHECK: call @matmul_0(%{{[^,]*}}, %{{[^,]*}}, %{{[^,)]*}}) :
// CHECK: call @generic_2(
// CHECK: return
func.func private @updates(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %s: tensor<2x4x16xf32>, %p: tensor<4x16xf32>, %i: index)
    -> (tensor<2x4x16xf32>, tensor<4x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %g = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  %layer = tensor.extract_slice %s[%i, 0, 0] [1, 4, 16] [1, 1, 1] : tensor<2x4x16xf32> to tensor<4x16xf32>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%g : tensor<4x16xf32>) outs(%layer : tensor<4x16xf32>) {
  ^bb0(%b0: f32, %o: f32):
    %t = arith.subf %o, %b0 : f32
    linalg.yield %t : f32
  } -> tensor<4x16xf32>
  %r = tensor.insert_slice %n into %s[%i, 0, 0] [1, 4, 16] [1, 1, 1] : tensor<4x16xf32> into tensor<2x4x16xf32>
  %h = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  %q = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %h : tensor<4x16xf32>, tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) attrs = {memrev.update} {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x16xf32>
  return %r, %q : tensor<2x4x16xf32>, tensor<4x16xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#turned = affine_map<(i, j) -> (j, i)>

// A tensor dies although a view of it was read before, but not while a view of it
// is read by the same operation, at other elements.

// CHECK-LABEL: func.func private @views
// CHECK-SAME: %[[X:[^ ]*]]: tensor<4x4xf32>, %[[Y:[^ ]*]]: tensor<4x4xf32>
// CHECK: call @generic_{{[0-9]*}}(%{{.*}}, %[[X]])
// CHECK: %[[E:.*]] = tensor.empty
// CHECK: call @generic_{{[0-9]*}}(%[[Y]], %{{.*}}, %[[E]])
func.func private @views(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %n = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%n : tensor<f32>) -> tensor<f32>
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<4x4xf32> into tensor<16xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%flat : tensor<16xf32>) outs(%f : tensor<f32>) {
  ^bb0(%b0: f32, %o: f32):
    %t = arith.addf %b0, %o : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  %a = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> ()>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<4x4xf32>, tensor<f32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  %rows = tensor.expand_shape %y [[0, 1], [2]] output_shape [2, 2, 4] : tensor<4x4xf32> into tensor<2x2x4xf32>
  %again = tensor.collapse_shape %rows [[0, 1], [2]] : tensor<2x2x4xf32> into tensor<4x4xf32>
  %b = linalg.generic {indexing_maps = [#id, #turned, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %again : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  return %a, %b : tensor<4x4xf32>, tensor<4x4xf32>
}
