// RUN: memrev-opt %s -rev-differentiate="function=same" | FileCheck %s --check-prefix=SAME
// RUN: memrev-opt %s -rev-differentiate="function=same wrt=0" | FileCheck %s --check-prefix=INPUT
// RUN: memrev-opt %s -rev-differentiate="function=valid wrt=0" | FileCheck %s --check-prefix=VALID
// RUN: memrev-opt %s -rev-differentiate="function=pointwise wrt=0" | FileCheck %s --check-prefix=POINT
// RUN: memrev-opt %s -rev-differentiate="function=strided wrt=0" | FileCheck %s --check-prefix=STRIDED
// RUN: memrev-opt %s -rev-differentiate="function=strided_pointwise wrt=0" | FileCheck %s --check-prefix=SUB
// RUN: memrev-opt %s -rev-differentiate="function=channels_first" | FileCheck %s --check-prefix=NCHW
// RUN: memrev-opt %s -rev-differentiate="function=remainder wrt=0" | FileCheck %s --check-prefix=REMAINDER
// RUN: memrev-opt %s -rev-differentiate="function=dynamic" | FileCheck %s --check-prefix=DYNAMIC
// RUN: memrev-opt %s -rev-differentiate="function=multiplier wrt=0" | FileCheck %s --check-prefix=MULTIPLIER
// RUN: memrev-opt %s -rev-differentiate="function=cut wrt=0" | FileCheck %s --check-prefix=CUT

// The gradient of the filter is one generic with the loops over the filter
// outside. That of the input is a convolution of the padded cotangent with the
// flipped filter, straight into the cotangent of what was padded: nothing has
// the shape of the padded tensor but its forward value.
// SAME-DAG: #[[$IN:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d0 + d5, d1 + d6, d2)>
// SAME-DAG: #[[$OUT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d5, d6, d3)>
// SAME-DAG: #[[$FILTER:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>
// SAME-DAG: #[[$FLIP:.*]] = affine_map<(d0, d1, d2, d3) -> (-d0 + 2, -d1 + 2, d3, d2)>
// SAME-LABEL: func.func @same_vjp(
// SAME-SAME:    %[[X:.*]]: tensor<2x6x8x3xf32>, %[[W:.*]]: tensor<3x3x3x4xf32>, %[[DY:.*]]: tensor<2x6x8x4xf32>)
// SAME:         %[[PADDED:.*]] = tensor.pad %[[X]]
// SAME:         %[[DW:.*]] = linalg.generic {indexing_maps = [#[[$IN]], #[[$OUT]], #[[$FILTER]]], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%[[PADDED]], %[[DY]] :
// SAME:         %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<2x6x8x3xf32>
// SAME:         %[[DYP:.*]] = tensor.pad %[[DY]] low[0, 1, 1, 0] high[0, 1, 1, 0]
// SAME:         } : tensor<2x6x8x4xf32> to tensor<2x8x10x4xf32>
// SAME:         %[[WF:.*]] = linalg.generic {indexing_maps = [#[[$FLIP]], {{.*}}} ins(%[[W]] : {{.*}}) outs({{.*}} : tensor<3x3x4x3xf32>)
// SAME:         %[[DX:.*]] = linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%[[DYP]], %[[WF]] : {{.*}}) outs(%[[ZEROS]] :
// SAME:         return %[[DX]], %[[DW]]

// Without a gradient of the filter nothing of the forward part is left.
// INPUT-LABEL: func.func @same_vjp(
// INPUT-NOT:     tensor<2x8x10x3xf32>
// INPUT:         return
func.func @same(%x: tensor<2x6x8x3xf32>, %w: tensor<3x3x3x4xf32>) -> tensor<2x6x8x4xf32> {
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %z : f32
  } : tensor<2x6x8x3xf32> to tensor<2x8x10x3xf32>
  %e = tensor.empty() : tensor<2x6x8x4xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<2x6x8x4xf32>) -> tensor<2x6x8x4xf32>
  %y = linalg.conv_2d_nhwc_hwcf {rev.note = "is not copied", strides = dense<1> : tensor<2xi64>}
      ins(%p, %w : tensor<2x8x10x3xf32>, tensor<3x3x3x4xf32>) outs(%i : tensor<2x6x8x4xf32>) -> tensor<2x6x8x4xf32>
  return %y : tensor<2x6x8x4xf32>
}

// Without padding the cotangent is padded by all of the window.
// VALID-LABEL: func.func @valid_vjp(
// VALID:         tensor.pad {{.*}} low[0, 4, 0, 0] high[0, 4, 0, 0]
// VALID:         linalg.conv_2d_nhwc_fhwc {dilations = dense<[2, 1]> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
// VALID-SAME:      -> tensor<2x6x8x3xf32>
func.func @valid(%x: tensor<2x6x8x3xf32>, %w: tensor<4x3x1x3xf32>, %i: tensor<2x2x8x4xf32>) -> tensor<2x2x8x4xf32> {
  %y = linalg.conv_2d_nhwc_fhwc {dilations = dense<[2, 1]> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<2x6x8x3xf32>, tensor<4x3x1x3xf32>) outs(%i : tensor<2x2x8x4xf32>) -> tensor<2x2x8x4xf32>
  return %y : tensor<2x2x8x4xf32>
}

// A 1x1 window needs neither padding nor flipping.
// POINT-LABEL: func.func @pointwise_vjp(
// POINT-NOT:     tensor.pad
// POINT-NOT:     tensor.extract_slice
// POINT:         linalg.conv_2d_nhwc_hwcf {{.*}} -> tensor<2x6x8x3xf32>
// POINT-NOT:     tensor.insert_slice
// POINT:         return
func.func @pointwise(%x: tensor<2x6x8x3xf32>, %w: tensor<1x1x3x4xf32>, %i: tensor<2x6x8x4xf32>) -> tensor<2x6x8x4xf32> {
  %y = linalg.conv_2d_nhwc_hwcf
      ins(%x, %w : tensor<2x6x8x3xf32>, tensor<1x1x3x4xf32>) outs(%i : tensor<2x6x8x4xf32>) -> tensor<2x6x8x4xf32>
  return %y : tensor<2x6x8x4xf32>
}

// Stride 2 has four phases, whose filters have 1, 2, 2 and 4 of the nine taps.
// All read one padded cotangent.
// STRIDED-DAG:   #[[$ONE:.*]] = affine_map<(d0, d1, d2, d3) -> (1, 1, d3, d2)>
// STRIDED-DAG:   #[[$FOUR:.*]] = affine_map<(d0, d1, d2, d3) -> (d0 * -2 + 2, d1 * -2 + 2, d3, d2)>
// STRIDED-LABEL: func.func @strided_vjp(
// STRIDED-SAME:    %[[DY:[a-z0-9]*]]: tensor<2x3x4x4xf32>)
// STRIDED:         %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<2x6x8x3xf32>
// STRIDED:         %[[DYP:.*]] = tensor.pad %[[DY]] low[0, 0, 0, 0] high[0, 1, 1, 0]
// STRIDED:         %[[IN:.*]] = tensor.extract_slice %[[DYP]][0, 0, 0, 0] [2, 3, 4, 4] [1, 1, 1, 1]
// STRIDED:         %[[W0:.*]] = linalg.generic {indexing_maps = [#[[$ONE]], {{.*}} outs({{.*}} : tensor<1x1x4x3xf32>)
// STRIDED:         %[[PART:.*]] = tensor.extract_slice %[[ZEROS]][0, 0, 0, 0] [2, 3, 4, 3] [1, 2, 2, 1]
// STRIDED:         %[[SUM:.*]] = linalg.conv_2d_nhwc_hwcf {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%[[IN]], %[[W0]] : {{.*}}) outs(%[[PART]] :
// STRIDED:         %[[DX0:.*]] = tensor.insert_slice %[[SUM]] into %[[ZEROS]][0, 0, 0, 0] [2, 3, 4, 3] [1, 2, 2, 1]
// STRIDED:         tensor.extract_slice %[[DX0]][0, 0, 1, 0] [2, 3, 4, 3] [1, 2, 2, 1]
// STRIDED:         linalg.conv_2d_nhwc_hwcf {{.*}} tensor<1x2x4x3xf32>
// STRIDED:         linalg.conv_2d_nhwc_hwcf {{.*}} tensor<2x1x4x3xf32>
// STRIDED:         %[[W3:.*]] = linalg.generic {indexing_maps = [#[[$FOUR]], {{.*}} outs({{.*}} : tensor<2x2x4x3xf32>)
// STRIDED:         linalg.conv_2d_nhwc_hwcf {{.*}} ins(%[[DYP]], %[[W3]] :
// STRIDED:         %[[DX:.*]] = tensor.insert_slice {{.*}}[0, 1, 1, 0] [2, 3, 4, 3] [1, 2, 2, 1]
// STRIDED-NOT:     linalg.conv
// STRIDED:         return %[[DX]]
func.func @strided(%x: tensor<2x6x8x3xf32>, %w: tensor<3x3x3x4xf32>, %i: tensor<2x3x4x4xf32>) -> tensor<2x3x4x4xf32> {
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %z : f32
  } : tensor<2x6x8x3xf32> to tensor<2x8x10x3xf32>
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>}
      ins(%p, %w : tensor<2x8x10x3xf32>, tensor<3x3x3x4xf32>) outs(%i : tensor<2x3x4x4xf32>) -> tensor<2x3x4x4xf32>
  return %y : tensor<2x3x4x4xf32>
}

// Three of the four phases of a 1x1 window have no tap and stay zero.
// SUB-LABEL: func.func @strided_pointwise_vjp(
// SUB:         linalg.fill
// SUB-NOT:     tensor.pad
// SUB:         linalg.conv_2d_nhwc_hwcf {{.*}} -> tensor<2x3x4x3xf32>
// SUB:         tensor.insert_slice {{.*}}[0, 0, 0, 0] [2, 3, 4, 3] [1, 2, 2, 1]
// SUB-NOT:     linalg.conv
// SUB:         return
func.func @strided_pointwise(%x: tensor<2x6x8x3xf32>, %w: tensor<1x1x3x4xf32>, %i: tensor<2x3x4x4xf32>) -> tensor<2x3x4x4xf32> {
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>}
      ins(%x, %w : tensor<2x6x8x3xf32>, tensor<1x1x3x4xf32>) outs(%i : tensor<2x3x4x4xf32>) -> tensor<2x3x4x4xf32>
  return %y : tensor<2x3x4x4xf32>
}

// Another layout has the same loops with other maps. The starting value gets the
// cotangent as it is.
// NCHW-DAG:   affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d2, d0 + d5, d1 + d6)>
// NCHW-DAG:   affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3, d2, d0, d1)>
// NCHW-DAG:   affine_map<(d0, d1, d2, d3) -> (d1, d0, -d2 + 2, -d3 + 2)>
// NCHW-LABEL: func.func @channels_first_vjp(
// NCHW-SAME:    %[[DY:[a-z0-9]*]]: tensor<2x4x4x6xf32>) ->
// NCHW:         %[[DW:.*]] = linalg.generic
// NCHW:         tensor.pad %[[DY]] low[0, 0, 2, 2] high[0, 0, 2, 2]
// NCHW:         %[[DX:.*]] = linalg.conv_2d_nchw_fchw {{.*}} -> tensor<2x3x6x8xf32>
// NCHW:         return %[[DX]], %[[DW]], %[[DY]]
func.func @channels_first(%x: tensor<2x3x6x8xf32>, %w: tensor<4x3x3x3xf32>, %i: tensor<2x4x4x6xf32>) -> tensor<2x4x4x6xf32> {
  %y = linalg.conv_2d_nchw_fchw
      ins(%x, %w : tensor<2x3x6x8xf32>, tensor<4x3x3x3xf32>) outs(%i : tensor<2x4x4x6xf32>) -> tensor<2x4x4x6xf32>
  return %y : tensor<2x4x4x6xf32>
}

// The last row and column are read by no window; the second phases end earlier.
// REMAINDER-LABEL: func.func @remainder_vjp(
// REMAINDER:         tensor.insert_slice {{.*}}[0, 0, 0, 0] [1, 4, 3, 2] [1, 2, 3, 1]
// REMAINDER:         tensor.insert_slice {{.*}}[0, 0, 1, 0] [1, 4, 3, 2] [1, 2, 3, 1]
// REMAINDER:         tensor.insert_slice {{.*}}[0, 1, 0, 0] [1, 4, 3, 2] [1, 2, 3, 1]
// REMAINDER:         tensor.insert_slice {{.*}}[0, 1, 1, 0] [1, 4, 3, 2] [1, 2, 3, 1]
// REMAINDER-NOT:     tensor.insert_slice
// REMAINDER:         return
func.func @remainder(%x: tensor<1x8x9x2xf32>, %w: tensor<3x2x2x2xf32>, %i: tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32> {
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<[2, 3]> : tensor<2xi64>}
      ins(%x, %w : tensor<1x8x9x2xf32>, tensor<3x2x2x2xf32>) outs(%i : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  return %y : tensor<1x3x3x2xf32>
}

// Extents that are not known leave one contraction into a strided slice per tap.
// DYNAMIC-LABEL: func.func @dynamic_vjp(
// DYNAMIC:         linalg.generic {{.*}} outs({{.*}} : tensor<1x2x3x4xf32>)
// DYNAMIC-COUNT-2: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction", "parallel"]
// DYNAMIC-NOT:     linalg.generic
// DYNAMIC:         return
func.func @dynamic(%x: tensor<2x?x?x3xf32>, %w: tensor<1x2x3x4xf32>, %i: tensor<2x?x?x4xf32>) -> tensor<2x?x?x4xf32> {
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>}
      ins(%x, %w : tensor<2x?x?x3xf32>, tensor<1x2x3x4xf32>) outs(%i : tensor<2x?x?x4xf32>) -> tensor<2x?x?x4xf32>
  return %y : tensor<2x?x?x4xf32>
}

// The output has a dimension more than the input: no convolution has a name for
// the gradient of the input.
// MULTIPLIER-DAG:   affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 + d5, d2 + d6, d3, d4)>
// MULTIPLIER-LABEL: func.func @multiplier_vjp(
// MULTIPLIER-NOT:     linalg.depthwise
// MULTIPLIER:         linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
func.func @multiplier(%x: tensor<2x6x8x3xf32>, %w: tensor<3x3x3x4xf32>, %i: tensor<2x4x6x3x4xf32>) -> tensor<2x4x6x3x4xf32> {
  %y = linalg.depthwise_conv_2d_nhwc_hwcm
      ins(%x, %w : tensor<2x6x8x3xf32>, tensor<3x3x3x4xf32>) outs(%i : tensor<2x4x6x3x4xf32>) -> tensor<2x4x6x3x4xf32>
  return %y : tensor<2x4x6x3x4xf32>
}

// Padding wider than the window: the outer parts of the cotangent meet zeros only.
// CUT-LABEL: func.func @cut_vjp(
// CUT-SAME:    %[[DY:[a-z0-9]*]]: tensor<1x10x8xf32>)
// CUT-NOT:     tensor.pad
// CUT:         %[[READ:.*]] = tensor.extract_slice %[[DY]][0, 2, 0] [1, 5, 8] [1, 1, 1]
// CUT:         linalg.conv_1d_nwc_wcf {{.*}} ins(%[[READ]],
func.func @cut(%x: tensor<1x4x2xf32>, %w: tensor<2x2x8xf32>, %i: tensor<1x10x8xf32>) -> tensor<1x10x8xf32> {
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 3, 0] high[0, 4, 0] {
  ^bb0(%a: index, %b: index, %c: index):
    tensor.yield %z : f32
  } : tensor<1x4x2xf32> to tensor<1x11x2xf32>
  %y = linalg.conv_1d_nwc_wcf
      ins(%p, %w : tensor<1x11x2xf32>, tensor<2x2x8xf32>) outs(%i : tensor<1x10x8xf32>) -> tensor<1x10x8xf32>
  return %y : tensor<1x10x8xf32>
}
