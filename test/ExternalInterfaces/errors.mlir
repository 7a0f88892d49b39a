// RUN: memrev-opt %s -rev-differentiate="function=f wrt=0" -split-input-file -verify-diagnostics

func.func @f(%x: tensor<1x8x8x3xf32>, %w: tensor<?x3x3x4xf32>, %i: tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32> {
  // expected-error @below {{expects a filter whose window has a constant extent where a gradient of the input is needed, but got 'tensor<?x3x3x4xf32>'}}
  %y = linalg.conv_2d_nhwc_hwcf
      ins(%x, %w : tensor<1x8x8x3xf32>, tensor<?x3x3x4xf32>) outs(%i : tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  return %y : tensor<1x6x6x4xf32>
}

// -----

func.func @f(%x: tensor<1x3x3x2xf32>, %w: tensor<3x1x2x2xf32>, %i: tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32> {
  // expected-error @below {{expects a convolution with positive strides and dilations where a gradient flows}}
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<[-1, 1]> : tensor<2xi64>}
      ins(%x, %w : tensor<1x3x3x2xf32>, tensor<3x1x2x2xf32>) outs(%i : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  return %y : tensor<1x3x3x2xf32>
}

// -----

func.func @f(%x: tensor<1x8x8x3xf16>, %w: tensor<3x3x3x4xf16>, %i: tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32> {
  // expected-error @below {{expects an input and a filter of the element type of the result where a gradient flows, but got 'tensor<1x8x8x3xf16>'}}
  %y = linalg.conv_2d_nhwc_hwcf
      ins(%x, %w : tensor<1x8x8x3xf16>, tensor<3x3x3x4xf16>) outs(%i : tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  return %y : tensor<1x6x6x4xf32>
}

// -----

func.func @f(%x: tensor<1x8x8x3xf32>, %k: tensor<?x3xf32>, %i: tensor<1x6x6x3xf32>) -> tensor<1x6x6x3xf32> {
  // expected-error @below {{expects a window of constant extents where a gradient flows, but got 'tensor<?x3xf32>'}}
  %y = linalg.pooling_nhwc_sum
      ins(%x, %k : tensor<1x8x8x3xf32>, tensor<?x3xf32>) outs(%i : tensor<1x6x6x3xf32>) -> tensor<1x6x6x3xf32>
  return %y : tensor<1x6x6x3xf32>
}

// -----

func.func @f(%x: tensor<1x128x128x3xf32>, %i: tensor<1x65x65x3xf32>) -> tensor<1x65x65x3xf32> {
  %k = tensor.empty() : tensor<64x64xf32>
  // expected-error @below {{expects a window of at most 1024 elements where a gradient flows to windows that do not lie side by side, but got 4096}}
  %y = linalg.pooling_nhwc_sum
      ins(%x, %k : tensor<1x128x128x3xf32>, tensor<64x64xf32>) outs(%i : tensor<1x65x65x3xf32>) -> tensor<1x65x65x3xf32>
  return %y : tensor<1x65x65x3xf32>
}

// -----

func.func @f(%x: tensor<1x?x3xf32>, %w: tensor<1025x3x4xf32>, %i: tensor<1x?x4xf32>) -> tensor<1x?x4xf32> {
  // expected-error @below {{expects a filter with a window of at most 1024 elements where a gradient of an input of dynamic shape is needed, but got 1025}}
  %y = linalg.conv_1d_nwc_wcf
      ins(%x, %w : tensor<1x?x3xf32>, tensor<1025x3x4xf32>) outs(%i : tensor<1x?x4xf32>) -> tensor<1x?x4xf32>
  return %y : tensor<1x?x4xf32>
}

// -----

func.func @f(%x: tensor<1x3x3x2xf32>, %k: tensor<3x1xf32>, %i: tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32> {
  // expected-error @below {{expects a pooling with positive strides and dilations where a gradient flows}}
  %y = linalg.pooling_nhwc_max {strides = dense<[-1, 1]> : tensor<2xi64>}
      ins(%x, %k : tensor<1x3x3x2xf32>, tensor<3x1xf32>) outs(%i : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  return %y : tensor<1x3x3x2xf32>
}

// -----

func.func @f(%x: tensor<1x8x8x3xf16>, %i: tensor<1x6x6x3xf32>) -> tensor<1x6x6x3xf32> {
  %k = tensor.empty() : tensor<3x3xf32>
  // expected-error @below {{expects an input of the element type of the result where a gradient flows, but got 'tensor<1x8x8x3xf16>'}}
  %y = linalg.pooling_nhwc_max
      ins(%x, %k : tensor<1x8x8x3xf16>, tensor<3x3xf32>) outs(%i : tensor<1x6x6x3xf32>) -> tensor<1x6x6x3xf32>
  return %y : tensor<1x6x6x3xf32>
}

// -----

func.func @f(%x: tensor<3x4xf32>) -> tensor<3xf32> {
  %i = arith.constant dense<0.0> : tensor<3xf32>
  // expected-error @below {{expects a reduction that adds to its out operand where a gradient flows, but result 0 does not}}
  %y = linalg.reduce {arith.maximumf} ins(%x : tensor<3x4xf32>) outs(%i : tensor<3xf32>) dimensions = [1]
  return %y : tensor<3xf32>
}

// -----

func.func @f(%x: tensor<4xf32>, %n: tensor<4xindex>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%n : tensor<4xindex>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: index, %out: f32):
    // expected-error @below {{expects no tensor.extract in the body of a linalg operation where a gradient flows}}
    %v = tensor.extract %x[%i] : tensor<4xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Slices that leave a row out do not give the tensor back.
// expected-note @below {{function defined here}}
func.func private @f(%x: tensor<5x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %a = tensor.extract_slice %x[0, 0] [2, 2] [1, 1] : tensor<5x2xf32> to tensor<2x2xf32>
  %b = tensor.extract_slice %x[3, 0] [2, 2] [1, 1] : tensor<5x2xf32> to tensor<2x2xf32>
  return %a, %b : tensor<2x2xf32>, tensor<2x2xf32>
}

func.func @main(%a: tensor<2x2xf32>) -> tensor<5x2xf32> {
  // expected-error @below {{expects a function whose inverse gives argument 0 back, but no inverse edge reaches it}}
  %x = rev.inverse @f(%a, %a) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %x : tensor<5x2xf32>
}
