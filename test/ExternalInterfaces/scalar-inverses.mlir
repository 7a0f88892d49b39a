// RUN: memrev-opt %s -rev-differentiate -split-input-file | FileCheck %s

// What is added to a product comes back to the bit, a factor by the other one.
// CHECK-LABEL: func.func private @fused_inverse(
// CHECK-SAME:    %[[Y:.*]]: f32, %[[P:.*]]: f32)
// CHECK:         %[[TWO:.*]] = arith.constant 2.0
// CHECK:         %[[D:.*]] = arith.subf %[[Y]], %[[P]]
// CHECK:         %[[A:.*]] = arith.divf %[[D]], %[[TWO]]
// CHECK:         %[[N:.*]] = arith.negf %[[P]]
// CHECK:         %[[X:.*]] = math.fma %[[N]], %[[P]], %[[A]]
// CHECK:         return %[[X]]
func.func private @fused(%x: f32, %p: f32) -> f32 {
  %two = arith.constant 2.0 : f32
  %a = math.fma %p, %p, %x : f32
  %y = math.fma %two, %a, %p : f32
  return %y : f32
}

// CHECK-LABEL: func.func private @wide_inverse(
// CHECK-SAME:    %[[Y:.*]]: tensor<4xf64>)
// CHECK:         %[[E:.*]] = math.atanh %[[Y]]
// CHECK:         %[[X:.*]] = arith.truncf %[[E]] : tensor<4xf64> to tensor<4xf16>
// CHECK:         return %[[X]]
func.func private @wide(%x: tensor<4xf16>) -> tensor<4xf64> {
  %e = arith.extf %x : tensor<4xf16> to tensor<4xf64>
  %y = math.tanh %e : tensor<4xf64>
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func.func private @bits_inverse(
// CHECK-SAME:    %[[Y:.*]]: i64, %[[K:.*]]: i64)
// CHECK:         %[[A:.*]] = arith.xori %[[Y]], %[[K]]
// CHECK:         %[[B:.*]] = arith.trunci %[[A]] : i64 to i48
// CHECK:         %[[C:.*]] = arith.trunci %[[B]] : i48 to i32
// CHECK:         %[[X:.*]] = arith.bitcast %[[C]] : i32 to f32
// CHECK:         return %[[X]]
func.func private @bits(%x: f32, %k: i64) -> i64 {
  %a = arith.bitcast %x : f32 to i32
  %b = arith.extui %a : i32 to i48
  %c = arith.extsi %b : i48 to i64
  %y = arith.xori %k, %c : i64
  return %y : i64
}
func.func @main(%y: f32, %z: tensor<4xf64>, %b: i64) -> (f32, tensor<4xf16>, f32) {
  %0 = rev.inverse @fused(%y, %y) wrt [0] : (f32, f32) -> f32
  %1 = rev.inverse @wide(%z) : (tensor<4xf64>) -> tensor<4xf16>
  %2 = rev.inverse @bits(%b, %b) wrt [0] : (i64, i64) -> f32
  return %0, %1, %2 : f32, tensor<4xf16>, f32
}

// -----

// A sum that is not zero has a quotient, a number and its parts each other.
// CHECK-LABEL: func.func private @complex_inverse(
// CHECK-SAME:    %[[R:.*]]: f32, %[[I:.*]]: f32, %[[P:.*]]: complex<f32>)
// CHECK:         %[[Y:.*]] = complex.create %[[R]], %[[I]]
// CHECK:         %[[A:.*]] = complex.add %[[Y]], %[[P]]
// CHECK:         %[[E:.*]] = complex.exp %[[P]]
// CHECK:         %[[B:.*]] = complex.div %[[A]], %[[E]]
// CHECK:         %[[C:.*]] = complex.sub %[[P]], %[[B]]
// CHECK:         %[[D:.*]] = complex.conj %[[C]]
// CHECK:         %[[S:.*]] = complex.mul %[[D]], %[[D]]
// CHECK-DAG:     complex.re %[[S]]
// CHECK-DAG:     complex.im %[[S]]
func.func private @complex(%re: f32, %im: f32, %p: complex<f32>) -> (f32, f32) {
  %e = complex.exp %p : complex<f32>
  %z = complex.create %re, %im : complex<f32>
  %s = complex.sqrt %z : complex<f32>
  %d = complex.conj %s : complex<f32>
  %c = complex.sub %p, %d : complex<f32>
  %b = complex.mul %c, %e : complex<f32>
  %a = complex.sub %b, %p : complex<f32>
  %yr = complex.re %a : complex<f32>
  %yi = complex.im %a : complex<f32>
  return %yr, %yi : f32, f32
}
func.func @main(%y: f32, %p: complex<f32>) -> (f32, f32) {
  %0:2 = rev.inverse @complex(%y, %y, %p) wrt [0, 1] : (f32, f32, complex<f32>) -> (f32, f32)
  return %0#0, %0#1 : f32, f32
}
