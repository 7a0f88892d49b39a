// RUN: memrev-opt %s --gpu-launch-kernels --split-input-file | FileCheck %s

// A call becomes a launch with addresses, and nothing is left of the
// declaration.

// CHECK-LABEL: func.func @call
// CHECK-SAME: (%[[X:.*]]: memref<64xf32>, %[[I:.*]]: index, %[[F:.*]]: f32, %[[Y:.*]]: memref<64xf32>)
// CHECK-DAG: %[[A:.*]] = memref.extract_aligned_pointer_as_index %[[X]]
// CHECK-DAG: %[[N:.*]] = arith.index_cast %[[A]] : index to i64
// CHECK-DAG: %[[P:.*]] = llvm.inttoptr %[[N]] : i64 to !llvm.ptr<1>
// CHECK-DAG: %[[J:.*]] = arith.index_cast %[[I]] : index to i64
// CHECK-DAG: %[[B:.*]] = memref.extract_aligned_pointer_as_index %[[Y]]
// CHECK-DAG: %[[M:.*]] = arith.index_cast %[[B]] : index to i64
// CHECK-DAG: %[[Q:.*]] = llvm.inttoptr %[[M]] : i64 to !llvm.ptr<1>
// CHECK: gpu.launch_func @memrev_kernels::@scale blocks in (%c3, %c1, %c1) threads in (%c128, %c1, %c1)
// CHECK-SAME: dynamic_shared_memory_size %c512_i32
// CHECK-SAME: args(%[[P]] : !llvm.ptr<1>, %[[J]] : i64, %[[F]] : f32, %[[Q]] : !llvm.ptr<1>)
// CHECK-NOT: @scale(
// CHECK: gpu.module
module attributes {gpu.container_module} {
func.func @call(%x: memref<64xf32>, %i: index, %f: f32, %y: memref<64xf32>) {
  call @scale(%x, %i, %f, %y) : (memref<64xf32>, index, f32, memref<64xf32>) -> ()
  return
}
func.func private @scale(memref<64xf32>, index, f32, memref<64xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 3, 128, 512>}
gpu.module @memrev_kernels {
  llvm.func @scale(%x: !llvm.ptr<1>, %i: i64, %f: f32, %y: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    llvm.return
  }
}
}

// -----

// A constant buffer is memory of the host: a clone of the kernel has the
// constant in the memory of the device, one clone for each of them. So is one in
// another shape.

// CHECK-LABEL: func.func @constants
// CHECK: gpu.launch_func @memrev_kernels::@[[C1:[a-z_0-9]+]] {{.*}} args(%{{.*}} : !llvm.ptr<1>)
// CHECK: gpu.launch_func @memrev_kernels::@[[C2:[a-z_0-9]+]] {{.*}} args(%{{.*}} : !llvm.ptr<1>)
// CHECK: gpu.launch_func @memrev_kernels::@[[C1]] {{.*}} args(%{{.*}} : !llvm.ptr<1>)
// CHECK: gpu.launch_func @memrev_kernels::@add {{.*}} args(%{{.*}} : !llvm.ptr<1>, %{{.*}} : !llvm.ptr<1>)
// CHECK: gpu.launch_func @memrev_kernels::@[[C3:[a-z_0-9]+]] {{.*}} args(%{{.*}} : !llvm.ptr<1>)
// CHECK: gpu.module @memrev_kernels
// CHECK-DAG: memref.global "private" constant @one
// CHECK-DAG: memref.global "private" constant @two
// CHECK-DAG: llvm.func @add(%{{.*}}: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr<1> {llvm.noalias})
// CHECK: llvm.func @[[C3]](
// CHECK: memref.get_global @rows
// CHECK: llvm.func @[[C2]](%[[Y:.*]]: !llvm.ptr<1> {llvm.noalias}) attributes {gpu.kernel, nvvm.kernel}
// CHECK: %[[G:.*]] = memref.get_global @two : memref<4xf32>
// CHECK: %[[A:.*]] = memref.extract_aligned_pointer_as_index %[[G]]
// CHECK: %[[N:.*]] = arith.index_cast %[[A]] : index to i64
// CHECK: %[[P:.*]] = llvm.inttoptr %[[N]] : i64 to !llvm.ptr<1>
// CHECK: llvm.load %[[P]]
// CHECK: llvm.store %{{.*}}, %[[Y]]
// CHECK: llvm.func @[[C1]](
// CHECK: memref.get_global @one
module attributes {gpu.container_module} {
memref.global "private" constant @one : memref<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> {alignment = 64 : i64}
memref.global "private" constant @two : memref<4xf32> = dense<[2.0, 2.0, 3.0, 4.0]> {alignment = 64 : i64}
memref.global "private" constant @rows : memref<2x4xf32> = dense<[[2.0, 1.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> {alignment = 64 : i64}
func.func @constants(%x: memref<4xf32>, %y: memref<4xf32>) {
  %a = memref.get_global @one : memref<4xf32>
  %b = memref.get_global @two : memref<4xf32>
  call @add(%a, %y) : (memref<4xf32>, memref<4xf32>) -> ()
  call @add(%b, %y) : (memref<4xf32>, memref<4xf32>) -> ()
  call @add(%a, %x) : (memref<4xf32>, memref<4xf32>) -> ()
  call @add(%x, %y) : (memref<4xf32>, memref<4xf32>) -> ()
  // A part that begins where the constant does is one, too.
  %c = memref.get_global @rows : memref<2x4xf32>
  %row = memref.subview %c[0, 0] [1, 4] [1, 1] : memref<2x4xf32> to memref<1x4xf32, strided<[4, 1]>>
  %cast = memref.cast %row : memref<1x4xf32, strided<[4, 1]>> to memref<1x4xf32>
  %d = memref.collapse_shape %cast [[0, 1]] : memref<1x4xf32> into memref<4xf32>
  call @add(%d, %y) : (memref<4xf32>, memref<4xf32>) -> ()
  return
}
func.func private @add(memref<4xf32>, memref<4xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 1, 32, 0>}
gpu.module @memrev_kernels {
  llvm.func @add(%x: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %y: !llvm.ptr<1> {llvm.noalias}) attributes {gpu.kernel, nvvm.kernel} {
    %0 = llvm.load %x : !llvm.ptr<1> -> f32
    llvm.store %0, %y : f32, !llvm.ptr<1>
    llvm.return
  }
}
}

// -----

// A function has the name that modules of kernels are given.

// CHECK-LABEL: func.func @memrev_kernels
// CHECK: gpu.launch_func @memrev_kernels_0::@add
module attributes {gpu.container_module} {
func.func @memrev_kernels(%x: memref<64xf32>) {
  call @add(%x) : (memref<64xf32>) -> ()
  return
}
func.func private @add(memref<64xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 1, 128, 0>}
gpu.module @memrev_kernels_0 {
  llvm.func @add(%x: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    llvm.return
  }
}
}
