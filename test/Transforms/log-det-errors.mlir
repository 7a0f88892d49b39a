// RUN: memrev-opt %s --rev-differentiate --split-input-file --verify-diagnostics

func.func private @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> { // expected-note {{function defined here}}
  // expected-note @below {{'math.sin' at }}
  %y = math.sin %x : tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
func.func @unreached(%x: tensor<3x4xf32>) {
  // expected-error @below {{expects a function with a log-determinant, but no inverse edge reaches its argument 0}}
  %y:2 = rev.log_det @f(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func private @f(%x: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) { // expected-note {{function defined here}}
  %y = math.exp %x : tensor<3x4xf32>
  return %y, %x : tensor<3x4xf32>, tensor<3x4xf32>
}
func.func @not_square(%x: tensor<3x4xf32>) {
  // expected-error @below {{expects results 'of' with as many elements as the arguments 'wrt' of a log-determinant, types 'tensor<3x4xf32>', but got 'tensor<3x4xf32>', 'tensor<3x4xf32>'}}
  %y:3 = rev.log_det @f(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func private @f(%x: tensor<3x4xf32>) -> tensor<12xf32> {
  // expected-error @below {{expects operations that keep samples apart on the way of a log-determinant, but 'tensor.collapse_shape' has a result of type 'tensor<12xf32>' without a dimension that numbers them}}
  %y = tensor.collapse_shape %x [[0, 1]] : tensor<3x4xf32> into tensor<12xf32>
  return %y : tensor<12xf32>
}
func.func @mixed(%x: tensor<3x4xf32>) {
  %y:2 = rev.log_det @f(%x) : (tensor<3x4xf32>) -> (tensor<12xf32>, tensor<3xf32>)
  return
}

// -----

func.func private @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  // expected-error @below {{expects operations with a log-determinant on the way from the arguments to the results, but 'rev.fixed_point' has none}}
  %y = rev.fixed_point %x fraction = 4 checked : tensor<3x4xf32>
  %z = math.exp %y : tensor<3x4xf32>
  return %z : tensor<3x4xf32>
}
func.func @no_rule(%x: tensor<3x4xf32>) {
  %y:2 = rev.log_det @f(%x) of [0] : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func private @f(%x: tensor<3x4xf32>, %w: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<4xf32>) {
  // expected-error @below {{expects a log-determinant of samples in dimension 0, but got 'batch_dim' 1}}
  %y, %ld = rev.coupling affine<exp> %x given() log_det attributes {batch_dim = 1 : i64} {
    rev.yield %w, %w : tensor<3x4xf32>, tensor<3x4xf32>
  } : tensor<3x4xf32>, () -> tensor<4xf32>
  return %y, %ld : tensor<3x4xf32>, tensor<4xf32>
}
func.func @other_samples(%x: tensor<3x4xf32>) {
  %y:3 = rev.log_det @f(%x, %x) of [0] : (tensor<3x4xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<4xf32>, tensor<3xf32>)
  return
}

// -----

// expected-note @below {{function defined here}}
func.func private @f(%x: tensor<3x4xf32>, %w: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.log_det = @h}
func.func private @h(%x: tensor<3x4xf32>, %w: tensor<3x4xf32>) -> tensor<3xf32>
func.func @other_arguments(%x: tensor<3x4xf32>) {
  // expected-error @below {{expects a function with a body of one block, or with 'rev.log_det', for a log-determinant, but '@f' has 0}}
  %y:2 = rev.log_det @f(%x, %x) wrt [1] : (tensor<3x4xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func private @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.log_det = @h}
// expected-note @below {{function defined here}}
func.func private @h(%x: tensor<3x4xf32>) -> tensor<4xf32>
func.func @named_type(%x: tensor<3x4xf32>) {
  // expected-error @below {{expects a log-determinant of type 'tensor<3xf32>', but that of '@f' has type 'tensor<4xf32>'}}
  %y:2 = rev.log_det @f(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

// expected-error @below {{expects 'rev.log_det' to name functions that fit, but '@h' has arguments ('tensor<4xf32>') instead of ('tensor<3x4xf32>')}}
func.func private @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.log_det = @h}
// expected-note @below {{function defined here}}
func.func private @h(%x: tensor<4xf32>) -> tensor<3xf32>
func.func @named_arguments(%x: tensor<3x4xf32>) {
  %y:2 = rev.log_det @f(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

// expected-error @below {{expects 'rev.log_det' to name functions, but got '@h'}}
func.func private @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.log_det = @h}
func.func @named_missing(%x: tensor<3x4xf32>) {
  %y:2 = rev.log_det @f(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

// expected-error @below {{expects 'rev.log_det' to be the name of a function, but got 1 : i64}}
func.func private @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.log_det = 1 : i64}

// -----

// The inverse has none either.
// expected-note @below {{function defined here}}
func.func private @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.inverse = @g}
func.func private @g(%y: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %x = math.sin %y : tensor<3x4xf32>
  return %x : tensor<3x4xf32>
}
func.func private @flow(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  // expected-error @below {{expects a function with a body of one block, or with 'rev.log_det', for a log-determinant, but '@f' has 0}}
  %y = call @f(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
func.func @neither(%x: tensor<3x4xf32>) {
  %y:2 = rev.log_det @flow(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

// expected-note @below {{function defined here}}
func.func private @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.inverse = @g} {
  // expected-error @below {{expects calls without recursion to differentiate, but '@f' calls itself}}
  %y = call @f(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
func.func private @g(%y: tensor<3x4xf32>) -> tensor<3x4xf32>
func.func @recursion(%x: tensor<3x4xf32>) {
  %y:2 = rev.log_det @f(%x) : (tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

// A number that the inverse gives back has no samples.
func.func private @f(%s: f32, %x: tensor<3x4xf32>) -> tensor<3x4xf32> attributes {rev.inverse = @g, rev.log_det = @h}
func.func private @g(%y: tensor<3x4xf32>) -> (f32, tensor<3x4xf32>)
func.func private @h(%s: f32, %x: tensor<3x4xf32>) -> tensor<3xf32>
func.func private @flow(%x: tensor<3x4xf32>, %s: f32) -> tensor<3x4xf32> {
  // expected-error @below {{expects operations with a log-determinant on the way from the arguments to the results, but 'func.call' has none}}
  %y = call @f(%s, %x) : (f32, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
func.func @number(%x: tensor<3x4xf32>, %s: f32) {
  %y:2 = rev.log_det @flow(%x, %s) : (tensor<3x4xf32>, f32) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

func.func private @f(%x: tensor<3x4xf32>, %c: tensor<4xf32>) -> tensor<3x4xf32> attributes {rev.inverse = @g, rev.log_det = @h}
func.func private @g(%y: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<4xf32>)
func.func private @h(%x: tensor<3x4xf32>, %c: tensor<4xf32>) -> tensor<3xf32>
func.func private @flow(%x: tensor<3x4xf32>, %c: tensor<4xf32>) -> tensor<3x4xf32> {
  // expected-error @below {{expects samples in dimension 0 of all that '@f' has an inverse for, but got type 'tensor<4xf32>'}}
  %y = call @f(%x, %c) : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
func.func @shared(%x: tensor<3x4xf32>, %c: tensor<4xf32>) {
  %y:2 = rev.log_det @flow(%x, %c) : (tensor<3x4xf32>, tensor<4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----

// What is named is not about side results.
// expected-note @below {{function defined here}}
func.func private @f(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) attributes {rev.inverse = @g, rev.log_det = @h, rev.side_results = 1 : i64}
func.func private @g(%y: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>)
func.func private @h(%x: tensor<3x4xf32>, %s: tensor<3x4xf32>) -> tensor<3xf32>
func.func @side(%x: tensor<3x4xf32>) -> tensor<3xf32> {
  // expected-error @below {{expects a function with a body of one block, or with 'rev.log_det', for a log-determinant, but '@f' has 0}}
  %y:3 = rev.log_det @f(%x, %x) of [1] : (tensor<3x4xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3xf32>)
  return %y#2 : tensor<3xf32>
}
