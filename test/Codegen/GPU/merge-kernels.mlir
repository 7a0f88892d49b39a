// RUN: memrev-opt %s --gpu-merge-kernels | FileCheck %s

module attributes {gpu.container_module} {

// CHECK-LABEL: func @launches
func.func @launches(%x: memref<4xf32>, %y: memref<4xf32>) {
  %c1 = arith.constant 1 : index
  // CHECK: gpu.launch_func @k::@a {{.*}} args(%[[X:.*]] : memref
  // CHECK: gpu.launch_func @k::@a {{.*}} args(%[[Y:.*]] : memref
  // CHECK: gpu.launch_func @k::@other_constant
  // CHECK: gpu.launch_func @k::@other_block
  // CHECK: gpu.launch_func @k::@swapped
  // CHECK: gpu.launch_func @l::@b
  gpu.launch_func @k::@a blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
  gpu.launch_func @k::@b blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%y : memref<4xf32>)
  gpu.launch_func @k::@other_constant blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
  gpu.launch_func @k::@other_block blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
  gpu.launch_func @k::@swapped blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
  gpu.launch_func @l::@b blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
  return
}

// CHECK: gpu.module @k
// CHECK:   gpu.func @a
// CHECK-NOT: gpu.func @b
// CHECK:   gpu.func @other_constant
// CHECK:   gpu.func @other_block
// CHECK:   gpu.func @swapped
// CHECK: gpu.module @l
gpu.module @k {
  gpu.func @a(%x: memref<4xf32>) kernel {
    %f = arith.constant 1.0 : f32
    %i = gpu.thread_id x
    %e = memref.load %x[%i] : memref<4xf32>
    %s = arith.subf %e, %f : f32
    memref.store %s, %x[%i] : memref<4xf32>
    gpu.return
  }
  gpu.func @b(%y: memref<4xf32>) kernel {
    %f = arith.constant 1.0 : f32
    %i = gpu.thread_id x
    %e = memref.load %y[%i] : memref<4xf32>
    %s = arith.subf %e, %f : f32
    memref.store %s, %y[%i] : memref<4xf32>
    gpu.return
  }
  gpu.func @other_constant(%x: memref<4xf32>) kernel {
    %f = arith.constant 2.0 : f32
    %i = gpu.thread_id x
    %e = memref.load %x[%i] : memref<4xf32>
    %s = arith.subf %e, %f : f32
    memref.store %s, %x[%i] : memref<4xf32>
    gpu.return
  }
  gpu.func @other_block(%x: memref<4xf32>) kernel attributes {known_block_size = array<i32: 1, 1, 1>} {
    %f = arith.constant 1.0 : f32
    %i = gpu.thread_id x
    %e = memref.load %x[%i] : memref<4xf32>
    %s = arith.subf %e, %f : f32
    memref.store %s, %x[%i] : memref<4xf32>
    gpu.return
  }
  // The same operations on other values.
  gpu.func @swapped(%x: memref<4xf32>) kernel {
    %f = arith.constant 1.0 : f32
    %i = gpu.thread_id x
    %e = memref.load %x[%i] : memref<4xf32>
    %s = arith.subf %f, %e : f32
    memref.store %s, %x[%i] : memref<4xf32>
    gpu.return
  }
}
gpu.module @l {
  gpu.func @b(%y: memref<4xf32>) kernel {
    %f = arith.constant 1.0 : f32
    %i = gpu.thread_id x
    %e = memref.load %y[%i] : memref<4xf32>
    %s = arith.subf %e, %f : f32
    memref.store %s, %y[%i] : memref<4xf32>
    gpu.return
  }
}

}
