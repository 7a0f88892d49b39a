// RUN: memrev-opt %s -codegen-flatten-empty-buffers -allow-unregistered-dialect | FileCheck %s

// A buffer without elements could keep a function from being converted.
// CHECK: func.func private @empty(%[[FLAT:.*]]: memref<0xf32>)
// CHECK: memref.reinterpret_cast %[[FLAT]] to offset: [0], sizes: [2, 0], strides: [%{{.*}}, 1] : memref<0xf32> to memref<2x0xf32
func.func private @empty(%x: memref<2x0xf32>) {
  "test.use"(%x) : (memref<2x0xf32>) -> ()
  return
}
// CHECK: func.func @calls_empty(%[[FLAT:.*]]: memref<0xf32>)
// CHECK: %[[X:.*]] = memref.reinterpret_cast %[[FLAT]]
// CHECK: %[[AGAIN:.*]] = memref.reinterpret_cast %[[X]] to offset: [0], sizes: [0], strides: [1]
// CHECK: call @empty(%[[AGAIN]]) : (memref<0xf32>) -> ()
func.func @calls_empty(%x: memref<2x0xf32>) {
  call @empty(%x) : (memref<2x0xf32>) -> ()
  return
}
