// RUN: memrev-opt %s -codegen-update-slices-in-place -codegen-fuse-elementwise | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// CHECK-LABEL: @update
func.func @update(%t: tensor<4x8xf32>, %x: tensor<8xf32>, %i: index) -> tensor<4x8xf32> {
  // CHECK: %[[S:.*]] = tensor.extract_slice
  // CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<8xf32>) outs(%[[S]] : tensor<8xf32>)
  // CHECK: ^bb0(%[[X:.*]]: f32, %[[OUT:.*]]: f32):
  // CHECK: arith.mulf %[[OUT]], %[[X]]
  %s = tensor.extract_slice %t[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
  %e = tensor.empty() : tensor<8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%s, %x : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<8xf32>
  %u = tensor.insert_slice %r into %t[%i, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
  return %u : tensor<4x8xf32>
}

// Another slice is another place.
// CHECK-LABEL: @other_slice
func.func @other_slice(%t: tensor<4x8xf32>, %i: index, %j: index) -> tensor<4x8xf32> {
  // CHECK: %[[E:.*]] = tensor.empty
  // CHECK: outs(%[[E]] : tensor<8xf32>)
  %s = tensor.extract_slice %t[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
  %e = tensor.empty() : tensor<8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%s : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.mulf %a, %a : f32
    linalg.yield %m : f32
  } -> tensor<8xf32>
  %u = tensor.insert_slice %r into %t[%j, 0] [1, 8] [1, 1] : tensor<8xf32> into tensor<4x8xf32>
  return %u : tensor<4x8xf32>
}
