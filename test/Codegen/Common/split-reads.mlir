// RUN: memrev-opt %s -split-input-file -codegen-split-reads=max-reads=2 | FileCheck %s

func.func private @kernel(%w: tensor<4xf32>, %d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel} {
  %0 = linalg.exp ins(%w : tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Two of three readers of a weight share a tensor, also from within a loop.
// CHECK-LABEL: func.func @shared
// CHECK-SAME: (%[[W:[a-z0-9]+]]: tensor<4xf32>, %[[X:[a-z0-9]+]]: tensor<4xf32>
// CHECK: %[[M:.*]] = bufferization.to_buffer %[[W]] read_only
// CHECK: %[[A:.*]] = bufferization.to_tensor %[[M]] restrict : memref
// CHECK: %[[B:.*]] = bufferization.to_tensor %[[M]] restrict : memref
// CHECK: call @kernel(%[[A]], %[[X]])
// CHECK: call @kernel(%[[A]],
// CHECK: scf.for
// CHECK: call @kernel(%[[B]],
func.func @shared(%w: tensor<4xf32>, %x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = call @kernel(%w, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = call @kernel(%w, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %1) -> tensor<4xf32> {
    %3 = func.call @kernel(%w, %a) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    scf.yield %3 : tensor<4xf32>
  }
  return %2 : tensor<4xf32>
}

// So do those of a view of a weight, and of what was computed into an empty
// tensor.
// CHECK-LABEL: func.func @computed
// CHECK: %[[V:.*]] = tensor.collapse_shape
// CHECK: bufferization.to_buffer %[[V]] read_only
// CHECK: %[[C:.*]] = call @kernel
// CHECK: bufferization.to_buffer %[[C]] read_only
func.func @computed(%w: tensor<2x2xf32>, %x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %v = tensor.collapse_shape %w [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %c = call @kernel(%x, %e) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %0 = call @kernel(%v, %y) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = call @kernel(%v, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = call @kernel(%v, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = call @kernel(%c, %2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %4 = call @kernel(%c, %3) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %5 = call @kernel(%c, %4) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %5 : tensor<4xf32>
}

// -----

func.func private @kernel(%w: tensor<4xf32>, %d: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel} {
  %0 = linalg.exp ins(%w : tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// What is overwritten in the end, returned, of another buffer's part, or of
// a buffer that has another user has to be looked at as a whole; so has what
// only few read.
// CHECK-LABEL: func.func @overwritten
// CHECK-NOT: bufferization
func.func @overwritten(%w: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @kernel(%w, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = call @kernel(%w, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = call @kernel(%1, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}
func.func @returned(%w: tensor<4xf32>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = call @kernel(%w, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = call @kernel(%w, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1, %w : tensor<4xf32>, tensor<4xf32>
}
func.func @slice(%w: tensor<8xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %s = tensor.extract_slice %w[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %0 = call @kernel(%s, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = call @kernel(%s, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = call @kernel(%s, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}
func.func @forked(%w: tensor<4xf32>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %u = call @kernel(%x, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %v = call @kernel(%x, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %0 = call @kernel(%u, %e) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = call @kernel(%u, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = call @kernel(%u, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2, %v : tensor<4xf32>, tensor<4xf32>
}
func.func @rarely(%w: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @kernel(%w, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = call @kernel(%w, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
