// A sum of rows at places is linear in them: its derivative reads the rows of the
// cotangent, which the loop neither carries nor changes.

// RUN: memrev-compile --until=schedule %s | FileCheck %s
// RUN: memrev-compile --until=bufferize %s | FileCheck %s --check-prefix=BUFFERS

func.func private @rows(%a: tensor<4x2xf64>, %i: tensor<3x1xi64>) -> tensor<3x1x2xf64> {
  %r = tensor.gather %a[%i] gather_dims([0]) : (tensor<4x2xf64>, tensor<3x1xi64>) -> tensor<3x1x2xf64>
  return %r : tensor<3x1x2xf64>
}

func.func private @added(%i: tensor<3x1xi64>, %s: tensor<3x1x2xf64>) -> tensor<4x2xf64> {
  %z = arith.constant dense<0.0> : tensor<4x2xf64>
  %d = rev.vjp @rows(%z, %i) cotangents(%s) wrt [0] of [0] : (tensor<4x2xf64>, tensor<3x1xi64>, tensor<3x1x2xf64>) -> tensor<4x2xf64>
  return %d : tensor<4x2xf64>
}

// CHECK-LABEL: func.func @derivative(
// CHECK-SAME:    %[[I:[a-z0-9]*]]: tensor<3x1xi64>, %{{[a-z0-9]*}}: tensor<3x1x2xf64>, %[[D:[a-z0-9]*]]: tensor<4x2xf64>
// CHECK:         scf.for {{.*}} iter_args(%[[S:.*]] = %{{.*}}) -> (tensor<3x1x2xf64>)
// CHECK-NEXT:      arith.subi
// CHECK-NEXT:      tensor.extract %[[I]]
// CHECK:           call @{{.*}}(%[[D]],
// CHECK-NOT:       call
// CHECK:           scf.yield

// BUFFERS-LABEL: func.func @derivative(
// BUFFERS-NOT:     memref.copy
func.func @derivative(%i: tensor<3x1xi64>, %s: tensor<3x1x2xf64>, %d: tensor<4x2xf64>) -> tensor<3x1x2xf64> {
  %r = rev.vjp @added(%i, %s) cotangents(%d) wrt [1] of [0] : (tensor<3x1xi64>, tensor<3x1x2xf64>, tensor<4x2xf64>) -> tensor<3x1x2xf64>
  return %r : tensor<3x1x2xf64>
}
