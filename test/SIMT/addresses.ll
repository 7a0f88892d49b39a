; Accesses of what is not there, and of what has no value.
; RUN: memrev-simt %s load f32:8=iota f32:1 i32=28 | FileCheck %s --check-prefix=LAST
; RUN: not memrev-simt %s load f32:8=iota f32:1 i32=32 2>&1 | FileCheck %s --check-prefix=END
; RUN: not memrev-simt %s load f32:8=iota f32:1 i32=-4 2>&1 | FileCheck %s --check-prefix=BEFORE
; RUN: not memrev-simt %s load f32:8=iota f32:1 i32=4096 2>&1 | FileCheck %s --check-prefix=FAR
; RUN: not memrev-simt %s load f32:8=iota f32:1 i32=2 2>&1 | FileCheck %s --check-prefix=MISALIGNED
; RUN: not memrev-simt %s vector f32:8=iota f32:4 i32=8 2>&1 | FileCheck %s --check-prefix=VECTOR
; RUN: memrev-simt %s vector f32:8=iota f32:4 i32=16 | FileCheck %s --check-prefix=ALIGNED
; RUN: not memrev-simt %s null 2>&1 | FileCheck %s --check-prefix=NULL
; RUN: memrev-simt %s dynamic f32:8 --block=8 --shared=32 | FileCheck %s --check-prefix=DYNAMIC
; RUN: not memrev-simt %s dynamic f32:8 --block=8 --shared=28 2>&1 | FileCheck %s --check-prefix=SHARED
; RUN: not memrev-simt %s uninitialized f32:1 --shared=32 2>&1 | FileCheck %s --check-prefix=UNINITIALIZED
; RUN: not memrev-simt %s as_shared f32:1 2>&1 | FileCheck %s --check-prefix=AS-SHARED
; RUN: memrev-simt %s constants f32:4 --block=4 | FileCheck %s --check-prefix=CONSTANTS
; RUN: not memrev-simt %s constants f32:5 --block=5 2>&1 | FileCheck %s --check-prefix=TABLE
; RUN: memrev-simt %s local f32:4 --block=4 | FileCheck %s --check-prefix=LOCAL
; RUN: not memrev-simt %s pass_local f32:4 --block=64 2>&1 | FileCheck %s --check-prefix=PASSED
; The limits of shared memory: 48 KiB, of which 32 bytes are static, without
; consent, which memrev-simt gives, 227 KiB of sm_90 and 163 KiB of sm_80 with.
; RUN: memrev-simt %s dynamic f32:8 --block=8 --shared=232416
; RUN: not memrev-simt %s dynamic f32:8 --block=8 --shared=232420 2>&1 | FileCheck %s --check-prefix=LIMIT
; RUN: env MEMREV_SIMT_CHIP=sm_80 memrev-simt %s dynamic f32:8 --block=8 --shared=166880
; RUN: env MEMREV_SIMT_CHIP=sm_80 not memrev-simt %s dynamic f32:8 --block=8 --shared=166884 2>&1 | FileCheck %s --check-prefix=LIMIT

target triple = "nvptx64-nvidia-cuda"

@static = internal addrspace(3) global [8 x float] undef, align 16
@dynamic_shared = external addrspace(3) global [0 x float], align 16
@table = internal unnamed_addr addrspace(4) constant [4 x float] [float 1.0, float 2.0, float 4.0, float 8.0], align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

; LAST: 1: 7
; END: illegal address in kernel 'load', block (0, 0, 0): thread (0, 0, 0) reads 4 bytes at 0x{{[0-9a-f]+}}, at byte 32 of an allocation of 32 bytes ('%x = load float, ptr %from, align 4')
; END: returns CUDA_ERROR_ILLEGAL_ADDRESS
; BEFORE: illegal address in kernel 'load', {{.*}} before all allocations
; FAR: illegal address in kernel 'load', {{.*}} at byte 4096 of an allocation of 32 bytes
; MISALIGNED: misaligned access in kernel 'load', {{.*}} which is not a multiple of 4
; MISALIGNED: returns CUDA_ERROR_MISALIGNED_ADDRESS
define ptx_kernel void @load(ptr %a, ptr %b, i32 %offset) {
  %from = getelementptr i8, ptr %a, i32 %offset
  %x = load float, ptr %from
  store float %x, ptr %b
  ret void
}

; VECTOR: misaligned access in kernel 'vector', {{.*}} reads 16 bytes {{.*}} which is not a multiple of 16
; ALIGNED: 1: 4 5 6 7
define ptx_kernel void @vector(ptr %a, ptr %b, i32 %offset) {
  %from = getelementptr i8, ptr %a, i32 %offset
  %x = load <4 x float>, ptr %from, align 16
  store <4 x float> %x, ptr %b, align 16
  ret void
}

; NULL: illegal address in kernel 'null', {{.*}} writes 4 bytes at 0x0, outside all memory
define ptx_kernel void @null() {
  store float 1.0, ptr null
  ret void
}

; DYNAMIC: 0: 7 6 5 4 3 2 1 0
; SHARED: illegal address in kernel 'dynamic', {{.*}} writes 4 bytes {{.*}} at byte 60 of the block's 60 bytes of shared memory
; LIMIT: cuFuncSetAttribute returns CUDA_ERROR_INVALID_VALUE
define ptx_kernel void @dynamic(ptr %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %x = uitofp i32 %t to float
  %first = getelementptr float, ptr addrspace(3) @static, i32 %t
  store float %x, ptr addrspace(3) %first
  %mine = getelementptr float, ptr addrspace(3) @dynamic_shared, i32 %t
  store float %x, ptr addrspace(3) %mine
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %u = sub i32 7, %t
  %other = getelementptr float, ptr addrspace(3) @dynamic_shared, i32 %u
  %y = load float, ptr addrspace(3) %other
  %to = getelementptr float, ptr %a, i32 %t
  store float %y, ptr %to
  ret void
}

; UNINITIALIZED: uninitialized memory in kernel 'uninitialized', {{.*}} reads shared byte 0 ('{{.*}}'), which no one wrote
define ptx_kernel void @uninitialized(ptr %a) {
  %x = load float, ptr addrspace(3) @dynamic_shared
  store float %x, ptr %a
  ret void
}

; AS-SHARED: illegal address in kernel 'as_shared', {{.*}} outside shared memory
define ptx_kernel void @as_shared(ptr %a) {
  %s = addrspacecast ptr %a to ptr addrspace(3)
  store float 1.0, ptr addrspace(3) %s
  ret void
}

; CONSTANTS: 0: 1 2 4 8
; TABLE: illegal address in kernel 'constants', {{.*}} outside all memory
define ptx_kernel void @constants(ptr %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %from = getelementptr float, ptr addrspace(4) @table, i32 %t
  %x = load float, ptr addrspace(4) %from
  %to = getelementptr float, ptr %a, i32 %t
  store float %x, ptr %to
  ret void
}

; Each thread has its own variables,
; LOCAL: 0: 0 2 4 6
define ptx_kernel void @local(ptr %a) {
  %v = alloca [2 x float], align 4
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %x = uitofp i32 %t to float
  %second = getelementptr float, ptr %v, i32 1
  store float %x, ptr %v
  store float %x, ptr %second
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %y = load float, ptr %v
  %z = load float, ptr %second
  %sum = fadd float %y, %z
  %to = getelementptr float, ptr %a, i32 %t
  store float %sum, ptr %to
  ret void
}

; which no other thread may use.
@passed = internal addrspace(3) global ptr undef, align 8
; PASSED: illegal address in kernel 'pass_local', {{.*}} reads 4 bytes {{.*}} outside all memory
define ptx_kernel void @pass_local(ptr %a) {
  %v = alloca float, align 4
  store float 1.0, ptr %v
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br i1 %first, label %pass, label %use
pass:
  store ptr %v, ptr addrspace(3) @passed
  br label %use
use:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %w = load ptr, ptr addrspace(3) @passed
  %x = load float, ptr %w
  ret void
}
