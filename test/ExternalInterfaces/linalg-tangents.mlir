// RUN: memrev-opt %s -rev-differentiate -split-input-file | FileCheck %s

// A product of matrices stays one for each factor with a tangent, transposed as
// it was, and all add to one sum.
// CHECK-LABEL: func.func private @product_jvp(
// CHECK-SAME:    %[[A:[a-z0-9]*]]: tensor<5x3xf32>, %[[B:[a-z0-9]*]]: tensor<5x4xf32>, %[[C:[a-z0-9]*]]: tensor<3x4xf32>, %[[DA:[a-z0-9]*]]: tensor<5x3xf32>, %[[DB:[a-z0-9]*]]: tensor<5x4xf32>, %[[DC:[a-z0-9]*]]: tensor<3x4xf32>)
// CHECK:         %[[Y:.*]] = linalg.matmul indexing_maps = [#[[TA:.*]], #[[B_MAP:.*]], #[[OUT:.*]]] ins(%[[A]], %[[B]] : {{.*}}) outs(%[[C]]
// CHECK:         %[[P:.*]] = linalg.matmul indexing_maps = [#[[TA]], #[[B_MAP]], #[[OUT]]] ins(%[[DA]], %[[B]] : {{.*}}) outs(%[[DC]]
// CHECK:         %[[Q:.*]] = linalg.matmul indexing_maps = [#[[TA]], #[[B_MAP]], #[[OUT]]] ins(%[[A]], %[[DB]] : {{.*}}) outs(%[[P]]
// CHECK:         return %[[Y]], %[[Q]]
func.func @product(%a: tensor<5x3xf32>, %b: tensor<5x4xf32>, %c: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %y = linalg.matmul indexing_maps = [
      affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<5x3xf32>, tensor<5x4xf32>) outs(%c : tensor<3x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

func.func @of_product(%a: tensor<5x3xf32>, %b: tensor<5x4xf32>, %c: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %r:2 = rev.jvp @product(%a, %b, %c) tangents(%a, %b, %c) wrt [0, 1, 2] : (tensor<5x3xf32>, tensor<5x4xf32>, tensor<3x4xf32>, tensor<5x3xf32>, tensor<5x4xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>)
  return %r#1 : tensor<3x4xf32>
}

// -----

// A convolution stays one, with its strides; the filter has no tangent.
// CHECK-LABEL: func.func private @convolution_jvp(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<1x9x9x2xf32>, %[[W:[a-z0-9]*]]: tensor<3x3x2x4xf32>, %[[DX:[a-z0-9]*]]: tensor<1x9x9x2xf32>)
// CHECK:         linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, strides = dense<2> : tensor<2xi64>} ins(%[[DX]], %[[W]]
// CHECK-NOT:     linalg.conv
// CHECK:         return
func.func @convolution(%x: tensor<1x9x9x2xf32>, %w: tensor<3x3x2x4xf32>) -> tensor<1x4x4x4xf32> {
  %z = arith.constant dense<0.0> : tensor<1x4x4x4xf32>
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<1x9x9x2xf32>, tensor<3x3x2x4xf32>) outs(%z : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  return %y : tensor<1x4x4x4xf32>
}

func.func @of_convolution(%x: tensor<1x9x9x2xf32>, %w: tensor<3x3x2x4xf32>) -> tensor<1x4x4x4xf32> {
  %r:2 = rev.jvp @convolution(%x, %w) tangents(%x) wrt [0] : (tensor<1x9x9x2xf32>, tensor<3x3x2x4xf32>, tensor<1x9x9x2xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>)
  return %r#1 : tensor<1x4x4x4xf32>
}

// -----

// A running value that starts without a tangent gets one: each step multiplies
// it too.
// CHECK-LABEL: func.func private @running_product_jvp(
// CHECK-SAME:    %[[X:[a-z0-9]*]]: tensor<3xf32>, %[[DX:[a-z0-9]*]]: tensor<3xf32>)
// CHECK:         %[[ZERO:.*]] = linalg.fill
// CHECK:         %[[R:.*]]:2 = linalg.generic {{.*}} ins(%[[X]], %[[DX]] : {{.*}}) outs(%{{.*}}, %[[ZERO]] :
// CHECK:         ^bb0(%[[IN:.*]]: f32, %[[T:.*]]: f32, %[[OUT:.*]]: f32, %[[U:.*]]: f32):
// CHECK-DAG:       %[[P:.*]] = arith.mulf %[[IN]], %[[OUT]]
// CHECK-DAG:       %[[A:.*]] = arith.mulf %[[T]], %[[OUT]]
// CHECK-DAG:       %[[B:.*]] = arith.mulf %[[U]], %[[IN]]
// CHECK:           %[[S:.*]] = arith.addf %[[A]], %[[B]]
// CHECK:           linalg.yield %[[P]], %[[S]]
// CHECK:         return %[[R]]#0, %[[R]]#1
func.func @running_product(%x: tensor<3xf32>) -> tensor<f32> {
  %one = arith.constant dense<1.0> : tensor<f32>
  %y = linalg.reduce ins(%x : tensor<3xf32>) outs(%one : tensor<f32>) dimensions = [0]
    (%a: f32, %b: f32) {
      %p = arith.mulf %a, %b : f32
      linalg.yield %p : f32
    }
  return %y : tensor<f32>
}

func.func @of_running_product(%x: tensor<3xf32>) -> tensor<f32> {
  %r:2 = rev.jvp @running_product(%x) tangents(%x) wrt [0] : (tensor<3xf32>, tensor<3xf32>) -> (tensor<f32>, tensor<f32>)
  return %r#1 : tensor<f32>
}

// -----

// What moves elements moves the tangent, into a tensor of its own.
// CHECK-LABEL: func.func private @transposed_jvp(
// CHECK-SAME:    %{{.*}}: tensor<2x3xf32>, %[[DX:[a-z0-9]*]]: tensor<2x3xf32>)
// CHECK:         linalg.transpose ins(%[[DX]] :
func.func @transposed(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %e = tensor.empty() : tensor<3x2xf32>
  %y = linalg.transpose ins(%x : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  return %y : tensor<3x2xf32>
}

func.func @of_transposed(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %r:2 = rev.jvp @transposed(%x) tangents(%x) wrt [0] : (tensor<2x3xf32>, tensor<2x3xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>)
  return %r#1 : tensor<3x2xf32>
}
