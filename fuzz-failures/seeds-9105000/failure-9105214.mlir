// seed 9105214, store-invert: policy(store) against policy(invert): error 4.740516e+00, tolerance 6.330398e-12
module attributes {fuzz.seed = 9105214 : i64} {
  func.func @f(%arg0: tensor<3x4xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 3, 4>}, %arg1: f64 {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}) -> (tensor<3x3x4x4xf64>, tensor<3x4xf64>) attributes {fuzz.of = array<i64: 0, 1>, fuzz.wrt = array<i64: 0, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c1_0 = arith.constant 1 : index
    %0:2 = scf.while (%arg2 = %arg0, %arg3 = %c0) : (tensor<3x4xf64>, index) -> (tensor<3x4xf64>, index) {
      %8 = arith.cmpi slt, %arg3, %c1_0 : index
      %9 = math.tanh %arg1 : f64
      %cst_3 = arith.constant 0.46598051127845547 : f64
      %10 = arith.mulf %9, %cst_3 : f64
      %cst_4 = arith.constant 0.000000e+00 : f64
      %11 = arith.addf %10, %cst_4 : f64
      %12 = math.atanh %11 : f64
      scf.condition(%8) %arg2, %arg3 : tensor<3x4xf64>, index
    } do {
    ^bb0(%arg2: tensor<3x4xf64>, %arg3: index):
      %c1_3 = arith.constant 1 : index
      %dim = tensor.dim %arg2, %c1_3 : tensor<3x4xf64>
      %8 = tensor.empty(%dim) : tensor<?x3x4x3xf64>
      %broadcasted_4 = linalg.broadcast ins(%arg2 : tensor<3x4xf64>) outs(%8 : tensor<?x3x4x3xf64>) dimensions = [0, 3] 
      %c2_5 = arith.constant 2 : index
      %9 = tensor.empty(%c2_5) : tensor<1x2x1x?x3x3x2x3xf64>
      %pack = linalg.pack %broadcasted_4 padding_value(%arg1 : f64) outer_dims_perm = [3, 2, 1, 0] inner_dims_pos = [0, 1, 2, 3] inner_tiles = [3, 3, 2, 3] into %9 : tensor<?x3x4x3xf64> -> tensor<1x2x1x?x3x3x2x3xf64>
      %c1_6 = arith.constant 1 : index
      %dim_7 = tensor.dim %arg2, %c1_6 : tensor<3x4xf64>
      %10 = tensor.empty(%dim_7) : tensor<?x3x4x3xf64>
      %unpack = linalg.unpack %pack outer_dims_perm = [3, 2, 1, 0] inner_dims_pos = [0, 1, 2, 3] inner_tiles = [3, 3, 2, 3] into %10 : tensor<1x2x1x?x3x3x2x3xf64> -> tensor<?x3x4x3xf64>
      %11 = arith.addi %arg3, %c1 : index
      scf.yield %arg2, %11 : tensor<3x4xf64>, index
    }
    %1 = tensor.empty() : tensor<3x4xf64>
    %2 = linalg.copy ins(%0#0 : tensor<3x4xf64>) outs(%1 : tensor<3x4xf64>) -> tensor<3x4xf64>
    %3 = tensor.empty() : tensor<3x3x4x4xf64>
    %broadcasted = linalg.broadcast ins(%0#0 : tensor<3x4xf64>) outs(%3 : tensor<3x3x4x4xf64>) dimensions = [0, 2] 
    %c0_1 = arith.constant 0 : index
    %c2 = arith.constant 2 : index
    %extracted_slice = tensor.extract_slice %2[%c0_1, 0] [2, 3] [%c2, 1] : tensor<3x4xf64> to tensor<2x3xf64>
    %4 = math.sin %2 : tensor<3x4xf64>
    %cst = arith.constant dense<0.33027631615969766> : tensor<3x4xf64>
    %5 = arith.mulf %4, %cst : tensor<3x4xf64>
    %cst_2 = arith.constant dense<0.000000e+00> : tensor<3x4xf64>
    %6 = arith.addf %5, %cst_2 : tensor<3x4xf64>
    %7 = math.acos %6 : tensor<3x4xf64>
    return %broadcasted, %7 : tensor<3x3x4x4xf64>, tensor<3x4xf64>
  }
}