// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

func.func private @sum(%x: tensor<4xcomplex<f32>>, %init: tensor<complex<f32>>) -> tensor<complex<f32>> {
  // expected-error @below {{expects elementwise operations where a gradient of complex values flows, but got 'linalg.reduce'}}
  %y = linalg.reduce ins(%x : tensor<4xcomplex<f32>>) outs(%init : tensor<complex<f32>>) dimensions = [0]
    (%a: complex<f32>, %b: complex<f32>) {
      %s = complex.add %a, %b : complex<f32>
      linalg.yield %s : complex<f32>
    }
  return %y : tensor<complex<f32>>
}

func.func @gradient(%x: tensor<4xcomplex<f32>>, %y: tensor<complex<f32>>) -> tensor<4xcomplex<f32>> {
  %d = rev.vjp @sum(%x, %y) cotangents(%y) wrt [0]
      : (tensor<4xcomplex<f32>>, tensor<complex<f32>>, tensor<complex<f32>>) -> tensor<4xcomplex<f32>>
  return %d : tensor<4xcomplex<f32>>
}

// -----

func.func private @matmul(%x: tensor<2x2xcomplex<f32>>) -> tensor<2x2xcomplex<f32>> {
  // expected-error @below {{expects elementwise operations where a tangent of complex values flows, but got 'linalg.matmul'}}
  %y = linalg.matmul ins(%x, %x : tensor<2x2xcomplex<f32>>, tensor<2x2xcomplex<f32>>)
      outs(%x : tensor<2x2xcomplex<f32>>) -> tensor<2x2xcomplex<f32>>
  return %y : tensor<2x2xcomplex<f32>>
}

func.func @tangent(%x: tensor<2x2xcomplex<f32>>) -> tensor<2x2xcomplex<f32>> {
  %y, %t = rev.jvp @matmul(%x) tangents(%x)
      : (tensor<2x2xcomplex<f32>>, tensor<2x2xcomplex<f32>>) -> (tensor<2x2xcomplex<f32>>, tensor<2x2xcomplex<f32>>)
  return %t : tensor<2x2xcomplex<f32>>
}

// -----

// A scalar from outside is broadcast.
func.func private @captured(%x: tensor<2xcomplex<f32>>, %c: complex<f32>) -> tensor<2xcomplex<f32>> {
  %e = tensor.empty() : tensor<2xcomplex<f32>>
  // expected-error @below {{expects elementwise operations where a gradient of complex values flows, but got 'linalg.generic'}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<2xcomplex<f32>>) outs(%e : tensor<2xcomplex<f32>>) {
  ^bb0(%a: complex<f32>, %b: complex<f32>):
    %m = complex.mul %a, %c : complex<f32>
    linalg.yield %m : complex<f32>
  } -> tensor<2xcomplex<f32>>
  return %y : tensor<2xcomplex<f32>>
}

func.func @gradient(%x: tensor<2xcomplex<f32>>, %c: complex<f32>) -> complex<f32> {
  %d = rev.vjp @captured(%x, %c) cotangents(%x) wrt [1]
      : (tensor<2xcomplex<f32>>, complex<f32>, tensor<2xcomplex<f32>>) -> complex<f32>
  return %d : complex<f32>
}

// -----

func.func private @power(%x: complex<f32>) -> complex<f32> {
  // expected-error @below {{expects operations with a derivative rule where a gradient flows, but 'complex.pow' has none}}
  %y = complex.pow %x, %x : complex<f32>
  return %y : complex<f32>
}

func.func @gradient(%x: complex<f32>) -> complex<f32> {
  %d = rev.vjp @power(%x) cotangents(%x) : (complex<f32>, complex<f32>) -> complex<f32>
  return %d : complex<f32>
}
