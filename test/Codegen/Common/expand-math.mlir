// RUN: memrev-opt %s --codegen-expand-math | FileCheck %s

// Between its bounds: the smaller of the upper one and what is raised to the
// lower one.
// CHECK-LABEL: func.func @clamp
// CHECK-SAME: %[[X:.*]]: vector<4xf32>, %[[LOW:.*]]: vector<4xf32>, %[[HIGH:.*]]: vector<4xf32>
// CHECK: %[[RAISED:.*]] = arith.maximumf %[[X]], %[[LOW]]
// CHECK: arith.minimumf %[[RAISED]], %[[HIGH]]
func.func @clamp(%x: vector<4xf32>, %low: vector<4xf32>, %high: vector<4xf32>) -> vector<4xf32> {
  %0 = math.clampf %x to [%low, %high] : vector<4xf32>
  return %0 : vector<4xf32>
}

// CHECK-LABEL: func.func @sincos
// CHECK: %[[SIN:.*]] = math.sin
// CHECK: %[[COS:.*]] = math.cos
// CHECK: return %[[SIN]], %[[COS]]
func.func @sincos(%x: vector<4xf32>) -> (vector<4xf32>, vector<4xf32>) {
  %0, %1 = math.sincos %x : vector<4xf32>
  return %0, %1 : vector<4xf32>, vector<4xf32>
}

// CHECK-LABEL: func.func @classification
// CHECK-SAME: %[[X:.*]]: f32
// CHECK: %[[A:.*]] = math.absf %[[X]]
// CHECK: %[[INF:.*]] = arith.constant 0x7F800000 : f32
// CHECK: %[[ISINF:.*]] = arith.cmpf oeq, %[[A]], %[[INF]]
// CHECK: %[[B:.*]] = math.absf %[[X]]
// CHECK: %[[LARGE:.*]] = arith.cmpf oge, %[[B]], %{{.*}}
// CHECK: %[[FINITE:.*]] = arith.cmpf olt, %[[B]], %{{.*}}
// CHECK: %[[NORMAL:.*]] = arith.andi %[[LARGE]], %[[FINITE]]
// CHECK: return %[[ISINF]], %[[NORMAL]]
func.func @classification(%x: f32) -> (i1, i1) {
  %0 = math.isinf %x : f32
  %1 = math.isnormal %x : f32
  return %0, %1 : i1, i1
}
