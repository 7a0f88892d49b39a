// RUN: memrev-opt %s -pass-pipeline="builtin.module(rev-differentiate,symbol-dce,one-shot-bufferize{bufferize-function-boundaries},convert-bufferization-to-memref,func.func(convert-linalg-to-loops),lower-affine,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-vector-to-llvm,convert-to-llvm,reconcile-unrealized-casts)" \
// RUN:   | mlir-runner -e main --entry-point-result=void --shared-libs=%mlir_lib_dir/libmlir_c_runner_utils.so,%mlir_lib_dir/libmlir_runner_utils.so \
// RUN:   | FileCheck %s

func.func private @printMemrefF64(tensor<*xf64>)

func.func private @max(%x: tensor<1x6x1xf64>, %i: tensor<1x3x1xf64>) -> tensor<1x3x1xf64> {
  %k = tensor.empty() : tensor<2xf64>
  %y = linalg.pooling_nwc_max {strides = dense<2> : tensor<1xi64>, dilations = dense<1> : tensor<1xi64>}
      ins(%x, %k : tensor<1x6x1xf64>, tensor<2xf64>) outs(%i : tensor<1x3x1xf64>) -> tensor<1x3x1xf64>
  return %y : tensor<1x3x1xf64>
}

// Of equal elements the first wins; the starting value wins against what equals
// it.
func.func @main() {
  %x = arith.constant dense<[[[1.0], [1.0], [0.0], [0.0], [-1.0], [3.0]]]> : tensor<1x6x1xf64>
  %i = arith.constant dense<[[[-8.0], [0.0], [2.0]]]> : tensor<1x3x1xf64>
  %d = arith.constant dense<[[[10.0], [20.0], [30.0]]]> : tensor<1x3x1xf64>
  %dx, %di = rev.vjp @max(%x, %i) cotangents(%d)
      : (tensor<1x6x1xf64>, tensor<1x3x1xf64>, tensor<1x3x1xf64>) -> (tensor<1x6x1xf64>, tensor<1x3x1xf64>)
  %x1 = tensor.collapse_shape %dx [[0, 1, 2]] : tensor<1x6x1xf64> into tensor<6xf64>
  %i1 = tensor.collapse_shape %di [[0, 1, 2]] : tensor<1x3x1xf64> into tensor<3xf64>
  %xu = tensor.cast %x1 : tensor<6xf64> to tensor<*xf64>
  %iu = tensor.cast %i1 : tensor<3xf64> to tensor<*xf64>
  // CHECK: [10,  0,  0,  0,  0,  30]
  call @printMemrefF64(%xu) : (tensor<*xf64>) -> ()
  // CHECK: [0,  20,  0]
  call @printMemrefF64(%iu) : (tensor<*xf64>) -> ()
  return
}
