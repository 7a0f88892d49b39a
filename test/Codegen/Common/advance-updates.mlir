// RUN: memrev-opt %s -codegen-advance-updates -split-input-file | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>

// The velocity is updated behind the gradient, the parameters behind their last
// reader; that only the marked operation frees memory is why it moves.

// CHECK-LABEL: func.func @step
// CHECK: %[[G:.*]] = linalg.matmul ins(%arg2, %arg3
// CHECK: linalg.generic {{.*}}ins(%arg1, %[[G]] {{.*}} attrs = {memrev.update}
// CHECK: %[[H:.*]] = linalg.matmul ins(%arg3, %arg4
// CHECK: linalg.matmul ins(%arg2, %arg0
// CHECK: linalg.generic {{.*}}ins(%arg0, %[[H]] {{.*}} attrs = {memrev.update}
// CHECK: call @use
func.func private @use(%x: tensor<4x4xf32>)
func.func @step(%p: tensor<4x4xf32> {rev.donated}, %v: tensor<4x4xf32> {rev.donated}, %x: tensor<4x4xf32>, %d: tensor<4x4xf32>, %y: tensor<4x4xf32>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %e = tensor.empty() : tensor<4x4xf32>
  %g = linalg.matmul ins(%x, %d : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %h = linalg.matmul ins(%d, %y : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %dx = linalg.matmul ins(%x, %p : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  func.call @use(%dx) : (tensor<4x4xf32>) -> ()
  %nv = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%v, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.addf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  %np = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %h : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  return %np, %nv : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// A gradient that is needed later, a parameter that is, and a result that takes
// no argument's place.

// CHECK-LABEL: func.func @stay
// CHECK: call @use
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT: memrev.update
// CHECK: return
func.func private @use(%x: tensor<4x4xf32>)
func.func @stay(%p: tensor<4x4xf32>, %q: tensor<4x4xf32>, %r: tensor<4x4xf64>, %x: tensor<4x4xf32>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf64>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %e = tensor.empty() : tensor<4x4xf32>
  %ed = tensor.empty() : tensor<4x4xf64>
  %g = linalg.matmul ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %h = linalg.matmul ins(%g, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %k = linalg.matmul ins(%h, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  func.call @use(%x) : (tensor<4x4xf32>) -> ()
  %a = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  %b = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%q, %h : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.subf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  %c = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%k : tensor<4x4xf32>) outs(%ed : tensor<4x4xf64>) {
  ^bb0(%b0: f32, %o: f64):
    %t = arith.extf %b0 : f32 to f64
    linalg.yield %t : f64
  } -> tensor<4x4xf64>
  return %a, %b, %c, %g, %q : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf64>, tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Two updates by one gradient, Adam's moments.

// CHECK-LABEL: func.func @moments
// CHECK: linalg.matmul
// CHECK-COUNT-2: attrs = {memrev.update}
// CHECK: call @use
func.func private @use(%x: tensor<4x4xf32>)
func.func @moments(%m: tensor<4x4xf32>, %v: tensor<4x4xf32>, %x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %e = tensor.empty() : tensor<4x4xf32>
  %g = linalg.matmul ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  func.call @use(%x) : (tensor<4x4xf32>) -> ()
  %a = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%m, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %t = arith.addf %b0, %b1 : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  %b = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%v, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b0: f32, %b1: f32, %o: f32):
    %s = arith.mulf %b1, %b1 : f32
    %t = arith.addf %b0, %s : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  return %a, %b : tensor<4x4xf32>, tensor<4x4xf32>
}
