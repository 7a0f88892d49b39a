// RUN: memrev-compile %s --until=schedule --emit=mlir -o /dev/null 2>&1 | FileCheck %s

// A kernel that no rule covers is named, with the reason, to whoever compiles.

// CHECK-DAG: missed-kernels.mlir:{{.*}}: remark: 'generic_0' of tensor<8xf32> is lowered to scalar loops because its body has tensor.extract, which has no vector form
func.func @gather(%i: tensor<8xindex>, %t: tensor<100xf32>, %d: tensor<8xf32>) -> tensor<8xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%i : tensor<8xindex>) outs(%d : tensor<8xf32>) {
  ^bb0(%0: index, %1: f32):
    %2 = tensor.extract %t[%0] : tensor<100xf32>
    linalg.yield %2 : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// CHECK-DAG: missed-kernels.mlir:{{.*}}: remark: linalg.fill has a dynamic shape and is lowered to scalar loops
func.func @dynamic(%d: tensor<?xf32>) -> tensor<?xf32> {
  %z = arith.constant 0.0 : f32
  %r = linalg.fill ins(%z : f32) outs(%d : tensor<?xf32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// CHECK-DAG: missed-kernels.mlir:{{.*}}: remark: 'matmul_1' of tensor<4x4xf32> is lowered to scalar loops because it has no iterations
func.func @no_terms(%a: tensor<4x0xf32>, %b: tensor<0x4xf32>, %c: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<4x0xf32>, tensor<0x4xf32>) outs(%c : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %r : tensor<4x4xf32>
}

// CHECK-DAG: missed-kernels.mlir:{{.*}}: remark: 'generic_2' of tensor<4xcomplex<f32>> is lowered to scalar loops because its elements are no integers or floats
func.func @complex(%a: tensor<4xcomplex<f32>>, %d: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (3 - i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%a : tensor<4xcomplex<f32>>) outs(%d : tensor<4xcomplex<f32>>) {
  ^bb0(%0: complex<f32>, %1: complex<f32>):
    linalg.yield %0 : complex<f32>
  } -> tensor<4xcomplex<f32>>
  return %r : tensor<4xcomplex<f32>>
}

// CHECK-DAG: missed-kernels.mlir:{{.*}}: remark: 'generic_3' of tensor<6xi64> is lowered to scalar loops because its body divides integers, which traps in lanes outside of a tensor
func.func @remainders(%a: tensor<6xi64>, %b: tensor<6xi64>) -> tensor<6xi64> {
  %r = arith.remsi %a, %b : tensor<6xi64>
  return %r : tensor<6xi64>
}

// CHECK-NOT: tensor<7xi64>
func.func @thirds(%a: tensor<7xi64>) -> tensor<7xi64> {
  %three = arith.constant dense<3> : tensor<7xi64>
  %r = arith.divsi %a, %three : tensor<7xi64>
  return %r : tensor<7xi64>
}
