// RUN: memrev-opt %s --split-input-file --rev-invert="function=f wrt=1" --verify-diagnostics

// expected-error@+1 {{expects option 'function' to name a function, but got 'f'}}
module {}

// -----

// expected-error@+1 {{expects option 'wrt' to hold distinct numbers of arguments below 1, but got 1}}
func.func @f(%x: f32) -> f32 {
  return %x : f32
}

// -----

// expected-error@+1 {{expects a function with a body of one block}}
func.func private @f(%x: f32, %s: f32) -> f32

// -----

// expected-note@+2 {{function defined here}}
// expected-error@+1 {{expects a function with a body of one block where 'rev.inverse' gives other arguments back, but '@f' has 0}}
func.func private @f(%x: f32, %s: f32) -> f32 attributes {rev.inverse = @g}
func.func private @g(%y: f32, %s: f32) -> f32

// -----

// expected-error@+1 {{expects 'rev.inverse' to name functions, but got '@missing'}}
func.func private @f(%x: f32, %s: f32) -> f32 attributes {rev.inverse = @missing}

// -----

// expected-error@+1 {{expects 'rev.inverse' to name functions that fit, but '@g' has results ('f64') instead of ('f32')}}
func.func private @f(%x: f32, %s: f32) -> f32 attributes {rev.inverse = @g}
// expected-note@+1 {{function defined here}}
func.func private @g(%y: f32, %s: f32) -> f64

// -----

// expected-error@+1 {{expects 'rev.inverse' to name functions that fit, but '@g' has arguments ('f32') instead of ('f32', 'f32')}}
func.func private @f(%x: f32, %s: f32) -> f32 attributes {rev.inverse = @g}
// expected-note@+1 {{function defined here}}
func.func private @g(%y: f32) -> f32

// -----

// Side results are returned, and not taken.
// expected-error@+1 {{expects 'rev.inverse' to name functions that fit, but '@g' has results ('f32') instead of ('f32', 'i32')}}
func.func private @f(%x: f32, %s: f32) -> (f32, i32) attributes {rev.inverse = @g, rev.side_results = 1 : i64}
// expected-note@+1 {{function defined here}}
func.func private @g(%y: f32, %s: f32) -> f32

// -----

// expected-error@+1 {{expects 'rev.inverse' to name functions that fit, but '@g' has arguments ('f32', 'i32', 'f32') instead of ('f32', 'f32')}}
func.func private @f(%x: f32, %s: f32) -> (f32, i32) attributes {rev.inverse = @g, rev.side_results = 1 : i64}
// expected-note@+1 {{function defined here}}
func.func private @g(%y: f32, %n: i32, %s: f32) -> (f32, i32)

// -----

// expected-error@+1 {{expects 'rev.side_results' to be below the number of results 2, but got 2}}
func.func private @f(%x: f32, %s: f32) -> (f32, i32) attributes {rev.inverse = @g, rev.side_results = 2 : i64}
func.func private @g(%y: f32, %s: f32) -> (f32, i32)

// -----

// expected-error@+1 {{expects 'rev.inverse' on a function}}
module attributes {rev.inverse = @g} {}

// -----

// expected-error@+1 {{expects 'rev.inverse' to be the name of a function, but got 1 : i64}}
func.func private @f(%x: f32, %s: f32) -> f32 attributes {rev.inverse = 1 : i64}

// -----

// The error is that of the transform.

// expected-error@+1 {{expects a function whose inverse gives argument 1 back, but no inverse edge reaches it}}
func.func @f(%x: f32, %s: f32) -> f32 { // expected-note {{function defined here}}
  // expected-note@+1 {{has no inverse edge for argument 1}}
  %y = arith.mulf %x, %s : f32
  return %y : f32
}
