module attributes {fuzz.seed = 300022 : i64} {
  func.func private @g0(%arg0: tensor<1x4xf64>, %arg1: f64, %arg2: tensor<2x4xf64>) -> (tensor<2xf64>, tensor<2x3x2xf64>) {
    %cst = arith.constant dense<[[0.38796790106551993, -0.033096995091042691, 0.078600826326713502], [-0.05988827375375938, 0.26884781554364068, -0.90310571466502321]]> : tensor<2x3xf64>
    %concat = tensor.concat dim(1) %arg2, %arg2, %cst : (tensor<2x4xf64>, tensor<2x4xf64>, tensor<2x3xf64>) -> tensor<2x11xf64>
    %cst_0 = arith.constant dense<[-0.56756874505328803, 0.037500830972025945]> : tensor<2xf64>
    %0 = tensor.empty() : tensor<2x3x2xf64>
    %broadcasted = linalg.broadcast ins(%cst_0 : tensor<2xf64>) outs(%0 : tensor<2x3x2xf64>) dimensions = [1, 2] 
    return %cst_0, %broadcasted : tensor<2xf64>, tensor<2x3x2xf64>
  }
  func.func @f(%arg0: f64 {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}, %arg1: tensor<4x4x2xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 4, 4, 2>}, %arg2: tensor<1x4xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 1, 4>}, %arg3: tensor<2x1x4xf64> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 2, 1, 4>}) -> (tensor<4x2x4xf64>, tensor<1xf64>, tensor<2x4xf64>) attributes {fuzz.of = array<i64: 0, 1, 2>, fuzz.wrt = array<i64: 0, 1, 2, 3>} {
    %0 = complex.create %arg0, %arg0 : complex<f64>
    %1 = complex.expm1 %0 : complex<f64>
    %2 = complex.create %arg0, %arg0 : complex<f64>
    %3 = complex.add %1, %2 : complex<f64>
    %4 = complex.re %3 : complex<f64>
    %cst = arith.constant 1.000000e-01 : f64
    %5 = arith.mulf %4, %cst : f64
    %generated = tensor.generate  {
    ^bb0(%arg4: index, %arg5: index):
      %17 = arith.index_cast %arg4 : index to i32
      %18 = arith.sitofp %17 : i32 to f64
      %19 = math.round %18 : f64
      %cst_5 = arith.constant 8.000000e-01 : f64
      %20 = arith.mulf %19, %cst_5 : f64
      %21 = math.erfc %arg0 : f64
      %22 = math.sin %arg0 : f64
      %cst_6 = arith.constant 0.4645966793693217 : f64
      %23 = arith.mulf %22, %cst_6 : f64
      %cst_7 = arith.constant 0.000000e+00 : f64
      %24 = arith.addf %23, %cst_7 : f64
      %cst_8 = arith.constant 5.000000e-01 : f64
      %25 = arith.mulf %21, %cst_8 : f64
      %26 = math.absf %25 : f64
      %cst_9 = arith.constant 1.000000e+00 : f64
      %27 = arith.mulf %26, %cst_9 : f64
      %cst_10 = arith.constant 5.000000e-01 : f64
      %28 = arith.addf %27, %cst_10 : f64
      %29 = math.clampf %21 to [%24, %28] : f64
      tensor.yield %29 : f64
    } : tensor<4x4xf64>
    %6 = tensor.empty() : tensor<4x4x2xf64>
    %7 = linalg.exp ins(%arg1 : tensor<4x4x2xf64>) outs(%6 : tensor<4x4x2xf64>) -> tensor<4x4x2xf64>
    %8 = tensor.empty() : tensor<4x2x4xf64>
    %transposed = linalg.transpose ins(%7 : tensor<4x4x2xf64>) outs(%8 : tensor<4x2x4xf64>) permutation = [0, 2, 1] 
    %cst_0 = arith.constant dense<0> : tensor<1xi32>
    %loss, %log_sum_exp = rev.softmax_cross_entropy %arg2, %cst_0 : (tensor<1x4xf64>, tensor<1xi32>) -> (tensor<1xf64>, tensor<1xf64>)
    %cst_1 = arith.constant dense<5.000000e-01> : tensor<1xf64>
    %9 = arith.mulf %loss, %cst_1 : tensor<1xf64>
    %cst_2 = arith.constant dense<5.000000e-01> : tensor<1xf64>
    %10 = arith.mulf %loss, %cst_2 : tensor<1xf64>
    %11 = tensor.empty() : tensor<1xf64>
    %cst_3 = arith.constant dense<1.000000e-01> : tensor<1xf64>
    %12 = arith.cmpf ogt, %9, %cst_3 : tensor<1xf64>
    %13 = tensor.empty() : tensor<1xf64>
    %14 = linalg.select ins(%12, %9, %10 : tensor<1xi1>, tensor<1xf64>, tensor<1xf64>) outs(%13 : tensor<1xf64>) -> tensor<1xf64>
    %cst_4 = arith.constant dense<5.000000e-01> : tensor<4x4xf64>
    %15 = arith.mulf %generated, %cst_4 : tensor<4x4xf64>
    %16 = scf.forall (%arg4) = (0) to (4) step (2) shared_outs(%arg5 = %generated) -> (tensor<4x4xf64>) {
      %extracted_slice = tensor.extract_slice %15[%arg4, 0] [2, 4] [1, 1] : tensor<4x4xf64> to tensor<2x4xf64>
      %extracted_slice_5 = tensor.extract_slice %14[0] [1] [1] : tensor<1xf64> to tensor<1xf64>
      %17:2 = func.call @g0(%arg2, %5, %extracted_slice) : (tensor<1x4xf64>, f64, tensor<2x4xf64>) -> (tensor<2xf64>, tensor<2x3x2xf64>)
      %18:2 = func.call @g0(%arg2, %5, %extracted_slice) : (tensor<1x4xf64>, f64, tensor<2x4xf64>) -> (tensor<2xf64>, tensor<2x3x2xf64>)
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %extracted_slice into %arg5[%arg4, 0] [2, 4] [1, 1] : tensor<2x4xf64> into tensor<4x4xf64>
      }
    }
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %from_elements = tensor.from_elements %c2, %c4 : tensor<2xindex>
    %reshape = tensor.reshape %arg3(%from_elements) : (tensor<2x1x4xf64>, tensor<2xindex>) -> tensor<2x4xf64>
    return %transposed, %log_sum_exp, %reshape : tensor<4x2x4xf64>, tensor<1xf64>, tensor<2x4xf64>
  }
}