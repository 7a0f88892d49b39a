// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

// expected-error@+1 {{expects 'rev.custom_vjp' on a function}}
module attributes {rev.custom_vjp = 1 : i64} {}

// -----

// expected-error@+1 {{expects 'rev.custom_vjp' to be a #rev.custom_vjp, but got @g}}
func.func private @f(%x: f64) -> f64 attributes {rev.custom_vjp = @g}

// -----

// expected-error@+1 {{expects 'rev.custom_jvp' to be the name of a function, but got 1 : i64}}
func.func private @f(%x: f64) -> f64 attributes {rev.custom_jvp = 1 : i64}

// -----

// expected-error@+1 {{expects 'rev.custom_vjp' to name functions, but got '@missing'}}
func.func private @f(%x: f64) -> f64 attributes {
    rev.custom_vjp = #rev.custom_vjp<forward = @missing, backward = @missing>}
func.func @vjp(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @f(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// -----

// expected-error@+1 {{expects 'rev.custom_vjp' to name functions that fit, but '@bwd' has arguments ('f64') instead of ('f32', 'f64')}}
func.func private @f(%x: f64) -> f64 attributes {
    rev.custom_vjp = #rev.custom_vjp<forward = @fwd, backward = @bwd>}
func.func private @fwd(%x: f64) -> (f64, f32)
// expected-note@+1 {{function defined here}}
func.func private @bwd(%c: f64) -> f64
func.func @vjp(%x: f64, %c: f64) -> f64 {
  %0 = rev.vjp @f(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// -----

// expected-note@+1 {{function defined here}}
func.func private @f(%x: f64) -> f64 attributes {rev.custom_jvp = @g}
func.func private @g(%x: f64, %t: f64) -> (f64, f64)
func.func @vjp(%x: f64, %c: f64) -> f64 {
  // expected-error@+1 {{expects a function with 'rev.custom_vjp' where a gradient flows, but '@f' has 'rev.custom_jvp' alone}}
  %0 = rev.vjp @f(%x) cotangents(%c) : (f64, f64) -> f64
  return %0 : f64
}

// -----

// expected-note@+1 {{function defined here}}
func.func private @f(%x: f64) -> f64 attributes {
    rev.custom_vjp = #rev.custom_vjp<forward = @fwd, backward = @bwd>}
func.func private @fwd(%x: f64) -> (f64, f32)
func.func private @bwd(%r: f32, %c: f64) -> f64
func.func @jvp(%x: f64, %c: f64) -> f64 {
  // expected-error@+1 {{expects a function with 'rev.custom_jvp' where a tangent flows, but '@f' has 'rev.custom_vjp' alone}}
  %0:2 = rev.jvp @f(%x) tangents(%c) : (f64, f64) -> (f64, f64)
  return %0#1 : f64
}

// -----

// expected-error@+1 {{expects 'rev.custom_jvp' to name functions that fit, but '@g' has results ('f64') instead of ('f64', 'f64')}}
func.func private @f(%x: f64) -> f64 attributes {rev.custom_jvp = @g}
// expected-note@+1 {{function defined here}}
func.func private @g(%x: f64, %t: f64) -> f64
func.func @jvp(%x: f64, %c: f64) -> f64 {
  %0:2 = rev.jvp @f(%x) tangents(%c) : (f64, f64) -> (f64, f64)
  return %0#1 : f64
}
