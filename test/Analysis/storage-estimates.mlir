// RUN: memrev-check-planning %s | FileCheck %s
// RUN: memrev-opt %s -rev-differentiate=function=flat -rev-differentiate=function=nested \
// RUN:   -rev-differentiate=function=carried -rev-differentiate=function=cheap \
// RUN:   -rev-differentiate=function=deep | FileCheck %s --check-prefix=STORED

// What a loop keeps by estimate is what its derivative stores: here what the
// function is evaluated at, of each iteration.
// CHECK: flat keeps 163840 bytes
// STORED-LABEL: func.func @flat_vjp(
// STORED: scf.for {{.*}} -> (tensor<64x64xf64>, tensor<5x64x64xf64>) {
func.func @flat(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %three = arith.constant 3 : index
  %five = arith.constant 5 : index
  %empty = tensor.empty() : tensor<64x64xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
  %y = scf.for %i = %begin to %five step %one iter_args(%a = %x) -> (tensor<64x64xf64>) {
    %s = math.tanh %a : tensor<64x64xf64>
    %t = linalg.matmul ins(%s, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    scf.yield %t : tensor<64x64xf64>
  }
  return %y : tensor<64x64xf64>
}

// A loop in it runs again from where it starts, which is stored too.
// CHECK: nested keeps 327680 bytes
// STORED-LABEL: func.func @nested_vjp(
// STORED: scf.for {{.*}} -> (tensor<64x64xf64>, tensor<5x64x64xf64>, tensor<5x64x64xf64>) {
func.func @nested(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %three = arith.constant 3 : index
  %five = arith.constant 5 : index
  %empty = tensor.empty() : tensor<64x64xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
  %y = scf.for %i = %begin to %five step %one iter_args(%a = %x) -> (tensor<64x64xf64>) {
    %m = linalg.matmul ins(%a, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %z = scf.for %j = %begin to %three step %one iter_args(%b = %m) -> (tensor<64x64xf64>) {
    %s = math.tanh %b : tensor<64x64xf64>
    %t = linalg.matmul ins(%s, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    scf.yield %t : tensor<64x64xf64>
  }
    scf.yield %z : tensor<64x64xf64>
  }
  return %y : tensor<64x64xf64>
}

// It starts from the state of the outer one, which is stored once.
// CHECK: carried keeps 163840 bytes
// STORED-LABEL: func.func @carried_vjp(
// STORED: scf.for {{.*}} -> (tensor<64x64xf64>, tensor<5x64x64xf64>) {
func.func @carried(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %three = arith.constant 3 : index
  %five = arith.constant 5 : index
  %empty = tensor.empty() : tensor<64x64xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
  %y = scf.for %i = %begin to %five step %one iter_args(%a = %x) -> (tensor<64x64xf64>) {
  %z = scf.for %j = %begin to %three step %one iter_args(%b = %a) -> (tensor<64x64xf64>) {
    %s = math.tanh %b : tensor<64x64xf64>
    %t = linalg.matmul ins(%s, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    scf.yield %t : tensor<64x64xf64>
  }
    %v = math.sin %a : tensor<64x64xf64>
    %o = arith.addf %z, %v : tensor<64x64xf64>
    scf.yield %o : tensor<64x64xf64>
  }
  return %y : tensor<64x64xf64>
}

// It starts from what is evaluated again.
// CHECK: cheap keeps 163840 bytes
// STORED-LABEL: func.func @cheap_vjp(
// STORED: scf.for {{.*}} -> (tensor<64x64xf64>, tensor<5x64x64xf64>) {
func.func @cheap(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %three = arith.constant 3 : index
  %five = arith.constant 5 : index
  %empty = tensor.empty() : tensor<64x64xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
  %y = scf.for %i = %begin to %five step %one iter_args(%a = %x) -> (tensor<64x64xf64>) {
    %m = math.sin %a : tensor<64x64xf64>
  %z = scf.for %j = %begin to %three step %one iter_args(%b = %m) -> (tensor<64x64xf64>) {
    %s = math.tanh %b : tensor<64x64xf64>
    %t = linalg.matmul ins(%s, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    scf.yield %t : tensor<64x64xf64>
  }
    scf.yield %z : tensor<64x64xf64>
  }
  return %y : tensor<64x64xf64>
}

// What the innermost one starts from is stored where the middle one runs again.
// CHECK: deep keeps 327680 bytes
// STORED-LABEL: func.func @deep_vjp(
// STORED: scf.for {{.*}} -> (tensor<64x64xf64>, tensor<5x64x64xf64>, tensor<5x64x64xf64>) {
// STORED: scf.for {{.*}} -> (tensor<64x64xf64>, tensor<3x64x64xf64>, tensor<3x64x64xf64>) {
func.func @deep(%x: tensor<64x64xf64>, %w: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %zero = arith.constant 0.0 : f64
  %begin = arith.constant 0 : index
  %one = arith.constant 1 : index
  %three = arith.constant 3 : index
  %five = arith.constant 5 : index
  %empty = tensor.empty() : tensor<64x64xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<64x64xf64>) -> tensor<64x64xf64>
  %y = scf.for %i = %begin to %five step %one iter_args(%a = %x) -> (tensor<64x64xf64>) {
    %n = linalg.matmul ins(%a, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %d = scf.for %k = %begin to %three step %one iter_args(%c = %n) -> (tensor<64x64xf64>) {
    %m = linalg.matmul ins(%c, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
  %z = scf.for %j = %begin to %three step %one iter_args(%b = %m) -> (tensor<64x64xf64>) {
    %s = math.tanh %b : tensor<64x64xf64>
    %t = linalg.matmul ins(%s, %w : tensor<64x64xf64>, tensor<64x64xf64>)
        outs(%init : tensor<64x64xf64>) -> tensor<64x64xf64>
    scf.yield %t : tensor<64x64xf64>
  }
    scf.yield %z : tensor<64x64xf64>
  }
    scf.yield %d : tensor<64x64xf64>
  }
  return %y : tensor<64x64xf64>
}
