// Rows of a table by their numbers, the gradient of the table, where rows that
// repeat add up, and a scatter, against the program without the GPU's schedule.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s

func.func private @rows(%table: tensor<11x6xf64>) -> tensor<5x6xf64> {
  %i = arith.constant dense<[[3], [10], [3], [0], [3]]> : tensor<5x1xi64>
  %y = tensor.gather %table[%i] gather_dims([0]) : (tensor<11x6xf64>, tensor<5x1xi64>) -> tensor<5x6xf64>
  %t = math.tanh %y : tensor<5x6xf64>
  return %t : tensor<5x6xf64>
}

// CHECK: @gradient: 2 buffers written
func.func @gradient(%table: tensor<11x6xf64>, %dy: tensor<5x6xf64>) -> (tensor<5x6xf64>, tensor<11x6xf64>) {
  %y = call @rows(%table) : (tensor<11x6xf64>) -> tensor<5x6xf64>
  %d = rev.vjp @rows(%table) cotangents(%dy) : (tensor<11x6xf64>, tensor<5x6xf64>) -> tensor<11x6xf64>
  return %y, %d : tensor<5x6xf64>, tensor<11x6xf64>
}

// CHECK: @scatter: 1 buffers written
func.func @scatter(%x: tensor<2x6xf64>, %table: tensor<11x6xf64>) -> tensor<11x6xf64> {
  %i = arith.constant dense<[[4], [9]]> : tensor<2x1xi64>
  %y = tensor.scatter %x into %table[%i] scatter_dims([0]) unique
      : (tensor<2x6xf64>, tensor<11x6xf64>, tensor<2x1xi64>) -> tensor<11x6xf64>
  return %y : tensor<11x6xf64>
}
