// RUN: memrev-opt %s -convert-tosa-to-memrev -split-input-file -verify-diagnostics

func.func @double(%x: tensor<1x4x4x1xf64>) -> tensor<1x2x2x1xf64> {
  // expected-error @below {{expects TOSA operations that have a lowering to linalg}}
  // expected-note @below {{upstream says: failed to legalize operation 'tosa.max_pool2d'}}
  %y = tosa.max_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>}
      : (tensor<1x4x4x1xf64>) -> tensor<1x2x2x1xf64>
  return %y : tensor<1x2x2x1xf64>
}

// -----

func.func @custom(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expects TOSA operations that have a lowering to linalg}}
  // expected-note @below {{upstream says: failed to legalize operation 'tosa.custom'}}
  %y = tosa.custom %x {operator_name = "f", domain_name = "d", implementation_attrs = ""} : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

module {
  // expected-error @below {{expects TOSA operations that have a lowering to linalg, but got 'tosa.variable'}}
  tosa.variable @state : tensor<4xf32>
}
