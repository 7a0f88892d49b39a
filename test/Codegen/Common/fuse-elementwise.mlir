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
