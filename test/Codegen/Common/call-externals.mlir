// RUN: memrev-opt %s -codegen-call-externals | FileCheck %s

// Code that is somewhere else takes pointers to its arguments, which it reads,
// then to its results, which it writes.

// CHECK: func.func private @operator(tensor<4xf64> {bufferization.access = "read"}, tensor<f32> {bufferization.access = "read"}, tensor<2xf64> {bufferization.access = "write"}, tensor<i32> {bufferization.access = "write"}) -> (tensor<2xf64>, tensor<i32>)
func.func private @operator(%x: tensor<4xf64>, %s: f32) -> (tensor<2xf64>, i32)

// Nobody calls it.
// CHECK: func.func private @unused(f32) -> tensor<?xf32>
func.func private @unused(f32) -> tensor<?xf32>

// CHECK-LABEL: func.func @calls(
// CHECK-SAME:    %[[X:.*]]: tensor<4xf64>, %[[S:.*]]: f32)
// CHECK:         %[[SCALAR:.*]] = tensor.from_elements %[[S]] : tensor<f32>
// CHECK:         %[[Y:.*]] = tensor.empty() : tensor<2xf64>
// CHECK:         %[[N:.*]] = tensor.empty() : tensor<i32>
// CHECK:         %[[R:.*]]:2 = call @operator(%[[X]], %[[SCALAR]], %[[Y]], %[[N]])
// CHECK:         %[[I:.*]] = tensor.extract %[[R]]#1[]
// CHECK:         return %[[R]]#0, %[[I]]
func.func @calls(%x: tensor<4xf64>, %s: f32) -> (tensor<2xf64>, i32) {
  %0:2 = call @operator(%x, %s) : (tensor<4xf64>, f32) -> (tensor<2xf64>, i32)
  return %0#0, %0#1 : tensor<2xf64>, i32
}
