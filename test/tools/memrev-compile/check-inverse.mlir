// RUN: memrev-compile %s --check-inverse=flow | FileCheck %s --check-prefix=FLOW
// RUN: memrev-compile %s --check-inverse=scale | FileCheck %s --check-prefix=SCALE
// RUN: memrev-compile %s --check-inverse=bend | FileCheck %s --check-prefix=BEND
// RUN: not memrev-compile %s --check-inverse=wrong | FileCheck %s --check-prefix=WRONG
// RUN: not memrev-compile %s --check-inverse=undefined | FileCheck %s --check-prefix=UNDEFINED
// RUN: not memrev-compile %s --check-inverse=square 2>&1 | FileCheck %s --check-prefix=SQUARE
// RUN: not memrev-compile %s --check-inverse=open 2>&1 | FileCheck %s --check-prefix=OPEN
// RUN: not memrev-compile %s --check-inverse=missing 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not memrev-compile %s --check-inverse=flow --run 2>&1 | FileCheck %s --check-prefix=ALONE
// RUN: echo 'func.func' | not memrev-compile - --check-inverse=flow 2>&1 | FileCheck %s --check-prefix=SYNTAX

// ALONE: error: expects --check-inverse for target cpu without --run, --bench, --emit and --report
// MISSING: error: expects a function with arguments to check the inverse of, but got 'missing'
// SYNTAX: <stdin>:{{.*}}: error:

// An inverse that the function names.

// SCALE:      argument 0: given back within {{[0-9.]+}}e-{{0[6-9]|[1-9]}}
// SCALE-NEXT: result 0: given back within
func.func private @scale(%x: tensor<64xf32>, %s: tensor<64xf32>)
    -> tensor<64xf32> attributes {rev.inverse = @unscale} {
  %y = arith.mulf %x, %s : tensor<64xf32>
  return %y : tensor<64xf32>
}
func.func private @unscale(%y: tensor<64xf32>, %s: tensor<64xf32>)
    -> tensor<64xf32> {
  %x = arith.divf %y, %s : tensor<64xf32>
  return %x : tensor<64xf32>
}

// One that returns what the function does besides its result.

// BEND:      argument 0: given back within
// BEND-NEXT: result 0: given back within
// BEND-NEXT: result 1: given back within 0
func.func private @bend(%x: tensor<64xf32>, %s: tensor<64xf32>)
    -> (tensor<64xf32>, tensor<64xf32>) attributes {
    rev.inverse = @unbend, rev.side_results = 1 : i64} {
  %t = math.tanh %s : tensor<64xf32>
  %y = arith.mulf %x, %t : tensor<64xf32>
  return %y, %t : tensor<64xf32>, tensor<64xf32>
}
func.func private @unbend(%y: tensor<64xf32>, %s: tensor<64xf32>)
    -> (tensor<64xf32>, tensor<64xf32>) {
  %t = math.tanh %s : tensor<64xf32>
  %x = arith.divf %y, %t : tensor<64xf32>
  return %x, %t : tensor<64xf32>, tensor<64xf32>
}

// One that is not.

// WRONG:      argument 0: expects at most 3.5e-04, but is off by {{.*}}e-01
// WRONG-NEXT: result 0: expects at most 3.5e-04, but is off by
func.func private @wrong(%x: tensor<64xf32>, %s: tensor<64xf32>)
    -> tensor<64xf32> attributes {rev.inverse = @scale} {
  %y = arith.mulf %x, %s : tensor<64xf32>
  return %y : tensor<64xf32>
}

// NaN is no inverse.

// UNDEFINED: argument 0: expects at most 3.5e-04, but is off by {{-?}}nan
func.func private @undefined(%x: tensor<64xf32>) -> tensor<64xf32>
    attributes {rev.inverse = @logarithm} {
  %y = arith.negf %x : tensor<64xf32>
  return %y : tensor<64xf32>
}
func.func private @logarithm(%y: tensor<64xf32>) -> tensor<64xf32> {
  %x = math.log %y : tensor<64xf32>
  return %x : tensor<64xf32>
}

// What operations give back: in f64 and, next to it, integers.

// FLOW:      argument 0: given back within {{[0-9.]+}}e-{{1[4-9]|0}}
// FLOW-NEXT: result 0: given back within
// FLOW-NEXT: result 1: given back within
func.func @flow(%x: tensor<8xf64>, %n: index) -> (tensor<8xf64>, tensor<8xf64>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %left = tensor.extract_slice %x[0] [4] [1] : tensor<8xf64> to tensor<4xf64>
  %right = tensor.extract_slice %x[4] [4] [1] : tensor<8xf64> to tensor<4xf64>
  %given = math.tanh %right : tensor<4xf64>
  %sum = arith.addf %left, %given : tensor<4xf64>
  %y = tensor.concat dim(0) %right, %sum
      : (tensor<4xf64>, tensor<4xf64>) -> tensor<8xf64>
  %z = arith.negf %y : tensor<8xf64>
  return %y, %z : tensor<8xf64>, tensor<8xf64>
}

// SQUARE: error: expects a function whose inverse gives argument 0 back, but no inverse edge reaches it
func.func @square(%x: tensor<8xf64>) -> tensor<8xf64> {
  %y = arith.mulf %x, %x : tensor<8xf64>
  return %y : tensor<8xf64>
}

// OPEN: error: expects static shapes to check an inverse, but 'open' leaves extents open
func.func @open(%x: tensor<?xf64>) -> tensor<?xf64> {
  %y = arith.negf %x : tensor<?xf64>
  return %y : tensor<?xf64>
}
