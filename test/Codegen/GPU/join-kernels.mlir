// RUN: memrev-opt %s --gpu-join-kernels | FileCheck %s

module attributes {gpu.container_module} {
  // Views and constants may come between, other launches may not.
  // CHECK-LABEL: func.func @runs
  func.func @runs(%a: memref<4xf32>, %b: memref<4xf32>, %arena: memref<64xi8>) {
    // CHECK: %[[VIEW:.*]] = memref.view
    // CHECK-NEXT: call @one_0_joined(%{{.*}}, %{{.*}}, %[[VIEW]]) : (memref<4xf32>, memref<4xf32>, memref<4xf32>) -> ()
    // CHECK-NEXT: call @many
    // CHECK-NEXT: call @one_0(
    // CHECK-NEXT: return
    call @one_0(%a, %b) : (memref<4xf32>, memref<4xf32>) -> ()
    %c0 = arith.constant 0 : index
    %v = memref.view %arena[%c0][] : memref<64xi8> to memref<4xf32>
    call @small(%v) : (memref<4xf32>) -> ()
    call @many(%a) : (memref<4xf32>) -> ()
    call @one_0(%a, %b) : (memref<4xf32>, memref<4xf32>) -> ()
    return
  }

  // Equal runs share a kernel. One on other threads that waits stays alone.
  // CHECK-LABEL: func.func @again
  func.func @again(%a: memref<4xf32>, %b: memref<4xf32>) {
    // CHECK: call @one_0_joined(
    // CHECK-NEXT: call @waits(
    // CHECK-NEXT: return
    call @one_0(%a, %b) : (memref<4xf32>, memref<4xf32>) -> ()
    call @small(%b) : (memref<4xf32>) -> ()
    call @waits(%a) : (memref<4xf32>) -> ()
    return
  }

  // CHECK: func.func private @one_0_joined(memref<4xf32>, memref<4xf32>, memref<4xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 1, 128, 16>}
  func.func private @one_0(memref<4xf32>, memref<4xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 1, 128, 16>}
  func.func private @small(memref<4xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 1, 64, 0>}
  func.func private @waits(memref<4xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 1, 64, 0>}
  func.func private @many(memref<4xf32>) attributes {memrev.kernel, memrev.launch = array<i64: 2, 128, 0>}

  gpu.module @memrev_kernels {
    llvm.func @one_0(%a: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %b: !llvm.ptr<1> {llvm.noalias}) attributes {gpu.kernel, nvvm.kernel} {
      %0 = llvm.load %a : !llvm.ptr<1> -> f32
      llvm.store %0, %b : f32, !llvm.ptr<1>
      llvm.return
    }
    llvm.func @small(%a: !llvm.ptr<1> {llvm.noalias}) attributes {gpu.kernel, nvvm.kernel} {
      %0 = llvm.mlir.constant(2.0 : f32) : f32
      llvm.store %0, %a : f32, !llvm.ptr<1>
      llvm.return
    }
    llvm.func @waits(%a: !llvm.ptr<1> {llvm.noalias}) attributes {gpu.kernel, nvvm.kernel} {
      nvvm.barrier0
      llvm.return
    }
    llvm.func @many(%a: !llvm.ptr<1> {llvm.noalias}) attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
    // What is said of aliases does not hold any more, and the smaller part runs
    // on its own threads.
    // CHECK: llvm.func @one_0_joined(%[[A:.*]]: !llvm.ptr<1>, %[[B:.*]]: !llvm.ptr<1>, %[[C:.*]]: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 128>}
    // CHECK-NEXT: %[[V:.*]] = llvm.load %[[A]]
    // CHECK-NEXT: llvm.store %[[V]], %[[B]]
    // CHECK-NEXT: nvvm.barrier
    // CHECK: %[[RUNS:.*]] = arith.cmpi ult, %{{.*}}, %{{.*}} : i32
    // CHECK-NEXT: scf.if %[[RUNS]]
    // CHECK: llvm.store %{{.*}}, %[[C]]
    // CHECK: llvm.return
  }
}
