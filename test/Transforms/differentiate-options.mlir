// RUN: memrev-opt %s -rev-differentiate="function=f" | FileCheck %s --check-prefix=VJP
// RUN: memrev-opt %s -rev-differentiate="function=f wrt=0 mode=split" -cse | FileCheck %s --check-prefix=SPLIT
// RUN: memrev-opt %s -rev-differentiate="function=f mode=split policy=store" -cse | FileCheck %s --check-prefix=STORE
// RUN: memrev-opt %s -rev-differentiate="function=f mode=split storage=1000" -cse | FileCheck %s --check-prefix=STORE
// RUN: not memrev-opt %s -rev-differentiate="function=g" 2>&1 | FileCheck %s --check-prefix=FUNCTION
// RUN: memrev-opt %s -rev-differentiate="function=scalar mode=jvp wrt=1" | FileCheck %s --check-prefix=JVP
// RUN: memrev-opt %s -rev-differentiate="function=scalar mode=value_and_grad wrt=0" | FileCheck %s --check-prefix=GRAD
// RUN: memrev-opt %s -rev-differentiate="function=scalar mode=vjp of=1 wrt=1" | FileCheck %s --check-prefix=OF
// RUN: not memrev-opt %s -rev-differentiate="function=f mode=hessian" 2>&1 | FileCheck %s --check-prefix=MODE
// RUN: not memrev-opt %s -rev-differentiate="function=f policy=keep" 2>&1 | FileCheck %s --check-prefix=POLICY
// RUN: not memrev-opt %s -rev-differentiate="function=f wrt=2" 2>&1 | FileCheck %s --check-prefix=WRT
// RUN: not memrev-opt %s -rev-differentiate="function=f of=1" 2>&1 | FileCheck %s --check-prefix=OFERROR
// RUN: not memrev-opt %s -rev-differentiate="function=f wrt=1,1" 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not memrev-opt %s -rev-differentiate="function=f mode=value_and_grad" 2>&1 | FileCheck %s --check-prefix=LOSS
// RUN: not memrev-opt %s -rev-differentiate="wrt=0" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not memrev-opt %s -rev-differentiate="storage=0" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not memrev-opt %s -rev-differentiate="function=scalar mode=value_and_grad of=0" 2>&1 | FileCheck %s --check-prefix=GRADOF
// RUN: not memrev-opt %s -rev-differentiate="function=f donate=saved" 2>&1 | FileCheck %s --check-prefix=DONATEMODE
// RUN: not memrev-opt %s -rev-differentiate="function=f mode=split donate=saved,arguments" 2>&1 | FileCheck %s --check-prefix=DONATE
// RUN: memrev-opt %s -rev-differentiate="function=named mode=split donate=saved,results,cotangents" | FileCheck %s --check-prefix=NAMED
// RUN: not memrev-opt %s -rev-differentiate="function=blocks" 2>&1 | FileCheck %s --check-prefix=BLOCKS

// FUNCTION: error: expects option 'function' to name a function, but got 'g'
// MODE: error: expects option 'mode' to be 'vjp', 'value_and_grad', 'jvp' or 'split', but got 'hessian'
// POLICY: error: expects option 'policy' to be 'invert' or 'store', but got 'keep'
// WRT: error: expects option 'wrt' to hold numbers of arguments with a float element type, but got 2
// OFERROR: error: expects option 'of' to hold numbers of results with a float element type, but got 1
// TWICE: error: expects option 'wrt' to hold distinct numbers, but got 1 twice
// LOSS: error: expects a function with a float as result 0 for mode 'value_and_grad'
// NONE: error: expects option 'function' with options 'wrt', 'of', 'donate', 'strong-zero' and 'storage', but got none
// GRADOF: error: expects no option 'of' with mode 'value_and_grad', which differentiates result 0
// DONATEMODE: error: expects option 'donate' with mode 'split', but got mode 'vjp'
// DONATE: error: expects option 'donate' to hold 'saved', 'results' and 'cotangents', but got 'arguments'
// BLOCKS: error: expects a function with a body of one block

// VJP: func.func @f_vjp(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %{{.*}}: i32, %{{.*}}: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)

// Inverting, nothing is saved: the result and an argument are all that the
// backward function reads.
// SPLIT: func.func @f_fwd(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %{{.*}}: i32) -> tensor<4xf32>
// SPLIT: func.func @f_bwd(%{{[^:]*}}: tensor<4xf32>) -> tensor<4xf32>

// Storing, the region's value is.
// STORE: func.func @f_fwd({{.*}}) -> (tensor<4xf32>, tensor<4xf32>)
// STORE: math.tanh
// STORE: func.func @f_bwd(%{{[^:]*}}: tensor<4xf32> {rev.residual = "saved 0"}, %{{[^:]*}}: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
// STORE-NOT: math.tanh
func.func @f(%x: tensor<4xf32>, %c: tensor<4xf32>, %i: i32) -> tensor<4xf32> {
  %y = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %t = math.tanh %a : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

func.func @blocks(%x: f32) -> f32 {
  cf.br ^bb1
^bb1:
  return %x : f32
}

// JVP: func.func @scalar_jvp(%[[X:.*]]: f64, %[[Y:.*]]: f64, %[[T:.*]]: f64) -> (f64, f64, f64, f64)
// JVP:   %[[R:.*]] = arith.mulf %[[X]], %[[Y]]
// JVP:   %[[D:.*]] = arith.mulf %[[T]], %[[X]]
// JVP:   return %[[R]], %[[Y]], %[[D]], %[[T]]

// GRAD: func.func @scalar_value_and_grad(%[[X:.*]]: f64, %[[Y:.*]]: f64) -> (f64, f64, f64)

// OF: func.func @scalar_vjp(%{{.*}}: f64, %{{.*}}: f64, %[[T:.*]]: f64) -> f64
// OF:   return %[[T]]
func.func @scalar(%x: f64, %y: f64) -> (f64, f64) {
  %0 = arith.mulf %x, %y : f64
  return %0, %y : f64, f64
}

// Names go over to the derived functions; what may be overwritten is marked.
// NAMED: func.func @named_fwd(%{{[^:]*}}: tensor<4xf32> {rev.name = "x"}, %{{[^:]*}}: tensor<4xf32> {rev.name = "w"})
// NAMED-SAME: -> (tensor<4xf32> {rev.name = "y"}, tensor<4xf32>)
// NAMED: func.func @named_bwd(
// NAMED-SAME: tensor<4xf32> {rev.donated, rev.name = "y", rev.residual = "result 0"}
// NAMED-SAME: tensor<4xf32> {rev.name = "w", rev.residual = "argument 1"}
// NAMED-SAME: tensor<4xf32> {rev.donated, rev.residual = "saved 0"}
// NAMED-SAME: tensor<4xf32> {rev.name = "x", rev.residual = "argument 0"}
// NAMED-SAME: tensor<4xf32> {rev.donated, rev.name = "d.y"}
// NAMED-SAME: -> (tensor<4xf32> {rev.name = "d.x"}, tensor<4xf32> {rev.name = "d.w"})
func.func @named(%x: tensor<4xf32> {rev.name = "x"}, %w: tensor<4xf32> {rev.name = "w"}) -> (tensor<4xf32> {rev.name = "y"}) {
  %a = arith.mulf %x, %w : tensor<4xf32>
  %h = math.exp %a : tensor<4xf32>
  %b = arith.mulf %h, %w : tensor<4xf32>
  %y = math.exp %b : tensor<4xf32>
  return %y : tensor<4xf32>
}
