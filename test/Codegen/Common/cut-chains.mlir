// RUN: memrev-opt %s -codegen-cut-chains=max-links=2 | FileCheck %s

// The third update sees a new tensor in the old buffer; the result is returned
// as a buffer, because nothing calls the function.
// CHECK-LABEL: func.func @chain
// CHECK-SAME: -> memref<4xf32>
// CHECK: linalg.exp
// CHECK: %[[B:.*]] = linalg.exp
// CHECK: %[[M:.*]] = bufferization.to_buffer %[[B]]
// CHECK: %[[T:.*]] = bufferization.to_tensor %[[M]] restrict writable
// CHECK: %[[C:.*]] = linalg.exp ins(%[[T]] : {{.*}} outs(%[[T]] :
// CHECK: %[[R:.*]] = bufferization.to_buffer %[[C]]
// CHECK: return %[[R]]
func.func @chain(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.exp ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.exp ins(%0 : tensor<4xf32>) outs(%0 : tensor<4xf32>) -> tensor<4xf32>
  %2 = linalg.exp ins(%1 : tensor<4xf32>) outs(%1 : tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}

// Kernels, and tensors in a part of another one, are left alone.
// CHECK-LABEL: func.func private @kernel
// CHECK-NOT: bufferization
func.func private @kernel(%x: tensor<8xf32>) -> tensor<4xf32> attributes {memrev.kernel} {
  %s = tensor.extract_slice %x[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %0 = linalg.exp ins(%s : tensor<4xf32>) outs(%s : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.exp ins(%0 : tensor<4xf32>) outs(%0 : tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
// CHECK-LABEL: func.func private @slice
// CHECK-NOT: bufferization
func.func private @slice(%x: tensor<8xf32>) -> tensor<4xf32> {
  %s = tensor.extract_slice %x[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %0 = linalg.exp ins(%s : tensor<4xf32>) outs(%s : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.exp ins(%0 : tensor<4xf32>) outs(%0 : tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
