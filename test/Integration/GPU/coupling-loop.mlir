// A training step of a reversible network, differentiated by inversion: six
// blocks over stacked weights, whose reverse loop reconstructs the activations.
// Python cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: memrev-opt %s --memrev-differentiate --memrev-lower -o %t.mlir
// RUN: memrev-opt %t.mlir --memrev-gpu-schedule --memrev-bufferize -o %t.gpu.mlir
// RUN: memrev-opt %t.mlir --memrev-bufferize -o %t.cpu.mlir
// RUN: %emulate %t.gpu.mlir --reference %t.cpu.mlir --work-dir %t.dir | FileCheck %s

#bhw = affine_map<(n, h, w, c) -> (n, h, w, c)>
#all = affine_map<(n, h, w, c) -> ()>

func.func private @loss(%x1: tensor<4x6x6x4xf64>, %x2: tensor<4x6x6x4xf64>, %w: tensor<6x3x3x4x4xf64>) -> f64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %zero = arith.constant 0.0 : f64
  %y:2 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %x1, %b = %x2)
      -> (tensor<4x6x6x4xf64>, tensor<4x6x6x4xf64>) {
    %wi = tensor.extract_slice %w[%i, 0, 0, 0, 0] [1, 3, 3, 4, 4] [1, 1, 1, 1, 1]
        : tensor<6x3x3x4x4xf64> to tensor<3x3x4x4xf64>
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<4x6x6x4xf64>):
      %t = tensor.empty() : tensor<4x6x6x4xf64>
      %r = linalg.generic {indexing_maps = [#bhw, #bhw], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
          ins(%c : tensor<4x6x6x4xf64>) outs(%t : tensor<4x6x6x4xf64>) {
      ^bb0(%e: f64, %o: f64):
        %0 = math.tanh %e : f64
        linalg.yield %0 : f64
      } -> tensor<4x6x6x4xf64>
      %p = tensor.pad %r low[0, 1, 1, 0] high[0, 1, 1, 0] {
      ^bb0(%n: index, %h: index, %v: index, %k: index):
        tensor.yield %zero : f64
      } : tensor<4x6x6x4xf64> to tensor<4x8x8x4xf64>
      %e = tensor.empty() : tensor<4x6x6x4xf64>
      %z = linalg.fill ins(%zero : f64) outs(%e : tensor<4x6x6x4xf64>) -> tensor<4x6x6x4xf64>
      %f = linalg.conv_2d_nhwc_hwcf {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
          ins(%p, %wi : tensor<4x8x8x4xf64>, tensor<3x3x4x4xf64>) outs(%z : tensor<4x6x6x4xf64>) -> tensor<4x6x6x4xf64>
      rev.yield %f : tensor<4x6x6x4xf64>
    } : tensor<4x6x6x4xf64>, (tensor<4x6x6x4xf64>)
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%c: tensor<4x6x6x4xf64>):
      %t = tensor.empty() : tensor<4x6x6x4xf64>
      %r = linalg.generic {indexing_maps = [#bhw, #bhw], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
          ins(%c : tensor<4x6x6x4xf64>) outs(%t : tensor<4x6x6x4xf64>) {
      ^bb0(%e: f64, %o: f64):
        %0 = math.tanh %e : f64
        linalg.yield %0 : f64
      } -> tensor<4x6x6x4xf64>
      rev.yield %r : tensor<4x6x6x4xf64>
    } : tensor<4x6x6x4xf64>, (tensor<4x6x6x4xf64>)
    scf.yield %a1, %b1 : tensor<4x6x6x4xf64>, tensor<4x6x6x4xf64>
  }
  %e = tensor.empty() : tensor<f64>
  %z = linalg.fill ins(%zero : f64) outs(%e : tensor<f64>) -> tensor<f64>
  %s = linalg.generic {indexing_maps = [#bhw, #bhw, #all], iterator_types = ["reduction", "reduction", "reduction", "reduction"]}
      ins(%y#0, %y#1 : tensor<4x6x6x4xf64>, tensor<4x6x6x4xf64>) outs(%z : tensor<f64>) {
  ^bb0(%p: f64, %q: f64, %sum: f64):
    %0 = arith.mulf %p, %q : f64
    %1 = arith.addf %sum, %0 : f64
    linalg.yield %1 : f64
  } -> tensor<f64>
  %l = tensor.extract %s[] : tensor<f64>
  return %l : f64
}

// The loss, and the gradients of both inputs and all weights.
// CHECK: @step: 4 buffers written
func.func @step(%x1: tensor<4x6x6x4xf64>, %x2: tensor<4x6x6x4xf64>, %w: tensor<6x3x3x4x4xf64>)
    -> (f64, tensor<4x6x6x4xf64>, tensor<4x6x6x4xf64>, tensor<6x3x3x4x4xf64>) {
  %l, %d1, %d2, %dw = rev.value_and_grad @loss(%x1, %x2, %w) wrt [0, 1, 2]
      : (tensor<4x6x6x4xf64>, tensor<4x6x6x4xf64>, tensor<6x3x3x4x4xf64>)
      -> (f64, tensor<4x6x6x4xf64>, tensor<4x6x6x4xf64>, tensor<6x3x3x4x4xf64>)
  return %l, %d1, %d2, %dw : f64, tensor<4x6x6x4xf64>, tensor<4x6x6x4xf64>, tensor<6x3x3x4x4xf64>
}
