// Inversion of a counter that a loop carries asked for itself without end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 201756 : i64} {
  func.func @f(%arg0: tensor<3x2x2xf16> {fuzz.shape = array<i64: 3, 2, 2>}, %arg1: index {fuzz.high = 4 : i64, fuzz.low = 0 : i64, fuzz.shape = array<i64>}, %arg2: tensor<2x2x1x1x2xf16> {fuzz.shape = array<i64: 2, 2, 1, 1, 2>}, %arg3: tensor<2xf16> {fuzz.shape = array<i64: 2>}) -> tensor<3x2x2xf16> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0, 2, 3>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %0:2 = scf.while (%arg4 = %arg0, %arg5 = %c0) : (tensor<3x2x2xf16>, index) -> (tensor<3x2x2xf16>, index) {
      %1 = arith.cmpi slt, %arg5, %arg1 : index
      scf.condition(%1) %arg4, %arg5 : tensor<3x2x2xf16>, index
    } do {
    ^bb0(%arg4: tensor<3x2x2xf16>, %arg5: index):
      %c0_0 = arith.constant 0 : index
      %c1_1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %1:3 = scf.while (%arg6 = %arg4, %arg7 = %arg4, %arg8 = %c0_0) : (tensor<3x2x2xf16>, tensor<3x2x2xf16>, index) -> (tensor<3x2x2xf16>, tensor<3x2x2xf16>, index) {
        %9 = arith.cmpi slt, %arg8, %c2 : index
        scf.condition(%9) %arg6, %arg7, %arg8 : tensor<3x2x2xf16>, tensor<3x2x2xf16>, index
      } do {
      ^bb0(%arg6: tensor<3x2x2xf16>, %arg7: tensor<3x2x2xf16>, %arg8: index):
        %9 = arith.index_cast %arg8 : index to i32
        %10 = arith.sitofp %9 : i32 to f16
        %cst_3 = arith.constant 2.500000e-01 : f16
        %11 = arith.mulf %10, %cst_3 : f16
        %12 = tensor.empty() : tensor<1x1x1x3x3x3xf16>
        %pack = linalg.pack %arg7 padding_value(%11 : f16) inner_dims_pos = [0, 1, 2] inner_tiles = [3, 3, 3] into %12 : tensor<3x2x2xf16> -> tensor<1x1x1x3x3x3xf16>
        %cst_4 = arith.constant 0.000000e+00 : f16
        %padded = tensor.pad %arg2 low[0, 0, 1, 1, 0] high[0, 1, 0, 2, 0] {
        ^bb0(%arg9: index, %arg10: index, %arg11: index, %arg12: index, %arg13: index):
          tensor.yield %cst_4 : f16
        } : tensor<2x2x1x1x2xf16> to tensor<2x3x2x4x2xf16>
        %13 = tensor.empty() : tensor<2x1x2xf16>
        %cst_5 = arith.constant 0.000000e+00 : f16
        %14 = tensor.empty() : tensor<2x1x1x3x2xf16>
        %15 = linalg.fill ins(%cst_5 : f16) outs(%14 : tensor<2x1x1x3x2xf16>) -> tensor<2x1x1x3x2xf16>
        %16 = linalg.pooling_ndhwc_sum {dilations = dense<[2, 1, 1]> : tensor<3xi64>, strides = dense<[1, 2, 1]> : tensor<3xi64>} ins(%padded, %13 : tensor<2x3x2x4x2xf16>, tensor<2x1x2xf16>) outs(%15 : tensor<2x1x1x3x2xf16>) -> tensor<2x1x1x3x2xf16>
        %cst_6 = arith.constant dense<1.250000e-01> : tensor<2x1x1x3x2xf16>
        %17 = arith.mulf %16, %cst_6 : tensor<2x1x1x3x2xf16>
        %18 = arith.addi %arg8, %c1_1 : index
        scf.yield %arg7, %arg6, %18 : tensor<3x2x2xf16>, tensor<3x2x2xf16>, index
      }
      %2 = math.absf %1#1 : tensor<3x2x2xf16>
      %cst = arith.constant dense<1.000000e+00> : tensor<3x2x2xf16>
      %3 = arith.mulf %2, %cst : tensor<3x2x2xf16>
      %cst_2 = arith.constant dense<5.000000e-01> : tensor<3x2x2xf16>
      %4 = arith.addf %3, %cst_2 : tensor<3x2x2xf16>
      %5 = math.rsqrt %4 : tensor<3x2x2xf16>
      %6 = tensor.empty() : tensor<3x2x4xf16>
      %7 = linalg.elementwise kind=#linalg.elementwise_kind<tanh> indexing_maps = [affine_map<(d0, d1, d2) -> (d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>] ins(%arg3 : tensor<2xf16>) outs(%6 : tensor<3x2x4xf16>) -> tensor<3x2x4xf16>
      %8 = arith.addi %arg5, %c1 : index
      scf.yield %1#0, %8 : tensor<3x2x2xf16>, index
    }
    return %0#0 : tensor<3x2x2xf16>
  }
}
