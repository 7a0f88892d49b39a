// The gradient of a maximum over a window without elements took a slice behind the end.
// RUN: memrev-fuzz-autodiff --replay=%s

module attributes {fuzz.seed = 300865 : i64} {
  func.func @f(%arg0: tensor<?x1x?x1x?xbf16> {fuzz.shape = array<i64: 0, 1, 4, 1, 4>}, %arg1: tensor<9xbf16> {fuzz.shape = array<i64: 9>}) -> tensor<?x1x0xbf16> attributes {fuzz.of = array<i64: 0>, fuzz.wrt = array<i64: 1>} {
    %c1 = arith.constant 1 : index
    %0 = tensor.empty(%c1) : tensor<?x1x0xbf16>
    %cst = arith.constant dense<> : tensor<1x1x0xbf16>
    %1:2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d2 * 2 + d1)>, affine_map<(d0, d1, d2, d3) -> (d1, d3, d0)>, affine_map<(d0, d1, d2, d3) -> (d1, d3, d0)>], iterator_types = ["parallel", "parallel", "reduction", "parallel"]} ins(%arg0, %arg1 : tensor<?x1x?x1x?xbf16>, tensor<9xbf16>) outs(%0, %cst : tensor<?x1x0xbf16>, tensor<1x1x0xbf16>) {
    ^bb0(%in: bf16, %in_0: bf16, %out: bf16, %out_1: bf16):
      %2 = arith.maxnumf %out, %in_0 : bf16
      linalg.yield %2, %out_1 : bf16, bf16
    } -> (tensor<?x1x0xbf16>, tensor<1x1x0xbf16>)
    return %1#0 : tensor<?x1x0xbf16>
  }
}
