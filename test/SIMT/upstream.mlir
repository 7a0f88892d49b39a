// Matrix products as upstream's lowering of vectors to ldmatrix and mma.sync
// spreads them over a warp: a reading of the fragments that is not ours.
// DEFINE: %{lower} = mlir-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(convert-vector-to-gpu{use-nvgpu=true})))' \
// DEFINE:   | mlir-opt --gpu-lower-to-nvvm-pipeline='cubin-chip=sm_80 cubin-features=+ptx80 cubin-format=llvm opt-level=2 kernel-bare-ptr-calling-convention=1'
// RUN: %{lower} -o %t.mlir
// RUN: memrev-simt %t.mlir product f16:256=random f16:256=random f16:256=random --block=32 --reference=product_loops
// RUN: memrev-simt %t.mlir product_transposed f16:256=random f16:256=random f16:256=random --block=32 --reference=product_transposed_loops
// The first matrix transposed comes out wrong, as upstream swaps two of the
// tiles that it loads: a bug of LLVM 22 that the emulator has found.
// RUN: not memrev-simt %t.mlir transposed_product f16:256=random f16:256=random f16:256=random --block=32 --reference=transposed_product_loops 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: element {{.*}} of argument 2 is {{.*}}, but 'transposed_product_loops' has

#shared = #gpu.address_space<workgroup>
#transpose = affine_map<(d0, d1) -> (d1, d0)>
#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

module {
  gpu.module @kernels {
    gpu.func @product(%a: memref<16x16xf16>, %b: memref<16x16xf16>, %c: memref<16x16xf16>)
        workgroup(%sa: memref<16x16xf16, #shared>, %sb: memref<16x16xf16, #shared>) kernel {
      %zero = arith.constant 0.0 : f16
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c16 = arith.constant 16 : index
      %t = gpu.thread_id x
      %copies = arith.cmpi ult, %t, %c16 : index
      scf.if %copies {
        scf.for %i = %c0 to %c16 step %c1 {
          %x = memref.load %a[%t, %i] : memref<16x16xf16>
          memref.store %x, %sa[%t, %i] : memref<16x16xf16, #shared>
          %y = memref.load %b[%t, %i] : memref<16x16xf16>
          memref.store %y, %sb[%t, %i] : memref<16x16xf16, #shared>
        }
      }
      gpu.barrier
      %av = vector.transfer_read %sa[%c0, %c0], %zero {in_bounds = [true, true]}
          : memref<16x16xf16, #shared>, vector<16x16xf16>
      %bv = vector.transfer_read %sb[%c0, %c0], %zero {in_bounds = [true, true], permutation_map = #transpose}
          : memref<16x16xf16, #shared>, vector<8x16xf16>
      %cv = vector.transfer_read %c[%c0, %c0], %zero {in_bounds = [true, true]}
          : memref<16x16xf16>, vector<16x8xf16>
      %d = vector.contract {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"],
                            kind = #vector.kind<add>} %av, %bv, %cv
          : vector<16x16xf16>, vector<8x16xf16> into vector<16x8xf16>
      vector.transfer_write %d, %c[%c0, %c0] {in_bounds = [true, true]} : vector<16x8xf16>, memref<16x16xf16>
      gpu.return
    }

    gpu.func @product_loops(%a: memref<16x16xf16>, %b: memref<16x16xf16>, %c: memref<16x16xf16>) kernel {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      %c16 = arith.constant 16 : index
      scf.for %m = %c0 to %c16 step %c1 {
        scf.for %n = %c0 to %c8 step %c1 {
          %old = memref.load %c[%m, %n] : memref<16x16xf16>
          %new = scf.for %k = %c0 to %c16 step %c1 iter_args(%sum = %old) -> f16 {
            %x = memref.load %a[%m, %k] : memref<16x16xf16>
            %y = memref.load %b[%k, %n] : memref<16x16xf16>
            %xy = llvm.fmul %x, %y : f16
            %next = llvm.fadd %sum, %xy : f16
            scf.yield %next : f16
          }
          memref.store %new, %c[%m, %n] : memref<16x16xf16>
        }
      }
      gpu.return
    }

    gpu.func @product_transposed(%a: memref<16x16xf16>, %b: memref<16x16xf16>, %c: memref<16x16xf16>)
        workgroup(%sa: memref<16x16xf16, #shared>, %sb: memref<16x16xf16, #shared>) kernel {
      %zero = arith.constant 0.0 : f16
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c16 = arith.constant 16 : index
      %t = gpu.thread_id x
      %copies = arith.cmpi ult, %t, %c16 : index
      scf.if %copies {
        scf.for %i = %c0 to %c16 step %c1 {
          %x = memref.load %a[%t, %i] : memref<16x16xf16>
          memref.store %x, %sa[%t, %i] : memref<16x16xf16, #shared>
          %y = memref.load %b[%t, %i] : memref<16x16xf16>
          memref.store %y, %sb[%t, %i] : memref<16x16xf16, #shared>
        }
      }
      gpu.barrier
      %av = vector.transfer_read %sa[%c0, %c0], %zero {in_bounds = [true, true]}
          : memref<16x16xf16, #shared>, vector<16x16xf16>
      %bv = vector.transfer_read %sb[%c0, %c0], %zero {in_bounds = [true, true]}
          : memref<16x16xf16, #shared>, vector<8x16xf16>
      %cv = vector.transfer_read %c[%c0, %c0], %zero {in_bounds = [true, true]}
          : memref<16x16xf16>, vector<16x8xf16>
      %d = vector.contract {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"],
                            kind = #vector.kind<add>} %av, %bv, %cv
          : vector<16x16xf16>, vector<8x16xf16> into vector<16x8xf16>
      vector.transfer_write %d, %c[%c0, %c0] {in_bounds = [true, true]} : vector<16x8xf16>, memref<16x16xf16>
      gpu.return
    }

    gpu.func @product_transposed_loops(%a: memref<16x16xf16>, %b: memref<16x16xf16>, %c: memref<16x16xf16>) kernel {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      %c16 = arith.constant 16 : index
      scf.for %m = %c0 to %c16 step %c1 {
        scf.for %n = %c0 to %c8 step %c1 {
          %old = memref.load %c[%m, %n] : memref<16x16xf16>
          %new = scf.for %k = %c0 to %c16 step %c1 iter_args(%sum = %old) -> f16 {
            %x = memref.load %a[%m, %k] : memref<16x16xf16>
            %y = memref.load %b[%n, %k] : memref<16x16xf16>
            %xy = llvm.fmul %x, %y : f16
            %next = llvm.fadd %sum, %xy : f16
            scf.yield %next : f16
          }
          memref.store %new, %c[%m, %n] : memref<16x16xf16>
        }
      }
      gpu.return
    }

    gpu.func @transposed_product(%a: memref<16x16xf16>, %b: memref<16x16xf16>, %c: memref<16x16xf16>)
        workgroup(%sa: memref<16x16xf16, #shared>, %sb: memref<16x16xf16, #shared>) kernel {
      %zero = arith.constant 0.0 : f16
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c16 = arith.constant 16 : index
      %t = gpu.thread_id x
      %copies = arith.cmpi ult, %t, %c16 : index
      scf.if %copies {
        scf.for %i = %c0 to %c16 step %c1 {
          %x = memref.load %a[%t, %i] : memref<16x16xf16>
          memref.store %x, %sa[%t, %i] : memref<16x16xf16, #shared>
          %y = memref.load %b[%t, %i] : memref<16x16xf16>
          memref.store %y, %sb[%t, %i] : memref<16x16xf16, #shared>
        }
      }
      gpu.barrier
      %av = vector.transfer_read %sa[%c0, %c0], %zero {in_bounds = [true, true], permutation_map = #transpose}
          : memref<16x16xf16, #shared>, vector<16x16xf16>
      %bv = vector.transfer_read %sb[%c0, %c0], %zero {in_bounds = [true, true], permutation_map = #transpose}
          : memref<16x16xf16, #shared>, vector<8x16xf16>
      %cv = vector.transfer_read %c[%c0, %c0], %zero {in_bounds = [true, true]}
          : memref<16x16xf16>, vector<16x8xf16>
      %d = vector.contract {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"],
                            kind = #vector.kind<add>} %av, %bv, %cv
          : vector<16x16xf16>, vector<8x16xf16> into vector<16x8xf16>
      vector.transfer_write %d, %c[%c0, %c0] {in_bounds = [true, true]} : vector<16x8xf16>, memref<16x16xf16>
      gpu.return
    }

    gpu.func @transposed_product_loops(%a: memref<16x16xf16>, %b: memref<16x16xf16>, %c: memref<16x16xf16>) kernel {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      %c16 = arith.constant 16 : index
      scf.for %m = %c0 to %c16 step %c1 {
        scf.for %n = %c0 to %c8 step %c1 {
          %old = memref.load %c[%m, %n] : memref<16x16xf16>
          %new = scf.for %k = %c0 to %c16 step %c1 iter_args(%sum = %old) -> f16 {
            %x = memref.load %a[%k, %m] : memref<16x16xf16>
            %y = memref.load %b[%k, %n] : memref<16x16xf16>
            %xy = llvm.fmul %x, %y : f16
            %next = llvm.fadd %sum, %xy : f16
            scf.yield %next : f16
          }
          memref.store %new, %c[%m, %n] : memref<16x16xf16>
        }
      }
      gpu.return
    }

  }
}
