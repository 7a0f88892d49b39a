// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

func.func private @other_format(%x: f16) -> bf16 {
  // expected-error @below {{expects no bitcast between floats where a gradient flows, but got one from 'f16' to 'bf16'}}
  %y = arith.bitcast %x : f16 to bf16
  return %y : bf16
}
func.func @main(%x: f16, %dy: bf16) -> f16 {
  %0 = rev.vjp @other_format(%x) cotangents(%dy) : (f16, bf16) -> f16
  return %0 : f16
}

// -----

func.func private @other_format(%x: f16) -> bf16 {
  // expected-error @below {{expects no bitcast between floats where a tangent flows, but got one from 'f16' to 'bf16'}}
  %y = arith.bitcast %x : f16 to bf16
  return %y : bf16
}
func.func @main(%x: f16) -> bf16 {
  %y, %ty = rev.jvp @other_format(%x) tangents(%x) : (f16, f16) -> (bf16, bf16)
  return %ty : bf16
}

// -----

// The 4-bit operand could not hold a cotangent.
func.func private @quantised(%x: f4E2M1FN, %s: f8E8M0FNU) -> f32 {
  // expected-error @below {{expects operations with a derivative rule where a gradient flows, but 'arith.scaling_extf' has none}}
  %y = arith.scaling_extf %x, %s : f4E2M1FN, f8E8M0FNU to f32
  return %y : f32
}
func.func @main(%x: f4E2M1FN, %s: f8E8M0FNU, %dy: f32) -> f4E2M1FN {
  %0 = rev.vjp @quantised(%x, %s) cotangents(%dy) wrt [0] : (f4E2M1FN, f8E8M0FNU, f32) -> f4E2M1FN
  return %0 : f4E2M1FN
}
