// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-split-reductions))" \
// RUN:   --remarks-filter=".*" --remark-policy=all 2>&1 | FileCheck %s

// CHECK: [Missed] SplitReductions | Category:gpu-split-reductions {{.*}}a reduction runs on few threads: its body is not one associative operation for each result
func.func @norm(%x: tensor<4096xf32>, %s: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<4096xf32>) outs(%s : tensor<f32>) {
  ^bb0(%e: f32, %sum: f32):
    %0 = arith.subf %sum, %e : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  return %r : tensor<f32>
}
