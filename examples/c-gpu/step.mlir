// One step of training a reversible network: a loss, its gradient by inversion,
// and the update of the weights, which are overwritten.

!batch = tensor<64x16xf32>
!weights = tensor<16x16xf32>

// x + tanh(c w), where c is the other half.
func.func private @loss(%x1: !batch, %x2: !batch, %target: !batch, %w1: !weights, %w2: !weights) -> f32 {
  %zero = arith.constant 0.0 : f32
  %y1 = rev.coupling additive %x1 given(%x2) {
  ^bb0(%c: !batch):
    %e = tensor.empty() : !batch
    %z = linalg.fill ins(%zero : f32) outs(%e : !batch) -> !batch
    %m = linalg.matmul ins(%c, %w1 : !batch, !weights) outs(%z : !batch) -> !batch
    %t = math.tanh %m : !batch
    rev.yield %t : !batch
  } : !batch, (!batch)
  %y2 = rev.coupling additive %x2 given(%y1) {
  ^bb0(%c: !batch):
    %e = tensor.empty() : !batch
    %z = linalg.fill ins(%zero : f32) outs(%e : !batch) -> !batch
    %m = linalg.matmul ins(%c, %w2 : !batch, !weights) outs(%z : !batch) -> !batch
    %t = math.tanh %m : !batch
    rev.yield %t : !batch
  } : !batch, (!batch)
  // The mean of the squared distance from the target.
  %difference = arith.subf %y2, %target : !batch
  %square = arith.mulf %difference, %difference : !batch
  %empty = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<f32>) -> tensor<f32>
  %sum = linalg.reduce { arith.addf } ins(%square : !batch) outs(%start : tensor<f32>) dimensions = [0, 1]
  %total = tensor.extract %sum[] : tensor<f32>
  %count = arith.constant 1024.0 : f32
  %mean = arith.divf %total, %count : f32
  return %mean : f32
}

func.func @step(%x1: !batch, %x2: !batch, %target: !batch, %w1: !weights {rev.donated, rev.name = "w1"},
                %w2: !weights {rev.donated, rev.name = "w2"}, %rate: f32 {rev.name = "rate"})
    -> (f32 {rev.name = "loss"}, !weights, !weights) {
  %loss, %dw1, %dw2 = rev.value_and_grad @loss(%x1, %x2, %target, %w1, %w2) wrt [3, 4]
      : (!batch, !batch, !batch, !weights, !weights) -> (f32, !weights, !weights)
  %rates = tensor.splat %rate : !weights
  %step1 = arith.mulf %rates, %dw1 : !weights
  %step2 = arith.mulf %rates, %dw2 : !weights
  %new1 = arith.subf %w1, %step1 : !weights
  %new2 = arith.subf %w2, %step2 : !weights
  return %loss, %new1, %new2 : f32, !weights, !weights
}
