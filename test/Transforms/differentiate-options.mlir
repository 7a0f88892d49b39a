// RUN: memrev-opt %s -rev-differentiate="function=f" | FileCheck %s --check-prefix=VJP
// RUN: memrev-opt %s -rev-differentiate="function=f wrt=0 mode=split" -cse | FileCheck %s --check-prefix=SPLIT
// RUN: memrev-opt %s -rev-differentiate="function=f mode=split policy=store" -cse | FileCheck %s --check-prefix=STORE
// RUN: not memrev-opt %s -rev-differentiate="function=g" 2>&1 | FileCheck %s --check-prefix=FUNCTION
// RUN: not memrev-opt %s -rev-differentiate="function=f mode=jvp" 2>&1 | FileCheck %s --check-prefix=MODE
// RUN: not memrev-opt %s -rev-differentiate="function=f policy=keep" 2>&1 | FileCheck %s --check-prefix=POLICY
// RUN: not memrev-opt %s -rev-differentiate="function=f wrt=2" 2>&1 | FileCheck %s --check-prefix=WRT
// RUN: not memrev-opt %s -rev-differentiate="function=blocks" 2>&1 | FileCheck %s --check-prefix=BLOCKS

// FUNCTION: error: expects option 'function' to name a function, but got 'g'
// MODE: error: expects option 'mode' to be 'vjp' or 'split', but got 'jvp'
// POLICY: error: expects option 'policy' to be 'invert' or 'store', but got 'keep'
// WRT: error: expects option 'wrt' to hold numbers of arguments with a float element type, but got 2
// BLOCKS: error: expects a function with a body of one block

// VJP: func.func @f_vjp(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %{{.*}}: i32, %{{.*}}: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)

// Inverting, nothing is saved: the result and an argument are all that the
// backward function reads.
// SPLIT: func.func @f_fwd(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %{{.*}}: i32) -> tensor<4xf32>
// SPLIT: func.func @f_bwd(%{{[^:]*}}: tensor<4xf32>) -> tensor<4xf32>

// Storing, the region's value is.
// STORE: func.func @f_fwd({{.*}}) -> (tensor<4xf32>, tensor<4xf32>)
// STORE: math.tanh
// STORE: func.func @f_bwd(%{{[^:]*}}: tensor<4xf32> {rev.residual = "saved"}, %{{[^:]*}}: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
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
