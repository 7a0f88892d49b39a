// RUN: memrev-opt %s -split-input-file -verify-diagnostics | memrev-opt -split-input-file -verify-diagnostics | FileCheck %s
// RUN: memrev-opt %s -split-input-file -verify-diagnostics -convert-rev-to-linalg | FileCheck %s --check-prefix=LOWER

// CHECK-LABEL: func.func @forms
// CHECK: rev.fixed_point %{{.*}} fraction = 12 : tensor<?xf32>
// CHECK: rev.fixed_point %{{.*}} fraction = 10 checked : f16
// LOWER-LABEL: func.func @forms
// LOWER:       linalg.generic
// LOWER:         %[[SCALED:.*]] = arith.mulf %{{.*}}, %{{.*}} : f32
// LOWER:         %[[WHOLE:.*]] = math.roundeven %[[SCALED]]
// LOWER:         %[[SIZE:.*]] = math.absf %[[WHOLE]]
// LOWER:         %[[FITS:.*]] = arith.cmpf ole, %[[SIZE]], %{{.*}} : f32
// LOWER:         %[[BACK:.*]] = arith.mulf %[[WHOLE]]
// LOWER:         arith.select %[[FITS]], %[[BACK]], %{{.*}} : f32
// LOWER:       arith.cmpf oeq
// LOWER-NOT:   rev.
func.func @forms(%x: tensor<?xf32>, %y: f16) -> (tensor<?xf32>, f16) {
  %0 = rev.fixed_point %x fraction = 12 : tensor<?xf32>
  %1 = rev.fixed_point %y fraction = 10 checked : f16
  return %0, %1 : tensor<?xf32>, f16
}

// CHECK-LABEL: func.func @coupling
// CHECK: rev.coupling additive<fraction = 20>
// CHECK: rev.coupling inverse_of<additive<fraction = 20>>
// LOWER-LABEL: func.func @coupling
// LOWER-COUNT-4: math.roundeven
// LOWER-NOT: rev.
func.func @coupling(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %y = rev.coupling additive<fraction = 20> %x given(%t) {
  ^bb0(%a: tensor<4xf32>):
    rev.yield %a : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  %z = rev.coupling inverse_of<additive<fraction = 20>> %y given(%t) {
  ^bb0(%a: tensor<4xf32>):
    rev.yield %a : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %z : tensor<4xf32>
}

// -----

func.func @too_fine(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  // expected-error @below {{'rev.fixed_point' op expects a fraction of 0 to 7 bits for 'bf16', but got 8}}
  %0 = rev.fixed_point %x fraction = 8 : tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// -----

func.func @negative(%x: f64) -> f64 {
  // expected-error @below {{'rev.fixed_point' op expects a fraction of 0 to 52 bits for 'f64', but got -1}}
  %0 = rev.fixed_point %x fraction = -1 : f64
  return %0 : f64
}

// -----

func.func @too_fine_coupling(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'rev.coupling' op expects a fraction of 0 to 23 bits for 'f32', but got 24}}
  %y = rev.coupling inverse_of<additive<fraction = 24>> %x given(%t) {
  ^bb0(%a: tensor<4xf32>):
    rev.yield %a : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}
