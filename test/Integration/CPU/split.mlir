// The forward and the backward function of a derivative, called apart, give the
// gradients that the combined function gives, inverting and storing. The weights
// and the state of two couplings are read by the backward function; what it has
// to be given beyond results and arguments is what storing saves.

// RUN: python3 %S/Inputs/check_split.py %memrev_tools_dir %s

func.func @f(%x1: tensor<3x4xf64>, %x2: tensor<3x4xf64>, %w: tensor<4x4xf64>) -> (tensor<3x4xf64>, tensor<3x4xf64>) {
  %zero = arith.constant dense<0.0> : tensor<3x4xf64>
  %y1 = rev.coupling additive %x1 given(%x2) {
  ^bb0(%c: tensor<3x4xf64>):
    %u = linalg.matmul ins(%c, %w : tensor<3x4xf64>, tensor<4x4xf64>) outs(%zero : tensor<3x4xf64>) -> tensor<3x4xf64>
    %t = math.tanh %u : tensor<3x4xf64>
    rev.yield %t : tensor<3x4xf64>
  } : tensor<3x4xf64>, (tensor<3x4xf64>)
  %y2 = rev.coupling affine<exp> %x2 given(%y1) {
  ^bb0(%c: tensor<3x4xf64>):
    %u = linalg.matmul ins(%c, %w : tensor<3x4xf64>, tensor<4x4xf64>) outs(%zero : tensor<3x4xf64>) -> tensor<3x4xf64>
    %a = math.sin %u : tensor<3x4xf64>
    rev.yield %a, %u : tensor<3x4xf64>, tensor<3x4xf64>
  } : tensor<3x4xf64>, (tensor<3x4xf64>)
  return %y1, %y2 : tensor<3x4xf64>, tensor<3x4xf64>
}
