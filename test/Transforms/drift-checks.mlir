// RUN: memrev-opt %s -split-input-file -verify-diagnostics -rev-plan -rev-differentiate | FileCheck %s

// What a loop's coupling gives back is compared with a slice of a tape, and the
// function is told of it.

// CHECK: module attributes {{.*}}rev.check_drift, rev.drift_sites = ["'rev.coupling' at {{.*}}:{{[0-9]+}}:12", "'scf.for' at {{.*}}", "'scf.for' at {{.*}}"]
module attributes {rev.check_drift} {
  func.func private @f(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c5 = arith.constant 5 : index
    %y:2 = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %b = %w)
        -> (tensor<4xf32>, tensor<4xf32>) {
      %s = rev.coupling additive %a given(%b) {
      ^bb0(%c: tensor<4xf32>):
        %t = arith.mulf %c, %w : tensor<4xf32>
        rev.yield %t : tensor<4xf32>
      } : tensor<4xf32>, (tensor<4xf32>)
      scf.yield %s, %b : tensor<4xf32>, tensor<4xf32>
    }
    return %y#0 : tensor<4xf32>
  }

  // CHECK-LABEL: func.func private @f_vjp
  // CHECK:       %[[FORWARD:.*]]:3 = scf.for {{.*}} -> (tensor<4xf32>, tensor<4xf32>, tensor<5x4xf32>)
  // CHECK:         tensor.insert_slice
  // CHECK:       scf.for
  // CHECK:         %[[WAS:.*]] = tensor.extract_slice %[[FORWARD]]#2
  // CHECK:         %[[SITE:.*]] = tensor.from_elements {{.*}} : tensor<i64>
  // CHECK:         %[[PLACES:.*]] = tensor.from_elements {{.*}} : tensor<4xi64>
  // CHECK:         %[[FOUND:.*]]:2 = linalg.generic {{.*}} ins(%[[WAS]], %{{.*}} : tensor<4xf32>, tensor<4xf32>)
  // CHECK:         func.call @memrev.report_drift(%[[SITE]], %[[PLACES]], %[[FOUND]]#0, %[[FOUND]]#1)
  // CHECK:       call @memrev.report_drift
  // CHECK:       call @memrev.report_drift
  // CHECK:       return
  func.func @vjp(%x: tensor<4xf32>, %w: tensor<4xf32>, %dy: tensor<4xf32>)
      -> tensor<4xf32> {
    %dw = rev.vjp @f(%x, %w) cotangents(%dy) wrt [1]
        : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    return %dw : tensor<4xf32>
  }
  // CHECK: func.func private @memrev.report_drift(tensor<i64>, tensor<4xi64>, tensor<f64>, tensor<f64>)
}

// -----

module attributes {rev.check_drift} {
  // expected-error @below {{expects a declaration of type '(tensor<i64>, tensor<4xi64>, tensor<f64>, tensor<f64>) -> ()' with 'rev.check_drift', but got a definition of type '(tensor<i64>) -> ()'}}
  func.func private @memrev.report_drift(%site: tensor<i64>) {
    return
  }
}
