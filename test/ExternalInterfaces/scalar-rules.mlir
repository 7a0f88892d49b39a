// RUN: memrev-opt %s -rev-differentiate -split-input-file | FileCheck %s

// A quotient reads its result rather than the square of the denominator.
// CHECK-LABEL: func.func private @quotient_vjp
// CHECK-SAME: (%[[A:.*]]: f32, %[[B:.*]]: f32, %[[DY:.*]]: f32)
// CHECK: %[[Y:.*]] = arith.divf %[[A]], %[[B]]
// CHECK: %[[DA:.*]] = arith.divf %[[DY]], %[[B]]
// CHECK: %[[D:.*]] = arith.divf %[[DY]], %[[B]]
// CHECK: %[[M:.*]] = arith.mulf %[[D]], %[[Y]]
// CHECK: %[[DB:.*]] = arith.negf %[[M]]
// CHECK: return %[[DA]], %[[DB]]
func.func private @quotient(%a: f32, %b: f32) -> f32 {
  %y = arith.divf %a, %b : f32
  return %y : f32
}
func.func @main(%a: f32, %b: f32, %dy: f32) -> (f32, f32) {
  %0:2 = rev.vjp @quotient(%a, %b) cotangents(%dy) : (f32, f32, f32) -> (f32, f32)
  return %0#0, %0#1 : f32, f32
}

// -----

// Against a constant a tie gives nothing: the derivative of a relu.
// CHECK-LABEL: func.func private @relu_vjp
// CHECK-SAME: (%[[X:.*]]: f32, %[[DY:.*]]: f32)
// CHECK-NOT: oeq
// CHECK: %[[WINS:.*]] = arith.cmpf ogt, %[[X]], %{{.*}}
// CHECK: %[[DX:.*]] = arith.select %[[WINS]], %[[DY]], %{{.*}}
// CHECK: return %[[DX]]
func.func private @relu(%x: f32) -> f32 {
  %zero = arith.constant 0.0 : f32
  %y = arith.maximumf %x, %zero : f32
  return %y : f32
}
func.func @main(%x: f32, %dy: f32) -> f32 {
  %0 = rev.vjp @relu(%x) cotangents(%dy) : (f32, f32) -> f32
  return %0 : f32
}

// -----

// A relu's result is positive where its operand is, and is kept for the product.
// CHECK-LABEL: func.func private @scaled_relu_vjp
// CHECK: %[[Y:.*]] = arith.maximumf
// CHECK: %[[DW:.*]] = arith.mulf %{{.*}}, %[[Y]]
// CHECK: %[[WINS:.*]] = arith.cmpf ogt, %[[Y]], %{{.*}}
// CHECK: arith.select %[[WINS]]
func.func private @scaled_relu(%x: f32, %w: f32) -> f32 {
  %zero = arith.constant 0.0 : f32
  %n = arith.negf %x : f32
  %r = arith.maximumf %n, %zero : f32
  %y = arith.mulf %r, %w : f32
  return %y : f32
}
func.func @main(%x: f32, %w: f32, %dy: f32) -> (f32, f32) {
  %0:2 = rev.vjp @scaled_relu(%x, %w) cotangents(%dy) : (f32, f32, f32) -> (f32, f32)
  return %0#0, %0#1 : f32, f32
}

// -----

// Two differentiated operands share the contribution where they tie.
// CHECK-LABEL: func.func private @larger_vjp
// CHECK-SAME: (%[[A:.*]]: f32, %[[B:.*]]: f32, %[[DY:.*]]: f32)
// CHECK: %[[TIE:.*]] = arith.cmpf oeq, %[[A]], %[[B]]
// CHECK: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK: %[[SHARE:.*]] = arith.mulf %[[DY]], %[[HALF]]
// CHECK: arith.cmpf ogt, %[[A]], %[[B]]
// CHECK: arith.select %[[TIE]], %[[SHARE]]
func.func private @larger(%a: f32, %b: f32) -> f32 {
  %y = arith.maximumf %a, %b : f32
  return %y : f32
}
func.func @main(%a: f32, %b: f32, %dy: f32) -> (f32, f32) {
  %0:2 = rev.vjp @larger(%a, %b) cotangents(%dy) : (f32, f32, f32) -> (f32, f32)
  return %0#0, %0#1 : f32, f32
}

// -----

// What selects between tensors may be one bit.
// CHECK-LABEL: func.func private @choice_vjp
// CHECK-SAME: (%{{.*}}: tensor<?xf32>, %{{.*}}: tensor<?xf32>, %[[C:.*]]: i1, %[[DY:.*]]: tensor<?xf32>)
// CHECK: %[[SIZE:.*]] = tensor.dim %[[DY]]
// CHECK: %[[ZERO:.*]] = tensor.splat %{{.*}}[%[[SIZE]]]
// CHECK: %[[DA:.*]] = arith.select %[[C]], %[[DY]], %[[ZERO]] : tensor<?xf32>
// CHECK: %[[DB:.*]] = arith.select %[[C]], %{{.*}}, %[[DY]] : tensor<?xf32>
// CHECK: return %[[DA]], %[[DB]]
func.func private @choice(%a: tensor<?xf32>, %b: tensor<?xf32>, %c: i1) -> tensor<?xf32> {
  %y = arith.select %c, %a, %b : tensor<?xf32>
  return %y : tensor<?xf32>
}
func.func @main(%a: tensor<?xf32>, %b: tensor<?xf32>, %c: i1, %dy: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
  %0:2 = rev.vjp @choice(%a, %b, %c) cotangents(%dy)
      : (tensor<?xf32>, tensor<?xf32>, i1, tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>)
  return %0#0, %0#1 : tensor<?xf32>, tensor<?xf32>
}

// -----

// A cotangent has the type of the operand, a tangent that of the result.
// CHECK-LABEL: func.func private @wide_jvp
// CHECK-SAME: (%[[X:.*]]: f16, %[[TX:.*]]: f16)
// CHECK: %[[Y:.*]] = arith.extf %[[X]] : f16 to f32
// CHECK: %[[TY:.*]] = arith.extf %[[TX]] : f16 to f32
// CHECK: return %[[Y]], %[[TY]]
func.func private @wide(%x: f16) -> f32 {
  %y = arith.extf %x : f16 to f32
  return %y : f32
}
func.func @main(%x: f16, %tx: f16) -> f32 {
  %y, %ty = rev.jvp @wide(%x) tangents(%tx) : (f16, f16) -> (f32, f32)
  return %ty : f32
}

// -----

// CHECK-LABEL: func.func private @wide_vjp
// CHECK-SAME: (%{{.*}}: f16, %[[DY:.*]]: f32)
// CHECK: %[[DX:.*]] = arith.truncf %[[DY]] : f32 to f16
// CHECK: return %[[DX]]
func.func private @wide(%x: f16) -> f32 {
  %y = arith.extf %x : f16 to f32
  return %y : f32
}
func.func @main(%x: f16, %dy: f32) -> f16 {
  %0 = rev.vjp @wide(%x) cotangents(%dy) : (f16, f32) -> f16
  return %0 : f16
}

// -----

// CHECK-LABEL: func.func private @narrow_jvp
// CHECK-SAME: (%{{.*}}: tensor<4xf32>, %[[TX:.*]]: tensor<4xf32>)
// CHECK: arith.truncf %[[TX]] : tensor<4xf32> to tensor<4xbf16>
func.func private @narrow(%x: tensor<4xf32>) -> tensor<4xbf16> {
  %y = arith.truncf %x : tensor<4xf32> to tensor<4xbf16>
  return %y : tensor<4xbf16>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xbf16> {
  %y, %ty = rev.jvp @narrow(%x) tangents(%x) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xbf16>, tensor<4xbf16>)
  return %ty : tensor<4xbf16>
}

// -----

// CHECK-LABEL: func.func private @narrow_vjp
// CHECK-SAME: (%{{.*}}: tensor<4xf32>, %[[DY:.*]]: tensor<4xbf16>)
// CHECK: arith.extf %[[DY]] : tensor<4xbf16> to tensor<4xf32>
func.func private @narrow(%x: tensor<4xf32>) -> tensor<4xbf16> {
  %y = arith.truncf %x : tensor<4xf32> to tensor<4xbf16>
  return %y : tensor<4xbf16>
}
func.func @main(%x: tensor<4xf32>, %dy: tensor<4xbf16>) -> tensor<4xf32> {
  %0 = rev.vjp @narrow(%x) cotangents(%dy) : (tensor<4xf32>, tensor<4xbf16>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Only the result that has a cotangent contributes.
// CHECK-LABEL: func.func private @cosine_vjp
// CHECK-SAME: (%[[X:.*]]: f64, %[[DY:.*]]: f64)
// CHECK: %[[SIN:.*]], %{{.*}} = math.sincos %[[X]]
// CHECK: %[[M:.*]] = arith.mulf %[[DY]], %[[SIN]]
// CHECK: %[[DX:.*]] = arith.negf %[[M]]
// CHECK: return %[[DX]]
func.func private @cosine(%x: f64) -> (f64, f64) {
  %s, %c = math.sincos %x : f64
  return %s, %c : f64, f64
}
func.func @main(%x: f64, %dy: f64) -> f64 {
  %0 = rev.vjp @cosine(%x) cotangents(%dy) of [1] : (f64, f64) -> f64
  return %0 : f64
}

// -----

// An integer takes no derivative, and the power of zero lowers to zero.
// CHECK-LABEL: func.func private @power_vjp
// CHECK-SAME: (%[[X:.*]]: f32, %[[N:.*]]: i16, %[[DY:.*]]: f32)
// CHECK: %[[F:.*]] = arith.sitofp %[[N]] : i16 to f32
// CHECK: %[[WIDE:.*]] = arith.extsi %[[N]] : i16 to i32
// CHECK: %[[LESS:.*]] = arith.subi %[[WIDE]]
// CHECK: %[[LOWER:.*]] = arith.select %{{.*}}, %[[WIDE]], %[[LESS]]
// CHECK: %[[P:.*]] = math.fpowi %[[X]], %[[LOWER]] : f32, i32
// CHECK: %[[D:.*]] = arith.mulf %[[F]], %[[P]]
// CHECK: arith.mulf %[[DY]], %[[D]]
func.func private @power(%x: f32, %n: i16) -> f32 {
  %y = math.fpowi %x, %n : f32, i16
  return %y : f32
}
func.func @main(%x: f32, %n: i16, %dy: f32) -> f32 {
  %0 = rev.vjp @power(%x, %n) cotangents(%dy) : (f32, i16, f32) -> f32
  return %0 : f32
}

// -----

// Code that takes a float apart stops the derivative.
// CHECK-LABEL: func.func private @exponent_vjp
// CHECK-SAME: (%{{.*}}: f32, %[[DY:.*]]: f32)
// CHECK: return %[[DY]]
func.func private @exponent(%x: f32) -> f32 {
  %mask = arith.constant 2139095040 : i32
  %bits = arith.bitcast %x : f32 to i32
  %masked = arith.andi %bits, %mask : i32
  %power = arith.bitcast %masked : i32 to f32
  %floor = math.floor %x : f32
  %rest = arith.addf %power, %floor : f32
  %y = arith.addf %x, %rest : f32
  return %y : f32
}
func.func @main(%x: f32, %dy: f32) -> f32 {
  %0 = rev.vjp @exponent(%x) cotangents(%dy) : (f32, f32) -> f32
  return %0 : f32
}
