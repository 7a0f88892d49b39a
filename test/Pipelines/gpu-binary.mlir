// RUN: memrev-opt %s --memrev-gpu-binary="chip=sm_80" | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: memrev-opt %s --memrev-gpu-binary="chip=sm_90" | FileCheck %s --check-prefixes=CHECK,SM90
// RUN: memrev-opt %s --memrev-gpu-binary="chip=sm_90 ptx-version=80" | FileCheck %s --check-prefix=PTX80
// RUN: not memrev-opt %s --memrev-gpu-binary 2>&1 | FileCheck %s --check-prefix=NO-CHIP
// RUN: not memrev-opt %s --memrev-gpu-binary="chip=sm_90 format=elf" 2>&1 | FileCheck %s --check-prefix=FORMAT

// NO-CHIP: error: expects a chip to compile for, sm_90 for example
// FORMAT: error: expects the format isa, bin, fatbin, auto or llvm, but got 'elf'
// PTX80: .version 8.0\0A.target sm_90

#nhwc = affine_map<(n, h, w, c) -> (n, h, w, c)>
#channel = affine_map<(n, h, w, c) -> (c)>

// Everything is plain pointers and calls of the runtime.

// CHECK-LABEL: llvm.func @step(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: !llvm.ptr)
// CHECK:   llvm.call @memrevCudaBeginCall(
// CHECK:   llvm.cond_br
// CHECK:   llvm.call @step_on_stream
// CHECK:   llvm.call @memrevCudaEndCall()
// CHECK: llvm.func internal @step_on_stream
// CHECK:   llvm.cond_br
// CHECK:   llvm.call @launch_matmul
// CHECK: gpu.binary @memrev_kernels
// SM80-SAME: .version 7.0\0A.target sm_80
// SM90-SAME: .version 7.8\0A.target sm_90
// CHECK-NOT: .extern
// CHECK-SAME: .visible .entry fill(
// CHECK-SAME: st.global.b32
// CHECK-SAME: .visible .entry matmul(
// CHECK-SAME: mul.rn.f32
// CHECK-SAME: .visible .entry generic(
// CHECK-SAME: .visible .entry conv_2d_nhwc_hwcf(
// CHECK-SAME: .visible .entry generic_1(
// CHECK-SAME: sqrt.rn.f64

module {
  // A loop over stacked weights.
  func.func @step(%w: memref<8x16x16xf32>, %x: memref<4x16xf32>, %y: memref<4x16xf32>, %trips: index,
                  %arena: memref<256xi8>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %t = memref.view %arena[%c0][] : memref<256xi8> to memref<4x16xf32>
    scf.for %i = %c0 to %trips step %c1 {
      %wi = memref.subview %w[%i, 0, 0] [1, 16, 16] [1, 1, 1]
          : memref<8x16x16xf32> to memref<16x16xf32, strided<[16, 1], offset: ?>>
      linalg.fill ins(%zero : f32) outs(%t : memref<4x16xf32>)
      linalg.matmul ins(%x, %wi : memref<4x16xf32>, memref<16x16xf32, strided<[16, 1], offset: ?>>)
          outs(%t : memref<4x16xf32>)
      linalg.generic {
          indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
          iterator_types = ["parallel", "parallel"]}
          ins(%t : memref<4x16xf32>) outs(%y : memref<4x16xf32>) {
      ^bb0(%e: f32, %old: f32):
        %0 = math.tanh %e : f32
        %1 = arith.addf %0, %old : f32
        linalg.yield %1 : f32
      }
    }
    return
  }

  func.func @strided_conv(%x: memref<2x9x9x3xf32>, %w: memref<3x3x3x5xf32>, %y: memref<2x4x4x5xf32>) {
    linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
        ins(%x, %w : memref<2x9x9x3xf32>, memref<3x3x3x5xf32>) outs(%y : memref<2x4x4x5xf32>)
    return
  }

  func.func @norms(%x: memref<2x4x4x5xf64>, %y: memref<5xf64>) {
    linalg.generic {
        indexing_maps = [#nhwc, #channel],
        iterator_types = ["reduction", "reduction", "reduction", "parallel"]}
        ins(%x : memref<2x4x4x5xf64>) outs(%y : memref<5xf64>) {
    ^bb0(%e: f64, %sum: f64):
      %0 = math.absf %e : f64
      %1 = math.sqrt %0 : f64
      %2 = arith.addf %sum, %1 : f64
      linalg.yield %2 : f64
    }
    return
  }
}
