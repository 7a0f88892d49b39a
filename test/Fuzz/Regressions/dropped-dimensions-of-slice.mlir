// The canonicalization of a slice dropped other dimensions than the slice.
// RUN: memrev-fuzz-autodiff --replay=%s --native=100 --fail-on="native"

module attributes {fuzz.seed = 1001445 : i64} {
  func.func @f(%arg0: tensor<f64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}, %arg1: tensor<1x5x?x?x1xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 1, 5, 2, 3, 1>}) -> (tensor<f64>, tensor<2xf64>, tensor<2xf64>) attributes {fuzz.of = array<i64: 0, 1, 2>, fuzz.wrt = array<i64: 0, 1>} {
    %0 = tensor.empty() : tensor<2x2x2xf64>
    %cst = arith.constant 0.000000e+00 : f64
    %c3 = arith.constant 3 : index
    %dim = tensor.dim %arg1, %c3 : tensor<1x5x?x?x1xf64>
    %c2 = arith.constant 2 : index
    %dim_0 = tensor.dim %arg1, %c2 : tensor<1x5x?x?x1xf64>
    %1 = tensor.empty(%dim, %dim_0) : tensor<1x?x1x?x1xf64>
    %2 = linalg.fill ins(%cst : f64) outs(%1 : tensor<1x?x1x?x1xf64>) -> tensor<1x?x1x?x1xf64>
    %3 = linalg.pooling_ndhwc_sum {dilations = dense<[2, 1, 1]> : tensor<3xi64>, strides = dense<[1, 2, 1]> : tensor<3xi64>} ins(%arg1, %0 : tensor<1x5x?x?x1xf64>, tensor<2x2x2xf64>) outs(%2 : tensor<1x?x1x?x1xf64>) -> tensor<1x?x1x?x1xf64>
    %c1 = arith.constant 1 : index
    %dim_1 = tensor.dim %3, %c1 : tensor<1x?x1x?x1xf64>
    %c3_2 = arith.constant 3 : index
    %dim_3 = tensor.dim %3, %c3_2 : tensor<1x?x1x?x1xf64>
    %cst_4 = arith.constant 0.083333333333333329 : f64
    %splat = tensor.splat %cst_4[%dim_1, %dim_3] : tensor<1x?x1x?x1xf64>
    %4 = arith.mulf %3, %splat : tensor<1x?x1x?x1xf64>
    %c0 = arith.constant 0 : index
    %c0_5 = arith.constant 0 : index
    %dim_6 = tensor.dim %4, %c0_5 : tensor<1x?x1x?x1xf64>
    %c0_7 = arith.constant 0 : index
    %dim_8 = tensor.dim %4, %c0_7 : tensor<1x?x1x?x1xf64>
    %c0_9 = arith.constant 0 : index
    %dim_10 = tensor.dim %4, %c0_9 : tensor<1x?x1x?x1xf64>
    %c0_11 = arith.constant 0 : index
    %dim_12 = tensor.dim %arg1, %c0_11 : tensor<1x5x?x?x1xf64>
    %extracted_slice = tensor.extract_slice %4[0, %c0, 0, %dim_6, 0] [1, 2, 1, %dim_8, 1] [1, 2, %dim_10, 1, %dim_12] : tensor<1x?x1x?x1xf64> to tensor<1x2x?xf64>
    %collapsed = tensor.collapse_shape %extracted_slice [[0, 1, 2]] : tensor<1x2x?xf64> into tensor<?xf64>
    %5 = arith.mulf %collapsed, %collapsed : tensor<?xf64>
    %6 = math.tanh %collapsed : tensor<?xf64>
    %c0_13 = arith.constant 0 : index
    %c0_14 = arith.constant 0 : index
    %c0_15 = arith.constant 0 : index
    %dim_16 = tensor.dim %4, %c0_15 : tensor<1x?x1x?x1xf64>
    %extracted_slice_17 = tensor.extract_slice %4[%c0_13, 1, 0, 0, %c0_14] [1, 1, 1, 2, 1] [1, %dim_16, 1, 1, 1] : tensor<1x?x1x?x1xf64> to tensor<1x2x1xf64>
    %collapsed_18 = tensor.collapse_shape %extracted_slice_17 [[0, 1, 2]] : tensor<1x2x1xf64> into tensor<2xf64>
    %7 = arith.mulf %collapsed_18, %collapsed_18 : tensor<2xf64>
    %c0_19 = arith.constant 0 : index
    %dim_20 = tensor.dim %6, %c0_19 : tensor<?xf64>
    %cst_21 = arith.constant 5.000000e-01 : f64
    %splat_22 = tensor.splat %cst_21[%dim_20] : tensor<?xf64>
    %8 = arith.mulf %6, %splat_22 : tensor<?xf64>
    %9 = tensor.empty() : tensor<2xf64>
    %10 = linalg.sub ins(%collapsed, %8 : tensor<?xf64>, tensor<?xf64>) outs(%9 : tensor<2xf64>) -> tensor<2xf64>
    %11 = math.tanh %10 : tensor<2xf64>
    %cst_23 = arith.constant dense<0.68628564625835642> : tensor<2xf64>
    %12 = arith.mulf %11, %cst_23 : tensor<2xf64>
    %cst_24 = arith.constant dense<0.000000e+00> : tensor<2xf64>
    %13 = arith.addf %12, %cst_24 : tensor<2xf64>
    %14 = math.tan %13 : tensor<2xf64>
    return %arg0, %7, %14 : tensor<f64>, tensor<2xf64>, tensor<2xf64>
  }
}
