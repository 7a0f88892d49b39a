// RUN: memrev-opt %s -codegen-finalize-functions | FileCheck %s

// CHECK: func.func private @kernel(%{{.*}}: memref<4xf32> {llvm.noalias}, %{{.*}}: index) attributes {llvm.linkage = #llvm.linkage<internal>, passthrough = ["noinline"]}
func.func private @kernel(%x: memref<4xf32>, %n: index) {
  return
}
// CHECK: func.func private @declared(memref<4xf32>)
func.func private @declared(%x: memref<4xf32> {bufferization.access = "read"})
// CHECK: func.func @entry(%{{.*}}: memref<4xf32>) {
func.func @entry(%x: memref<4xf32>) {
  return
}
