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

// With less room than by default, results of contractions are evaluated again: of
// a chain of them every few are stored.
// CHECK-LABEL: func.func private @deep_vjp(
// CHECK-COUNT-6: math.tanh
// CHECK: linalg.matmul {{.*}}memrev.recomputed
// COUNT-LABEL: func.func private @deep_vjp(
// COUNT-COUNT-3: memrev.recomputed
// COUNT-NOT: memrev.recomputed
// COUNT: return
func.func private @deep(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64>
    attributes {rev.storage_bytes = -1000000 : i64} {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<64x64xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
  %m0 = linalg.matmul ins(%x, %w : tensor<64x64xf64>, tensor<64x64xf64>)
      outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %h0 = math.tanh %m0 : tensor<64x64xf64>
  %m1 = linalg.matmul ins(%h0, %w : tensor<64x64xf64>, tensor<64x64xf64>)
      outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %h1 = math.tanh %m1 : tensor<64x64xf64>
  %m2 = linalg.matmul ins(%h1, %w : tensor<64x64xf64>, tensor<64x64xf64>)
      outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %h2 = math.tanh %m2 : tensor<64x64xf64>
  %m3 = linalg.matmul ins(%h2, %w : tensor<64x64xf64>, tensor<64x64xf64>)
      outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %h3 = math.tanh %m3 : tensor<64x64xf64>
  %m4 = linalg.matmul ins(%h3, %w : tensor<64x64xf64>, tensor<64x64xf64>)
      outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %h4 = math.tanh %m4 : tensor<64x64xf64>
  %m5 = linalg.matmul ins(%h4, %w : tensor<64x64xf64>, tensor<64x64xf64>)
      outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %h5 = math.tanh %m5 : tensor<64x64xf64>
  return %h5 : tensor<64x64xf64>
}
func.func @deep_gradient(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>, %dy: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %dw = rev.vjp @deep(%x, %w) cotangents(%dy) wrt [1]
      : (tensor<64x64xf64>, tensor<64x64xf64>, tensor<64x64xf64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}

// A loop without an inverse keeps checkpoints instead of tapes.
// CHECK-LABEL: func.func private @loop_vjp(
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (tensor<64x64xf64>, tensor<7x64x64xf64>, tensor<7xindex>, index, index)
// CHECK-NOT: tensor<20x64x64xf64>
// CHECK: return
func.func private @loop(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64>
    attributes {rev.storage_bytes = -1000000 : i64} {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant 20 : index
  %y = scf.for %i = %begin to %end step %step iter_args(%a = %x) -> tensor<64x64xf64> {
    %empty = tensor.empty() : tensor<64x64xf64>
    %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
    %t = linalg.matmul ins(%a, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    %s = math.tanh %t : tensor<64x64xf64>
    scf.yield %s : tensor<64x64xf64>
  }
  return %y : tensor<64x64xf64>
}
func.func @loop_gradient(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>, %dy: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %dw = rev.vjp @loop(%x, %w) cotangents(%dy) wrt [1]
      : (tensor<64x64xf64>, tensor<64x64xf64>, tensor<64x64xf64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}

// It keeps those that the program asks for.
// CHECK-LABEL: func.func private @asked_vjp(
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (tensor<64x64xf64>, tensor<20x64x64xf64>)
// CHECK-NOT: tensor<{{[0-9]+}}xindex>
// CHECK: return
func.func private @asked(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64>
    attributes {rev.storage_bytes = -1000000 : i64} {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant 20 : index
  %y = scf.for %i = %begin to %end step %step iter_args(%a = %x) -> tensor<64x64xf64> {
    %empty = tensor.empty() : tensor<64x64xf64>
    %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
    %t = linalg.matmul ins(%a, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    %s = math.tanh %t : tensor<64x64xf64>
    scf.yield %s : tensor<64x64xf64>
  } {rev.checkpoint = #rev.periodic<1>}
  return %y : tensor<64x64xf64>
}
func.func @asked_gradient(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>, %dy: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %dw = rev.vjp @asked(%x, %w) cotangents(%dy) wrt [1]
      : (tensor<64x64xf64>, tensor<64x64xf64>, tensor<64x64xf64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}

// With a drift tolerance the states of a loop are stored every few iterations,
// and each part is inverted from its own: (2^3 - 1) roundings are within it, one
// iteration more is not.
// CHECK-LABEL: func.func private @drifting_vjp(
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c4{{.*}} iter_args({{.*}}) -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<4x64x64xf32>, tensor<4x64x64xf32>)
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c3
// CHECK: scf.for %{{.*}} = %c0
// CHECK: tensor.extract_slice {{.*}} tensor<4x64x64xf32>
// CHECK: scf.for
// CHECK: arith.subf
func.func private @drifting(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {rev.drift_tolerance = 4.5e-7 : f64} {
  %zero = arith.constant 0.0 : f32
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant 12 : index
  %y:2 = scf.for %i = %begin to %end step %step iter_args(%a = %x, %b = %x)
      -> (tensor<64x64xf32>, tensor<64x64xf32>) {
    %a1 = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<64x64xf32>):
      %empty = tensor.empty() : tensor<64x64xf32>
      %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
      %t = linalg.matmul ins(%c, %w : tensor<64x64xf32>, tensor<64x64xf32>)
          outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
      %s = math.tanh %t : tensor<64x64xf32>
      rev.yield %s : tensor<64x64xf32>
    } : tensor<64x64xf32>, (tensor<64x64xf32>)
    scf.yield %b, %a1 : tensor<64x64xf32>, tensor<64x64xf32>
  } {rev.gain = 2.0 : f64}
  return %y#0 : tensor<64x64xf32>
}
func.func @drifting_gradient(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>, %dy: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %dw = rev.vjp @drifting(%x, %w) cotangents(%dy) wrt [1]
      : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %dw : tensor<64x64xf32>
}

// Of couplings in a row the state of every third one is kept: nothing is
// subtracted to have it back. The first one's state nobody needs.
// CHECK-LABEL: func.func private @row_vjp(
// CHECK-COUNT-5: rev.coupling
// COUNT-LABEL: func.func private @row_vjp(
// COUNT-COUNT-3: arith.subf %out
// COUNT-NOT: arith.subf %out
// COUNT: return
func.func private @row(%x: tensor<64x64xf32>, %z: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {rev.drift_tolerance = 1.3e-7 : f64} {
  %y0 = rev.coupling additive %x given(%z) attributes {rev.gain = 1.0 : f64} {
  ^bb0(%c: tensor<64x64xf32>):
    %empty = tensor.empty() : tensor<64x64xf32>
    %t = linalg.matmul ins(%c, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %s = math.tanh %t : tensor<64x64xf32>
    %u = linalg.matmul ins(%s, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %v = math.tanh %u : tensor<64x64xf32>
    rev.yield %v : tensor<64x64xf32>
  } : tensor<64x64xf32>, (tensor<64x64xf32>)
  %y1 = rev.coupling additive %z given(%y0) attributes {rev.gain = 1.0 : f64} {
  ^bb0(%c: tensor<64x64xf32>):
    %empty = tensor.empty() : tensor<64x64xf32>
    %t = linalg.matmul ins(%c, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %s = math.tanh %t : tensor<64x64xf32>
    %u = linalg.matmul ins(%s, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %v = math.tanh %u : tensor<64x64xf32>
    rev.yield %v : tensor<64x64xf32>
  } : tensor<64x64xf32>, (tensor<64x64xf32>)
  %y2 = rev.coupling additive %y0 given(%y1) attributes {rev.gain = 1.0 : f64} {
  ^bb0(%c: tensor<64x64xf32>):
    %empty = tensor.empty() : tensor<64x64xf32>
    %t = linalg.matmul ins(%c, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %s = math.tanh %t : tensor<64x64xf32>
    %u = linalg.matmul ins(%s, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %v = math.tanh %u : tensor<64x64xf32>
    rev.yield %v : tensor<64x64xf32>
  } : tensor<64x64xf32>, (tensor<64x64xf32>)
  %y3 = rev.coupling additive %y1 given(%y2) attributes {rev.gain = 1.0 : f64} {
  ^bb0(%c: tensor<64x64xf32>):
    %empty = tensor.empty() : tensor<64x64xf32>
    %t = linalg.matmul ins(%c, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %s = math.tanh %t : tensor<64x64xf32>
    %u = linalg.matmul ins(%s, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %v = math.tanh %u : tensor<64x64xf32>
    rev.yield %v : tensor<64x64xf32>
  } : tensor<64x64xf32>, (tensor<64x64xf32>)
  %y4 = rev.coupling additive %y2 given(%y3) attributes {rev.gain = 1.0 : f64} {
  ^bb0(%c: tensor<64x64xf32>):
    %empty = tensor.empty() : tensor<64x64xf32>
    %t = linalg.matmul ins(%c, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %s = math.tanh %t : tensor<64x64xf32>
    %u = linalg.matmul ins(%s, %w : tensor<64x64xf32>, tensor<64x64xf32>)
        outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
    %v = math.tanh %u : tensor<64x64xf32>
    rev.yield %v : tensor<64x64xf32>
  } : tensor<64x64xf32>, (tensor<64x64xf32>)
  return %y4 : tensor<64x64xf32>
}
func.func @row_gradient(%x: tensor<64x64xf32>, %z: tensor<64x64xf32>, %w: tensor<64x64xf32>, %dy: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %dw = rev.vjp @row(%x, %z, %w) cotangents(%dy) wrt [2]
      : (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %dw : tensor<64x64xf32>
}

// Of a long loop the choice is as quick: its iterations are stored by the
// thousandth.
// CHECK-LABEL: func.func private @long_vjp(
// CHECK: %[[MIDDLE:.*]] = arith.constant 1022000000 : index
// CHECK: scf.for %{{.*}} to %[[MIDDLE]]
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}} : tensor<64x64xf64> into tensor<2000000x64x64xf64>
func.func private @long(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64>
    attributes {rev.storage_bytes = 140000000000 : i64} {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %step = arith.constant 1 : index
  %end = arith.constant 1024000000 : index
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
    scf.yield %b, %a1 : tensor<64x64xf64>, tensor<64x64xf64>
  }
  return %y#0 : tensor<64x64xf64>
}
func.func @long_gradient(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>, %dy: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %dw = rev.vjp @long(%x, %w) cotangents(%dy) wrt [1]
      : (tensor<64x64xf64>, tensor<64x64xf64>, tensor<64x64xf64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}

// With less room some contractions of a coupling's function are evaluated twice in
// the backward part.
// CHECK-LABEL: func.func private @function_vjp(
// CHECK-COUNT-5: math.tanh
// CHECK: linalg.matmul {memrev.recomputed}
// CHECK: return
func.func private @function(%x: tensor<64x64xf64>, %z: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64>
    attributes {rev.storage_bytes = -1000000 : i64} {
  %y = rev.coupling additive %x given(%z) {
  ^bb0(%c: tensor<64x64xf64>):
    %zero = arith.constant 0.0 : f64
    %empty = tensor.empty() : tensor<64x64xf64>
    %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
    %m0 = linalg.matmul ins(%c, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    %h0 = math.tanh %m0 : tensor<64x64xf64>
    %m1 = linalg.matmul ins(%h0, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    %h1 = math.tanh %m1 : tensor<64x64xf64>
    %m2 = linalg.matmul ins(%h1, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    %h2 = math.tanh %m2 : tensor<64x64xf64>
    %m3 = linalg.matmul ins(%h2, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    %h3 = math.tanh %m3 : tensor<64x64xf64>
    %m4 = linalg.matmul ins(%h3, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    %h4 = math.tanh %m4 : tensor<64x64xf64>
    rev.yield %h4 : tensor<64x64xf64>
  } : tensor<64x64xf64>, (tensor<64x64xf64>)
  return %y : tensor<64x64xf64>
}
func.func @function_gradient(%x: tensor<64x64xf64>, %z: tensor<64x64xf64>, %w: tensor<64x64xf64>, %dy: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %dw = rev.vjp @function(%x, %z, %w) cotangents(%dy) wrt [2]
      : (tensor<64x64xf64>, tensor<64x64xf64>, tensor<64x64xf64>, tensor<64x64xf64>) -> tensor<64x64xf64>
  return %dw : tensor<64x64xf64>
}
