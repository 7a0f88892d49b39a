// RUN: memrev-compile %s --target=cuda --chip=sm_90 --until=bufferize | FileCheck %s
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --emit=ptx -o - | FileCheck %s --check-prefix=PTX

// Buffers of parallel iterations, which one thread of the host launches, are in
// the arena: kernels do not see the host's stack.

// CHECK: scf.forall
// CHECK-NOT: memref.alloca
// CHECK: memref.view %{{.*}} : memref<64xi8> to memref<2xf32>
// CHECK: call @generic_0
// PTX: .visible .entry
func.func @squares(%x: tensor<4xf32>) -> tensor<4xf32> {
  %3 = scf.forall (%i) = (0) to (4) step (2) shared_outs(%o = %x) -> (tensor<4xf32>) {
    %a = tensor.extract_slice %x[%i] [2] [1] : tensor<4xf32> to tensor<2xf32>
    %b = arith.mulf %a, %a : tensor<2xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %b into %o[%i] [2] [1] : tensor<2xf32> into tensor<4xf32>
    }
  }
  return %3 : tensor<4xf32>
}
