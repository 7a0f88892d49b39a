// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

func.func @f(%x: tensor<4xf16>) -> tensor<4xbf16> {
  // expected-error @below {{expects a bitcast that keeps the element type where a derivative is taken, but got one from 'f16' to 'bf16'}}
  %y = tensor.bitcast %x : tensor<4xf16> to tensor<4xbf16>
  return %y : tensor<4xbf16>
}

func.func @bitcast_jvp(%x: tensor<4xf16>) -> tensor<4xbf16> {
  %y, %ty = rev.jvp @f(%x) tangents(%x) : (tensor<4xf16>, tensor<4xf16>) -> (tensor<4xbf16>, tensor<4xbf16>)
  return %ty : tensor<4xbf16>
}
