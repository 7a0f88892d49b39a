// RUN: memrev-compile %s --run --check-drift | FileCheck %s
// RUN: not memrev-compile %s --check-drift 2>&1 | FileCheck %s --check-prefix=ALONE
// RUN: not memrev-compile %s --run --check-drift --memory-budget=1MiB 2>&1 \
// RUN:   | FileCheck %s --check-prefix=BUDGET

// ALONE: error: expects --check-drift with --run and without --emit
// BUDGET: error: expects check-drift for target cpu, without a memory budget or curve

// CHECK:      drift of what inverses gave back, in the order of the backward pass:
// CHECK-NEXT:   'rev.coupling' at {{.*}}check-drift.mlir:[[#@LINE+12]]:10, iteration 1: {{[0-9.]+}}e{{[-+][0-9]+}} ({{.*}} of {{.*}})
// CHECK-NEXT:   'rev.coupling' at {{.*}}check-drift.mlir:[[#@LINE+11]]:10, iteration 0: {{[0-9.]+}}e{{[-+][0-9]+}} (
// CHECK-NEXT:   'scf.for'
// CHECK-NEXT:   'scf.for'
// CHECK-NEXT: largest: 'rev.coupling'
func.func private @f(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %w = arith.constant dense<0.7> : tensor<8xf32>
  %y:2 = scf.for %i = %c0 to %c2 step %c1 iter_args(%a = %x, %b = %w)
      -> (tensor<8xf32>, tensor<8xf32>) {
    %s = rev.coupling additive %a given(%b) {
    ^bb0(%c: tensor<8xf32>):
      %t = math.sin %c : tensor<8xf32>
      rev.yield %t : tensor<8xf32>
    } : tensor<8xf32>, (tensor<8xf32>)
    scf.yield %s, %b : tensor<8xf32>, tensor<8xf32>
  }
  return %y#0 : tensor<8xf32>
}

func.func @gradient() -> tensor<8xf32> {
  %x = arith.constant dense<0.5> : tensor<8xf32>
  %dx = rev.vjp @f(%x) cotangents(%x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %dx : tensor<8xf32>
}
