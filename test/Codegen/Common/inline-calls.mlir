// RUN: memrev-opt %s -codegen-inline-calls=max-calls=1 | FileCheck %s

// CHECK-NOT: @once
func.func private @once(%x: f32) -> f32 {
  %0 = func.call @often(%x) : (f32) -> f32
  %1 = arith.addf %0, %x : f32
  return %1 : f32
}
// CHECK: func.func private @often
func.func private @often(%x: f32) -> f32 {
  %0 = arith.mulf %x, %x : f32
  return %0 : f32
}
// CHECK: func.func private @kernel
func.func private @kernel(%x: f32) -> f32 attributes {memrev.kernel} {
  return %x : f32
}
// CHECK-LABEL: func.func @caller
// CHECK: %[[A:.*]] = call @often
// CHECK: %[[B:.*]] = arith.addf %[[A]]
// CHECK: %[[C:.*]] = call @kernel(%[[B]])
// CHECK: call @often(%[[C]])
func.func @caller(%x: f32) -> f32 {
  %0 = call @once(%x) : (f32) -> f32
  %1 = call @kernel(%0) : (f32) -> f32
  %2 = call @often(%1) : (f32) -> f32
  return %2 : f32
}
