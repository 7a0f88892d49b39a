// RUN: memrev-opt %s -codegen-math-to-libm=vector-bits=512 | FileCheck %s
// RUN: memrev-opt %s -codegen-math-to-libm=vector-bits=256 | FileCheck %s --check-prefix=AVX2

// CHECK-LABEL: func.func @wide
// CHECK: call @_ZGVeN16v_expf(%{{.*}}) : (vector<16xf32>) -> vector<16xf32>
// AVX2-LABEL: func.func @wide
// AVX2-COUNT-2: call @_ZGVdN8v_expf
func.func @wide(%x: vector<16xf32>) -> vector<16xf32> {
  %0 = math.exp %x : vector<16xf32>
  return %0 : vector<16xf32>
}

// Any rank and length: pieces of the widths there are, the rest one by one.
// CHECK-LABEL: func.func @pieces
// CHECK: vector.shape_cast %{{.*}} : vector<1x23xf64> to vector<23xf64>
// CHECK-COUNT-2: call @_ZGVeN8v_tanh
// CHECK: call @_ZGVdN4v_tanh
// CHECK: call @_ZGVbN2v_tanh
// CHECK: call @tanh
// CHECK: vector.shape_cast %{{.*}} : vector<23xf64> to vector<1x23xf64>
func.func @pieces(%x: vector<1x23xf64>) -> vector<1x23xf64> {
  %0 = math.tanh %x : vector<1x23xf64>
  return %0 : vector<1x23xf64>
}

// CHECK-LABEL: func.func @scalar
// CHECK: call @log1pf(%{{.*}}) : (f32) -> f32
// CHECK: call @pow(%{{.*}}, %{{.*}}) : (f64, f64) -> f64
func.func @scalar(%x: f32, %y: f64) -> (f32, f64) {
  %0 = math.log1p %x : f32
  %1 = math.powf %y, %y : f64
  return %0, %1 : f32, f64
}

// What is one instruction stays.
// CHECK-LABEL: func.func @instruction
// CHECK: math.sqrt
func.func @instruction(%x: vector<16xf32>) -> vector<16xf32> {
  %0 = math.sqrt %x : vector<16xf32>
  return %0 : vector<16xf32>
}

// CHECK: func.func private @_ZGVeN16v_expf(vector<16xf32>) -> vector<16xf32> attributes {llvm.readnone}
