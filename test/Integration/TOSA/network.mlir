// A convolutional network in TOSA: the gradient that is compiled against central
// differences of NumPy.
// REQUIRES: numpy
// RUN: python3 %S/Inputs/check_network.py %memrev_tools_dir/memrev-compile %s %t.dir
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --emit=ptx | FileCheck %s

// CHECK: .entry

func.func private @net(%x: tensor<1x8x8x1xf32>, %w: tensor<4x3x3x1xf32>, %b: tensor<4xf32>, %v: tensor<1x36x10xf32>)
    -> tensor<1x1x10xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %c = tosa.conv2d %x, %w, %b, %z, %z {pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>,
      dilation = array<i64: 1, 1>, acc_type = f32}
      : (tensor<1x8x8x1xf32>, tensor<4x3x3x1xf32>, tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x6x6x4xf32>
  %r = tosa.clamp %c {min_val = 0.0 : f32, max_val = 6.0 : f32} : (tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  %p = tosa.max_pool2d %r {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>}
      : (tensor<1x6x6x4xf32>) -> tensor<1x3x3x4xf32>
  %s = tosa.const_shape {values = dense<[1, 1, 36]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %f = tosa.reshape %p, %s : (tensor<1x3x3x4xf32>, !tosa.shape<3>) -> tensor<1x1x36xf32>
  %y = tosa.matmul %f, %v, %z, %z
      : (tensor<1x1x36xf32>, tensor<1x36x10xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x10xf32>
  return %y : tensor<1x1x10xf32>
}

func.func @gradient(%x: tensor<1x8x8x1xf32>, %w: tensor<4x3x3x1xf32>, %b: tensor<4xf32>, %v: tensor<1x36x10xf32>,
                    %dy: tensor<1x1x10xf32>) -> (tensor<4x3x3x1xf32>, tensor<4xf32>, tensor<1x36x10xf32>) {
  %dw, %db, %dv = rev.vjp @net(%x, %w, %b, %v) cotangents(%dy) wrt [1, 2, 3]
      : (tensor<1x8x8x1xf32>, tensor<4x3x3x1xf32>, tensor<4xf32>, tensor<1x36x10xf32>, tensor<1x1x10xf32>)
     -> (tensor<4x3x3x1xf32>, tensor<4xf32>, tensor<1x36x10xf32>)
  return %dw, %db, %dv : tensor<4x3x3x1xf32>, tensor<4xf32>, tensor<1x36x10xf32>
}
