// RUN: memrev-opt %s --memrev-schedule-cpu | FileCheck %s

// A layer y = relu(conv(x, w[i]) + b) in a loop over stacked weights: the loop
// holds one call, which updates the state in place.

// CHECK-LABEL: func.func @layers
// CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[X:.*]] = %{{.*}})
// CHECK-NOT: linalg
// CHECK: %[[E:.*]] = tensor.empty
// CHECK-NEXT: %[[Y:.*]] = func.call @[[KERNEL:.*]](%[[X]], %{{.*}}, %[[I]], %{{.*}}, %[[E]])
// CHECK-NEXT: scf.yield %[[Y]]
// CHECK: func.func private @[[KERNEL]]({{.*}}) -> tensor<2x8x8x16xf32> attributes {memrev.kernel}
// CHECK-NOT: linalg
// CHECK: scf.forall
// CHECK: vector.fma
// CHECK: arith.maximumf
// CHECK-NOT: = scf.forall
// CHECK-NOT: linalg
func.func @layers(%x: tensor<2x8x8x16xf32>, %ws: tensor<4x3x3x16x16xf32>, %b: tensor<16xf32>) -> tensor<2x8x8x16xf32> {
  %z = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %x) -> (tensor<2x8x8x16xf32>) {
    %w = tensor.extract_slice %ws[%i, 0, 0, 0, 0] [1, 3, 3, 16, 16] [1, 1, 1, 1, 1] : tensor<4x3x3x16x16xf32> to tensor<3x3x16x16xf32>
    %p = tensor.pad %s low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%0: index, %1: index, %2: index, %3: index):
      tensor.yield %z : f32
    } : tensor<2x8x8x16xf32> to tensor<2x10x10x16xf32>
    %e = tensor.empty() : tensor<2x8x8x16xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<2x8x8x16xf32>) -> tensor<2x8x8x16xf32>
    %c = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<2x10x10x16xf32>, tensor<3x3x16x16xf32>) outs(%f : tensor<2x8x8x16xf32>) -> tensor<2x8x8x16xf32>
    %v = linalg.broadcast ins(%b : tensor<16xf32>) outs(%e : tensor<2x8x8x16xf32>) dimensions = [0, 1, 2]
    %t = linalg.add ins(%c, %v : tensor<2x8x8x16xf32>, tensor<2x8x8x16xf32>) outs(%e : tensor<2x8x8x16xf32>) -> tensor<2x8x8x16xf32>
    %m = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%t : tensor<2x8x8x16xf32>) outs(%e : tensor<2x8x8x16xf32>) {
    ^bb0(%0: f32, %1: f32):
      %2 = arith.maximumf %0, %z : f32
      linalg.yield %2 : f32
    } -> tensor<2x8x8x16xf32>
    scf.yield %m : tensor<2x8x8x16xf32>
  }
  return %r : tensor<2x8x8x16xf32>
}
