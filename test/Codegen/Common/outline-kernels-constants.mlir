// RUN: memrev-opt %s -codegen-outline-kernels | FileCheck %s

// What a product adds to is its destination, a constant too: bufferization
// copies it. A fresh buffer would hold anything.
// CHECK-LABEL: func.func @added_to
// CHECK: %[[C:.*]] = arith.constant dense<{{.*}}> : tensor<2x2xf64>
// CHECK: call @{{.*}}(%{{.*}}, %{{.*}}, %[[C]])
func.func @added_to(%a: tensor<2x2xf64>, %b: tensor<2x2xf64>) -> tensor<2x2xf64> {
  %c = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf64>
  %r = linalg.matmul ins(%a, %b : tensor<2x2xf64>, tensor<2x2xf64>) outs(%c : tensor<2x2xf64>) -> tensor<2x2xf64>
  return %r : tensor<2x2xf64>
}

// One that is only written over is not worth a copy.
// CHECK-LABEL: func.func @written_over
// CHECK: %[[E:.*]] = tensor.empty
// CHECK: call @{{.*}}(%{{.*}}, %[[E]])
func.func @written_over(%a: tensor<2x2xf64>) -> tensor<2x2xf64> {
  %c = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf64>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<2x2xf64>) outs(%c : tensor<2x2xf64>) {
  ^bb0(%x: f64, %o: f64):
    linalg.yield %x : f64
  } -> tensor<2x2xf64>
  return %r : tensor<2x2xf64>
}
