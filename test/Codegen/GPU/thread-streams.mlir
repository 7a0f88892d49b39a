// RUN: memrev-opt %s --gpu-thread-streams -verify-diagnostics | FileCheck %s
// RUN: memrev-opt %s --gpu-thread-streams=bare-ptr-entries=false | FileCheck %s --check-prefix=DESCRIPTOR

module attributes {gpu.container_module} {

gpu.module @k {
  gpu.func @scale(%x: memref<4xf32>, %f: f32) kernel {
    gpu.return
  }
}

// A public function is a wrapper: it tells the runtime the addresses and bytes
// of its buffers and what its scalars are, and its body runs on the stream that
// comes back. If none does, a recorded graph did the work.

// CHECK-DAG: llvm.mlir.global internal @entry_state() {{.*}} : !llvm.ptr
// CHECK-DAG: llvm.mlir.global internal constant @entry_name("entry\00")
// CHECK-DAG: llvm.mlir.global internal constant @product_library_description(dense<[0, 0, 77, 12, 8, 6, 1, 1, 1, 0, 1, 12, 8, 12, 12, 0, 0, 0, 0, 0, 0, 0, 0, 16, 4, 16, 16, 768]> : tensor<28xi64>) {{.*}} : !llvm.array<28 x i64>

// CHECK-LABEL: func @entry
//  CHECK-SAME:   (%[[X:.*]]: memref<4xf32>, %[[F:.*]]: f32, %[[N:.*]]: index) attributes {llvm.bareptr}
//   CHECK-DAG:   memref.extract_aligned_pointer_as_index %[[X]]
//   CHECK-DAG:   llvm.mlir.constant(16 : i64)
//   CHECK-DAG:   arith.bitcast %[[F]] : f32 to i32
//   CHECK-DAG:   arith.index_cast %[[N]] : index to i64
//   CHECK-DAG:   llvm.mlir.addressof @entry_name
//   CHECK-DAG:   llvm.mlir.addressof @entry_state
//       CHECK:   %[[RECORDABLE:.*]] = llvm.mlir.constant(1 : i32)
//       CHECK:   %[[S:.*]] = call @memrevCudaBeginCall({{.*}}, %[[RECORDABLE]])
//       CHECK:   %[[IF:.*]] = llvm.icmp "ne" %[[S]], %{{.*}} : !llvm.ptr
//       CHECK:   scf.if %[[IF]] {
//       CHECK:     call @entry_on_stream(%[[X]], %[[F]], %[[N]], %[[S]])
//       CHECK:   }
//       CHECK:   call @memrevCudaEndCall()
//       CHECK:   return

// CHECK-LABEL: func private @entry_on_stream
//  CHECK-SAME:   (%[[X:.*]]: memref<4xf32>, %[[F:.*]]: f32, %[[N:.*]]: index, %[[S:.*]]: !llvm.ptr)
//  CHECK-SAME:   llvm.bareptr, llvm.linkage = #llvm.linkage<internal>
//       CHECK:   scf.for
//       CHECK:     call @launch_scale({{.*}}, %[[X]], %[[F]], %[[S]])
//       CHECK:     call @helper(%[[X]], %[[S]])
func.func @entry(%x: memref<4xf32>, %f: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    gpu.launch_func @k::@scale blocks in (%n, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>, %f : f32)
    func.call @helper(%x) : (memref<4xf32>) -> ()
  }
  return
}

// Inside the module a public function is called by its body, on the stream of
// the caller.

// CHECK-LABEL: func private @helper
//  CHECK-SAME:   %[[S:[^:]*]]: !llvm.ptr
//       CHECK:   call @once_on_stream(%{{.*}}, %[[S]])
func.func private @helper(%x: memref<4xf32>) {
  func.call @once(%x) : (memref<4xf32>) -> ()
  return
}
func.func @once(%x: memref<4xf32>) {
  %c1 = arith.constant 1 : index
  %f = arith.constant 2.0 : f32
  gpu.launch_func @k::@scale blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>, %f : f32)
  return
}

// A loaded element comes back through the runtime. The body always runs, since
// what it does may depend on that.

// CHECK-LABEL: func @other(
//       CHECK:   %[[NOT:.*]] = llvm.mlir.constant(0 : i32)
//       CHECK:   %[[S:.*]] = call @memrevCudaBeginCall({{.*}}, %[[NOT]])
//   CHECK-NOT:   scf.if
//       CHECK:   %[[R:.*]] = call @other_on_stream(%{{.*}}, %[[S]])
//       CHECK:   return %[[R]]
// CHECK-LABEL: func private @other_on_stream
//  CHECK-SAME:   (%[[X:.*]]: memref<4xf32>, %[[S:.*]]: !llvm.ptr)
//       CHECK:   %[[SLOT:.*]] = llvm.alloca %{{.*}} x f32
//       CHECK:   memref.extract_strided_metadata %[[X]]
//       CHECK:   %[[BASE:.*]] = memref.extract_aligned_pointer_as_index %[[X]]
//       CHECK:   %[[A:.*]] = llvm.inttoptr
//       CHECK:   llvm.store %{{.*}}, %[[SLOT]]
//       CHECK:   call @mgpuMemcpy(%[[SLOT]], %[[A]], %{{.*}}, %[[S]])
//       CHECK:   call @mgpuStreamSynchronize(%[[S]])
//       CHECK:   %[[E:.*]] = llvm.load %[[SLOT]]
//       CHECK:   return %[[E]]
func.func @other(%x: memref<4xf32>) -> f32 {
  %c2 = arith.constant 2 : index
  // expected-remark @below {{the host reads this back and waits for it, so that calls are not recorded as CUDA graphs}}
  %0 = memref.load %x[%c2] : memref<4xf32>
  return %0 : f32
}

// Nor does what calls such a function do the same each time.

// CHECK-LABEL: func @indirect(
//       CHECK:   %[[NOT:.*]] = llvm.mlir.constant(0 : i32)
//       CHECK:   call @memrevCudaBeginCall({{.*}}, %[[NOT]])
func.func @indirect(%x: memref<4xf32>) {
  %0 = func.call @other(%x) : (memref<4xf32>) -> f32
  return
}

// A kernel that a library computes is a call of the runtime, with where each
// matrix is and the stream. The entry asks for the library before all else.

// CHECK-LABEL: func @multiply(
//       CHECK:   call @memrevCudaPrepareMatmul()
//       CHECK:   call @memrevCudaBeginCall(

// CHECK-LABEL: func private @multiply_on_stream
//  CHECK-SAME:   (%[[A:.*]]: memref<6x30xf32>, %[[B:.*]]: memref<6x12xf32>, %[[I:.*]]: index, %[[W:.*]]: memref<1024xi8>, %[[D:.*]]: memref<8x12xf32>, %[[S:.*]]: !llvm.ptr)
//   CHECK-DAG:   %[[DESCRIPTION:.*]] = llvm.mlir.addressof @product_library_description
//   CHECK-DAG:   %[[C30:.*]] = arith.constant 30 : index
//   CHECK-DAG:   arith.muli %[[I]], %[[C30]] : index
//   CHECK-DAG:   memref.extract_aligned_pointer_as_index %[[A]]
//       CHECK:   call @memrevCudaMatmul(%[[DESCRIPTION]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[S]])
//   CHECK-NOT:   @product_library(
func.func private @product_library(memref<6x30xf32>, memref<6x12xf32>, index, memref<1024xi8>, memref<8x12xf32>) attributes {memrev.kernel,
  memrev.matmul = {a = {alignment = 16 : i64, argument = 1 : i64, leading = 12 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false}, accumulates = true,
    b = {alignment = 4 : i64, argument = 0 : i64, leading = 8 : i64, offset = 7 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64: 2, 30>, transposed = true},
    c = {alignment = 16 : i64, argument = 4 : i64, leading = 12 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false}, compute = "tf32",
    d = {alignment = 16 : i64, argument = 4 : i64, leading = 12 : i64, offset = 0 : i64, step = 0 : i64, stride = 0 : i64, terms = array<i64>, transposed = false},
    library = "cublasLt", sizes = array<i64: 12, 8, 6, 1, 1>, types = [f32, f32], workspace = array<i64: 3, 768>}}
func.func @multiply(%a: memref<6x30xf32>, %b: memref<6x12xf32>, %i: index, %w: memref<1024xi8>, %d: memref<8x12xf32>) {
  call @product_library(%a, %b, %i, %w, %d) : (memref<6x30xf32>, memref<6x12xf32>, index, memref<1024xi8>, memref<8x12xf32>) -> ()
  return
}

// What does not use the device stays as it is.

// CHECK-LABEL: func @host_only
//  CHECK-SAME:   (%{{.*}}: f32) -> f32 {
func.func @host_only(%f: f32) -> f32 {
  %0 = arith.addf %f, %f : f32
  return %0 : f32
}

// Recordings end before the kernels are unloaded.

// CHECK-LABEL: llvm.func internal @forget_functions()
//       CHECK:   %[[SLOT:.*]] = llvm.mlir.addressof @entry_state
//       CHECK:   llvm.call @memrevCudaForgetFunction(%[[SLOT]])
//       CHECK: llvm.mlir.global_dtors dtors = [@forget_functions], priorities = [65535 : i32]

// One function for each kernel: the stack space of a launch is gone when it
// returns.

// CHECK: func private @launch_scale
// CHECK-SAME: %[[S:[^:]*]]: !llvm.ptr) attributes {{.*}}passthrough = ["noinline"]
// CHECK:   %[[T:.*]] = builtin.unrealized_conversion_cast %[[S]] : !llvm.ptr to !gpu.async.token
// CHECK:   gpu.launch_func async [%[[T]]] @k::@scale
// CHECK-NOT: @launch_scale(

// DESCRIPTOR-LABEL: func @entry
// DESCRIPTOR-NOT: llvm.bareptr
// DESCRIPTOR-LABEL: func private @entry_on_stream

}
