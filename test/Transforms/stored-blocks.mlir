// RUN: memrev-opt %s -rev-differentiate | FileCheck %s
// RUN: memrev-opt %s -rev-differentiate -canonicalize | FileCheck %s --check-prefix=COUNT

// As many of the last blocks of a chain are stored as the storage has room for.
// A block holds what its two functions read and their results, 4 x 32 KiB. The
// loop becomes two, the second of which writes to tapes.
// CHECK-LABEL: func.func private @chain_vjp(
// CHECK: %[[MIDDLE:.*]] = arith.constant 21 : index
// CHECK: %[[FIRST:.*]]:2 = scf.for %{{.*}} = %c5{{.*}} to %[[MIDDLE]] step %c2
// CHECK-NOT: tensor.insert_slice
// CHECK: scf.for %{{.*}} = %[[MIDDLE]] to %c24{{.*}} step %c2{{.*}} iter_args(%{{.*}} = %[[FIRST]]#0, %{{.*}} = %[[FIRST]]#1
// CHECK-COUNT-4: tensor.insert_slice %{{.*}} into %{{.*}} : tensor<64x64xf64> into tensor<2x64x64xf64>

// Inverting evaluates tanh once more: in the loops forwards, and in the first one
// backwards, for both functions.
// COUNT-LABEL: func.func private @chain_vjp(
// COUNT-COUNT-6: math.tanh
// COUNT-NOT: math.tanh
// COUNT: return
func.func private @chain(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64>
    attributes {rev.storage_bytes = 300000 : i64} {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 5 : index
  %step = arith.constant 2 : index
  %end = arith.constant 24 : index
  %y:2 = scf.for %i = %begin to %end step %step iter_args(%a = %x, %b = %x)
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
    %b1 = rev.coupling additive %b given(%a1) {
    ^bb0(%c: tensor<64x64xf64>):
      %empty = tensor.empty() : tensor<64x64xf64>
      %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
      %t = linalg.matmul ins(%c, %w : tensor<64x64xf64>, tensor<64x64xf64>)
          outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
      %s = math.tanh %t : tensor<64x64xf64>
      rev.yield %s : tensor<64x64xf64>
    } : tensor<64x64xf64>, (tensor<64x64xf64>)
    scf.yield %a1, %b1 : tensor<64x64xf64>, tensor<64x64xf64>
  }
  return %y#0 : tensor<64x64xf64>
}
func.func @gradient(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>, %dy: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %dw = rev.vjp @chain(%x, %w) cotangents(%dy) wrt [1]
      : (tensor<64x64xf64>, tensor<64x64xf64>, tensor<64x64xf64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}
