// RUN: memrev-opt %s -codegen-math-to-libm=vector-bits=512 | FileCheck %s
// RUN: memrev-opt %s -codegen-math-to-libm=vector-bits=256 | FileCheck %s --check-prefix=AVX2
// RUN: memrev-opt %s -codegen-math-to-libm=vector-bits=0 | FileCheck %s --check-prefix=LIBM

// CHECK-LABEL: func.func @wide
// CHECK: call @_ZGVeN16v_expf(%{{.*}}) : (vector<16xf32>) -> vector<16xf32>
// AVX2-LABEL: func.func @wide
// AVX2-COUNT-2: call @_ZGVdN8v_expf
func.func @wide(%x: vector<16xf32>) -> vector<16xf32> {
  %0 = math.exp %x : vector<16xf32>
  return %0 : vector<16xf32>
}

// Any rank and length: calls of one width, the last of them filled up.
// CHECK-LABEL: func.func @pieces
// CHECK: %[[FLAT:.*]] = vector.shape_cast %{{.*}} : vector<1x23xf64> to vector<23xf64>
// CHECK-COUNT-2: call @_ZGVeN8v_tanh
// CHECK: %[[REST:.*]] = vector.shuffle %[[FLAT]], %[[FLAT]] [16, 17, 18, 19, 20, 21, 22, 16] : vector<23xf64>, vector<23xf64>
// CHECK: %[[FOUND:.*]] = call @_ZGVeN8v_tanh(%[[REST]])
// CHECK: vector.extract_strided_slice %[[FOUND]] {offsets = [0], sizes = [7], strides = [1]}
// CHECK: vector.shape_cast %{{.*}} : vector<23xf64> to vector<1x23xf64>
func.func @pieces(%x: vector<1x23xf64>) -> vector<1x23xf64> {
  %0 = math.tanh %x : vector<1x23xf64>
  return %0 : vector<1x23xf64>
}

// CHECK-LABEL: func.func @scalar
// CHECK: %[[X:.*]] = vector.broadcast %{{.*}} : f32 to vector<16xf32>
// CHECK: %[[LOG:.*]] = call @_ZGVeN16v_log1pf(%[[X]])
// CHECK: vector.extract %[[LOG]][0]
// CHECK: call @_ZGVeN8vv_pow(%{{.*}}, %{{.*}}) : (vector<8xf64>, vector<8xf64>) -> vector<8xf64>
// LIBM-LABEL: func.func @scalar
// LIBM: call @log1pf(%{{.*}}) : (f32) -> f32
// LIBM: call @pow(%{{.*}}, %{{.*}}) : (f64, f64) -> f64
func.func @scalar(%x: f32, %y: f64) -> (f32, f64) {
  %0 = math.log1p %x : f32
  %1 = math.powf %y, %y : f64
  return %0, %1 : f32, f64
}

// LIBM-LABEL: func.func @without_registers
// LIBM-COUNT-2: call @sinf
func.func @without_registers(%x: vector<2xf32>) -> vector<2xf32> {
  %0 = math.sin %x : vector<2xf32>
  return %0 : vector<2xf32>
}

// What is one instruction stays.
// CHECK-LABEL: func.func @instruction
// CHECK: math.sqrt
func.func @instruction(%x: vector<16xf32>) -> vector<16xf32> {
  %0 = math.sqrt %x : vector<16xf32>
  return %0 : vector<16xf32>
}

// CHECK: func.func private @_ZGVeN16v_expf(vector<16xf32>) -> vector<16xf32> attributes {llvm.readnone}
