// What a pad of rank 0 in a branch reads was evaluated behind its use.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 3905258 : i64} {
  func.func @f(%arg0: tensor<1x1x5x7x4xbf16> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 1, 1, 5, 7, 4>}, %arg1: tensor<1x1x1x1x1xbf16> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 1, 1, 1, 1, 1>}, %arg2: tensor<1x1x1x3x3xbf16> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64: 1, 1, 1, 3, 3>}, %arg3: tensor<bf16> {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}, %arg4: bf16 {fuzz.high = 1.000000e+00 : f64, fuzz.low = -1.000000e+00 : f64, fuzz.shape = array<i64>}, %arg5: index {fuzz.high = 3 : i64, fuzz.low = 0 : i64, fuzz.shape = array<i64>}) -> tensor<bf16> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 0>} {
    %0 = linalg.conv_3d_ncdhw_fcdhw {dilations = dense<[2, 2, 1]> : tensor<3xi64>, strides = dense<[3, 2, 1]> : tensor<3xi64>} ins(%arg0, %arg1 : tensor<1x1x5x7x4xbf16>, tensor<1x1x1x1x1xbf16>) outs(%arg2 : tensor<1x1x1x3x3xbf16>) -> tensor<1x1x1x3x3xbf16>
    %1:2 = scf.index_switch %arg5 -> tensor<bf16>, bf16 
    case 0 {
      %cst = arith.constant dense<4.804690e-01> : tensor<bf16>
      scf.yield %cst, %arg4 : tensor<bf16>, bf16
    }
    case 2 {
      %c1 = arith.constant 1 : index
      %c0 = arith.constant 0 : index
      %c0_0 = arith.constant 0 : index
      %c1_1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %extracted = tensor.extract %0[%c1, %c0, %c0_0, %c1_1, %c2] : tensor<1x1x1x3x3xbf16>
      %padded = tensor.pad %arg3 low[] high[] {
        %2 = math.exp %extracted : bf16
        tensor.yield %2 : bf16
      } : tensor<bf16> to tensor<bf16>
      scf.yield %padded, %extracted : tensor<bf16>, bf16
    }
    default {
      %cst = arith.constant 5.000000e-01 : bf16
      %cst_0 = arith.constant dense<4.511720e-01> : tensor<bf16>
      scf.yield %cst_0, %cst : tensor<bf16>, bf16
    }
    return %1#0 : tensor<bf16>
  }
}
