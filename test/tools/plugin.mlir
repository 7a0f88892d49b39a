// Debian's own mlir-opt differentiates with memrev as a plugin, to the very
// text that memrev-opt prints. Plugins are loaded after flags of passes are
// parsed, hence --pass-pipeline.

// mlir-opt cannot load a library that is built with sanitizers.
// UNSUPPORTED: sanitize
// RUN: mlir-opt %s --load-dialect-plugin=%memrev_lib_dir/libMemRevPlugin.so \
// RUN:   --load-pass-plugin=%memrev_lib_dir/libMemRevPlugin.so \
// RUN:   --pass-pipeline='builtin.module(rev-plan,rev-differentiate)' > %t.stock
// RUN: memrev-opt %s --rev-plan --rev-differentiate > %t.memrev
// RUN: diff %t.stock %t.memrev
// RUN: FileCheck %s < %t.stock

// CHECK-LABEL: func.func private @f_vjp
// CHECK: math.tanh
// CHECK-LABEL: func.func @main
// CHECK: call @f_vjp
func.func private @f(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %y = rev.coupling additive %x given(%c) {
  ^bb0(%a: tensor<4xf32>):
    %t = math.tanh %a : tensor<4xf32>
    rev.yield %t : tensor<4xf32>
  } : tensor<4xf32>, (tensor<4xf32>)
  return %y : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = rev.vjp @f(%x, %x) cotangents(%x)
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}
