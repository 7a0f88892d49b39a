// RUN: memrev-opt %s -rev-differentiate="function=f wrt=0" -split-input-file -verify-diagnostics

func.func @f(%x: tensor<1x3x3x2xf32>, %w: tensor<3x1x2x2xf32>, %i: tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32> {
  // expected-error @below {{expects indexing maps that stay inside of their operands where a gradient flows, but got affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, -d1 + d4, d2 + d5, d6)>}}
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<[-1, 1]> : tensor<2xi64>}
      ins(%x, %w : tensor<1x3x3x2xf32>, tensor<3x1x2x2xf32>) outs(%i : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  return %y : tensor<1x3x3x2xf32>
}

// -----

func.func @f(%x: tensor<4xf32>) -> tensor<4x3xf32> {
  %e = tensor.empty() : tensor<4x3xf32>
  // expected-error @below {{expects indexing maps that stay inside of their operands where a gradient flows, but got affine_map<(d0, d1) -> (d0 - d1 + 2)>}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 - d1 + 2)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<4x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @f(%x: tensor<4xf32>, %n: tensor<4xindex>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %c = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  // expected-note @below {{in the body of this operation}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%n : tensor<4xindex>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: index, %out: f32):
    %p = arith.cmpi sgt, %i, %c : index
    %v = scf.if %p -> f32 {
      // expected-error @below {{expects captured tensors to be read by tensor.extract, outside of inner regions, where a gradient flows, but got 'tensor.extract'}}
      %w = tensor.extract %x[%i] : tensor<4xf32>
      scf.yield %w : f32
    } else {
      scf.yield %z : f32
    }
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// The other rows of the result are those of the out operand.
func.func @f(%x: tensor<4xf32>, %i: tensor<3x4xf32>) -> tensor<3x4xf32> {
  // expected-error @below {{expects results at projected permutations of the loops where a gradient flows, but got affine_map<(d0) -> (1, d0)>}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (1, d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%i : tensor<3x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// -----

func.func @f(%x: tensor<4x2xf32>, %i: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error @below {{expects products with one factor for each element of each reduction loop where a gradient flows, but got a result at affine_map<(d0, d1) -> (d0 + d1)>}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0 + d1)>], iterator_types = ["reduction", "reduction"]}
      ins(%x : tensor<4x2xf32>) outs(%i : tensor<5xf32>) {
  ^bb0(%in: f32, %out: f32):
    %p = arith.mulf %in, %out : f32
    linalg.yield %p : f32
  } -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Slices that leave a row out do not give the tensor back.
// expected-note @below {{function defined here}}
func.func private @f(%x: tensor<5x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  // expected-note @below {{have no inverse edge for argument 0}}
  %a = tensor.extract_slice %x[0, 0] [2, 2] [1, 1] : tensor<5x2xf32> to tensor<2x2xf32>
  %b = tensor.extract_slice %x[3, 0] [2, 2] [1, 1] : tensor<5x2xf32> to tensor<2x2xf32>
  return %a, %b : tensor<2x2xf32>, tensor<2x2xf32>
}

func.func @main(%a: tensor<2x2xf32>) -> tensor<5x2xf32> {
  // expected-error @below {{expects a function whose inverse gives argument 0 back, but no inverse edge reaches it}}
  %x = rev.inverse @f(%a, %a) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %x : tensor<5x2xf32>
}
