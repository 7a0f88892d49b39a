// RUN: memrev-compile %s --until=schedule --emit=mlir -o /dev/null 2>&1 | FileCheck %s

// A kernel that no rule covers is named, with the reason, to whoever compiles.

// CHECK: missed-kernels.mlir:{{.*}}: remark: 'generic_0' of tensor<8xf32> is lowered to scalar loops because its body has tensor.extract, which has no vector form
func.func @gather(%i: tensor<8xindex>, %t: tensor<100xf32>, %d: tensor<8xf32>) -> tensor<8xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%i : tensor<8xindex>) outs(%d : tensor<8xf32>) {
  ^bb0(%0: index, %1: f32):
    %2 = tensor.extract %t[%0] : tensor<100xf32>
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// CHECK: missed-kernels.mlir:{{.*}}: remark: linalg.fill has a dynamic shape and is lowered to scalar loops
func.func @dynamic(%d: tensor<?xf32>) -> tensor<?xf32> {
  %z = arith.constant 0.0 : f32
  %r = linalg.fill ins(%z : f32) outs(%d : tensor<?xf32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}
