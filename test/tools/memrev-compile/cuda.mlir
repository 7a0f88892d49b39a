// All that memrev-compile makes for GPUs.
// RUN: memrev-compile %s --target=cuda --chip=sm_80 --emit=ptx -o - | FileCheck %s --check-prefixes=PTX,SM80
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --emit=ptx -o - | FileCheck %s --check-prefixes=PTX,SM90
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --fp32-precision=tf32 --emit=ptx -o - | FileCheck %s --check-prefix=TF32
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --emit=llvm -o - | FileCheck %s --check-prefix=LLVM
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --contractions=vendor --emit=llvm -o - | FileCheck %s --check-prefix=VENDOR
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --contractions=vendor --emit=so --kernel-format=ptx --report=memory -o %t.so | FileCheck %s --check-prefix=REPORT
// RUN: memrev-compile %s --target=cuda --chip=sm_90 --until=schedule | FileCheck %s --check-prefix=SCHEDULE

// SM80: .target sm_80
// SM90: .target sm_90
// PTX-NOT: .extern .func
// PTX: .visible .entry
// TF32: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// LLVM: define {{.*}}void @step(ptr
// VENDOR: call void @memrevCudaMatmul(ptr {{.*}}@matmul_{{.*}}_library_description
// REPORT: 33024 bytes {{.*}} (memref<33024xi8>)
// SCHEDULE: memrev.launch
// SCHEDULE: gpu.module

// Host memory is nowhere touched: a loss of two couplings and its gradients.
func.func private @loss(%x1: tensor<8x16xf32>, %x2: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> f32 {
  %zero = arith.constant 0.0 : f32
  %y1 = rev.coupling additive %x1 given(%x2) {
  ^bb0(%c: tensor<8x16xf32>):
    %e = tensor.empty() : tensor<8x16xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x16xf32>) -> tensor<8x16xf32>
    %m = linalg.matmul ins(%c, %w : tensor<8x16xf32>, tensor<16x16xf32>) outs(%z : tensor<8x16xf32>) -> tensor<8x16xf32>
    %t = math.tanh %m : tensor<8x16xf32>
    rev.yield %t : tensor<8x16xf32>
  } : tensor<8x16xf32>, (tensor<8x16xf32>)
  %p = linalg.mul ins(%y1, %x2 : tensor<8x16xf32>, tensor<8x16xf32>) outs(%y1 : tensor<8x16xf32>) -> tensor<8x16xf32>
  %flat = tensor.collapse_shape %p [[0, 1]] : tensor<8x16xf32> into tensor<128xf32>
  %many = tensor.empty() : tensor<4x128xf32>
  %b = linalg.broadcast ins(%flat : tensor<128xf32>) outs(%many : tensor<4x128xf32>) dimensions = [0]
  %s = tensor.empty() : tensor<f32>
  %sz = linalg.fill ins(%zero : f32) outs(%s : tensor<f32>) -> tensor<f32>
  %r = linalg.reduce { arith.addf } ins(%b : tensor<4x128xf32>) outs(%sz : tensor<f32>) dimensions = [0, 1]
  %l = tensor.extract %r[] : tensor<f32>
  return %l : f32
}

func.func @step(%x1: tensor<8x16xf32>, %x2: tensor<8x16xf32>, %w: tensor<16x16xf32>) -> (f32, tensor<16x16xf32>) {
  %l, %dw = rev.value_and_grad @loss(%x1, %x2, %w) wrt [2]
      : (tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>) -> (f32, tensor<16x16xf32>)
  return %l, %dw : f32, tensor<16x16xf32>
}
