// A chain of blocks, and a function that nothing is differentiated in.
func.func private @chain(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 20 : index
  %y:2 = scf.for %i = %begin to %end step %one iter_args(%a = %x, %b = %x)
      -> (tensor<64x64xf64>, tensor<64x64xf64>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<64x64xf64>):
      %empty = tensor.empty() : tensor<64x64xf64>
      %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
      %t = linalg.matmul ins(%c, %w : tensor<64x64xf64>, tensor<64x64xf64>)
          outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
      %s = math.tanh %t : tensor<64x64xf64>
      rev.yield %s : tensor<64x64xf64>
    } : tensor<64x64xf64>, (tensor<64x64xf64>)
    scf.yield %b, %a1 : tensor<64x64xf64>, tensor<64x64xf64>
  }
  return %y#0 : tensor<64x64xf64>
}
func.func @gradient(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>, %dy: tensor<64x64xf64>)
    -> tensor<64x64xf64> {
  %dw = rev.vjp @chain(%x, %w) cotangents(%dy) wrt [1]
      : (tensor<64x64xf64>, tensor<64x64xf64>, tensor<64x64xf64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}
func.func @plain(%x: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %y = math.exp %x : tensor<64x64xf64>
  return %y : tensor<64x64xf64>
}
