// RUN: memrev-opt %s -codegen-drop-unit-dims -split-input-file | FileCheck %s

// The root of a variance that kept its dimension is computed without it.
// CHECK-LABEL: @statistics
// CHECK-SAME: (%[[V:.*]]: tensor<4x8xf32>)
func.func @statistics(%v: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // CHECK-NOT: _shape
  // CHECK: %[[SUM:.*]] = linalg.generic {{.*}}["parallel", "parallel"]{{.*}} ins(%[[V]], %{{.*}} : tensor<4x8xf32>, tensor<4x8xf32>)
  // CHECK: arith.addf %{{.*}}, %{{.*}}
  // CHECK: %[[ROOT:.*]] = linalg.generic {{.*}}["parallel", "parallel"]{{.*}} ins(%[[SUM]] : tensor<4x8xf32>)
  // CHECK: math.sqrt
  // CHECK-NOT: _shape
  // CHECK: return %[[ROOT]] : tensor<4x8xf32>
  %k = tensor.expand_shape %v [[0], [1, 2]] output_shape [4, 8, 1] : tensor<4x8xf32> into tensor<4x8x1xf32>
  %c = arith.constant dense<1.0e-05> : tensor<4x8x1xf32>
  %e = tensor.empty() : tensor<4x8x1xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%k, %c : tensor<4x8x1xf32>, tensor<4x8x1xf32>) outs(%e : tensor<4x8x1xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %r = arith.addf %x, %y : f32
    linalg.yield %r : f32
  } -> tensor<4x8x1xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<4x8x1xf32>) outs(%e : tensor<4x8x1xf32>) {
  ^bb0(%x: f32, %o: f32):
    %r = math.sqrt %x : f32
    linalg.yield %r : f32
  } -> tensor<4x8x1xf32>
  %d = tensor.collapse_shape %q [[0], [1, 2]] : tensor<4x8x1xf32> into tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

// A batch of one image keeps its dimension: no reshape put it in.
// CHECK-LABEL: @batch_of_one
func.func @batch_of_one(%x: tensor<1x8xf32>) -> tensor<1x8xf32> {
  // CHECK: linalg.generic {{.*}}["parallel", "parallel"]{{.*}} ins(%{{.*}} : tensor<1x8xf32>)
  %e = tensor.empty() : tensor<1x8xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<1x8xf32>) outs(%e : tensor<1x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.sqrt %a : f32
    linalg.yield %r : f32
  } -> tensor<1x8xf32>
  return %q : tensor<1x8xf32>
}

// -----

// So does a product, whose kernel is chosen by its dimensions, and an op that
// reads the numbers of its iterations.
// CHECK-LABEL: @product
func.func @product(%x: tensor<8xf32>, %w: tensor<8x4xf32>, %d: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK: %[[X:.*]] = tensor.expand_shape
  // CHECK: linalg.generic {{.*}} ins(%[[X]], %{{.*}} : tensor<1x8xf32>, tensor<8x4xf32>)
  %k = tensor.expand_shape %x [[0, 1]] output_shape [1, 8] : tensor<8xf32> into tensor<1x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%k, %w : tensor<1x8xf32>, tensor<8x4xf32>) outs(%d : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  return %r : tensor<1x4xf32>
}

// CHECK-LABEL: @numbers
func.func @numbers(%x: tensor<8xi64>) -> tensor<8x1xi64> {
  // CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<8x1xi64>)
  %k = tensor.expand_shape %x [[0, 1]] output_shape [8, 1] : tensor<8xi64> into tensor<8x1xi64>
  %e = tensor.empty() : tensor<8x1xi64>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%k : tensor<8x1xi64>) outs(%e : tensor<8x1xi64>) {
  ^bb0(%a: i64, %o: i64):
    %i = linalg.index 0 : index
    %c = arith.index_cast %i : index to i64
    %s = arith.addi %a, %c : i64
    linalg.yield %s : i64
  } -> tensor<8x1xi64>
  return %r : tensor<8x1xi64>
}

// -----

// Dimensions of 1 that the reshape did not put in stay, beside those that it did.
// CHECK-LABEL: @own_and_added
func.func @own_and_added(%x: tensor<1x8xf32>) -> tensor<1x8x1xf32> {
  // CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<1x8xf32>) outs(%{{.*}} : tensor<1x8xf32>)
  // CHECK: tensor.expand_shape %[[Y]] {{\[\[}}0], [1, 2]]
  %k = tensor.expand_shape %x [[0], [1, 2]] output_shape [1, 8, 1] : tensor<1x8xf32> into tensor<1x8x1xf32>
  %e = tensor.empty() : tensor<1x8x1xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%k : tensor<1x8x1xf32>) outs(%e : tensor<1x8x1xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.sqrt %a : f32
    linalg.yield %r : f32
  } -> tensor<1x8x1xf32>
  return %q : tensor<1x8x1xf32>
}
