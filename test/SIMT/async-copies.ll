; cp.async, which lands when it starts or not before it is waited for.
; RUN: env MEMREV_SIMT_ASYNC=issue memrev-simt %s two_stages f32:128=iota f32:128 --block=32 | FileCheck %s
; RUN: env MEMREV_SIMT_ASYNC=wait memrev-simt %s two_stages f32:128=iota f32:128 --block=32 | FileCheck %s
; CHECK: 1: 124 125 126 127 120 121 122 123 {{.*}} 0 1 2 3{{$}}
; One group too few is waited for: a race in both modes, and wrong in one.
; RUN: env MEMREV_SIMT_ASYNC=issue not memrev-simt %s one_group_late f32:128=iota f32:128 --block=32 2>&1 | FileCheck %s --check-prefix=LATE
; RUN: env MEMREV_SIMT_ASYNC=wait not memrev-simt %s one_group_late f32:128=iota f32:128 --block=32 2>&1 | FileCheck %s --check-prefix=LATE
; RUN: env MEMREV_SIMT_ASYNC=wait MEMREV_SIMT_CONTINUE=1 memrev-simt %s one_group_late f32:128=iota f32:128 --block=32 2>&1 | FileCheck %s --check-prefix=WRONG
; LATE: race in kernel 'one_group_late', {{.*}} reads shared byte {{.*}} ('%x = load <4 x float>, {{.*}}'), and an asynchronous copy of thread ({{[0-9]+}}, 0, 0) wrote it ('call void @llvm.nvvm.cp.async.cg.shared.global.16
; WRONG: 1: {{.*}}nan
; Waiting is for a thread's own copies.
; RUN: not memrev-simt %s no_barrier f32:128=iota f32:128 --block=32 2>&1 | FileCheck %s --check-prefix=NO-BARRIER
; NO-BARRIER: {{race|uninitialized memory}} in kernel 'no_barrier'
; RUN: not memrev-simt %s reused f32:128=iota f32:128 --block=32 2>&1 | FileCheck %s --check-prefix=REUSED
; REUSED: race in kernel 'reused', block (0, 0, 0): {{.*}}asynchronous copy of thread ({{[0-9]+}}, 0, 0)
; RUN: memrev-simt %s zero_fill f32:128=iota f32:128 --block=32 | FileCheck %s --check-prefix=ZERO
; ZERO: 1: 0 1 0 0 4 5 0 0 {{.*}} 124 125 0 0{{$}}
; RUN: not memrev-simt %s too_many f32:128=iota --block=32 2>&1 | FileCheck %s --check-prefix=MANY
; MANY: expects at most 16 bytes to read, but got 20
; RUN: not memrev-simt %s zero_fill f32:124=iota f32:128 --block=32 2>&1 | FileCheck %s --check-prefix=END
; END: illegal address in kernel 'zero_fill', {{.*}} reads 8 bytes {{.*}} at byte 496 of an allocation of 496 bytes
; RUN: not memrev-simt %s misaligned f32:132=iota --block=32 2>&1 | FileCheck %s --check-prefix=MISALIGNED
; MISALIGNED: misaligned access in kernel 'misaligned', {{.*}} which is not a multiple of 16

target triple = "nvptx64-nvidia-cuda"

@shared = internal addrspace(3) global [128 x float] undef, align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.bar.warp.sync(i32)
declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.ca.shared.global.16.s(ptr addrspace(3), ptr addrspace(1), i32)
declare void @llvm.nvvm.cp.async.commit.group()
declare void @llvm.nvvm.cp.async.wait.group(i32 immarg)
declare void @llvm.nvvm.cp.async.wait.all()

define internal void @start(ptr %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %i = mul i32 %t, 4
  %from = getelementptr float, ptr %a, i32 %i
  %global = addrspacecast ptr %from to ptr addrspace(1)
  %to = getelementptr float, ptr addrspace(3) @shared, i32 %i
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %to, ptr addrspace(1) %global)
  ret void
}

; Each thread reads what the last but its number copied.
define internal void @use(ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %i = mul i32 %t, 4
  %j = sub i32 124, %i
  %from = getelementptr float, ptr addrspace(3) @shared, i32 %j
  %x = load <4 x float>, ptr addrspace(3) %from, align 16
  %to = getelementptr float, ptr %b, i32 %i
  store <4 x float> %x, ptr %to, align 16
  ret void
}

define ptx_kernel void @two_stages(ptr %a, ptr %b) {
  call void @start(ptr %a)
  call void @llvm.nvvm.cp.async.commit.group()
  call void @llvm.nvvm.cp.async.commit.group()
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  call void @use(ptr %b)
  ret void
}

define ptx_kernel void @one_group_late(ptr %a, ptr %b) {
  call void @llvm.nvvm.cp.async.commit.group()
  call void @start(ptr %a)
  call void @llvm.nvvm.cp.async.commit.group()
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  call void @use(ptr %b)
  ret void
}

define ptx_kernel void @no_barrier(ptr %a, ptr %b) {
  call void @start(ptr %a)
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  call void @llvm.nvvm.cp.async.wait.all()
  call void @use(ptr %b)
  ret void
}

; The next copy starts while others may still read.
define ptx_kernel void @reused(ptr %a, ptr %b) {
  call void @start(ptr %a)
  call void @llvm.nvvm.cp.async.wait.all()
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  call void @use(ptr %b)
  call void @start(ptr %a)
  ret void
}

define ptx_kernel void @zero_fill(ptr %a, ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %i = mul i32 %t, 4
  %from = getelementptr float, ptr %a, i32 %i
  %global = addrspacecast ptr %from to ptr addrspace(1)
  %to = getelementptr float, ptr addrspace(3) @shared, i32 %i
  call void @llvm.nvvm.cp.async.ca.shared.global.16.s(ptr addrspace(3) %to, ptr addrspace(1) %global, i32 8)
  call void @llvm.nvvm.cp.async.wait.all()
  %x = load <4 x float>, ptr addrspace(3) %to, align 16
  %out = getelementptr float, ptr %b, i32 %i
  store <4 x float> %x, ptr %out, align 16
  ret void
}

define ptx_kernel void @too_many(ptr %a) {
  %global = addrspacecast ptr %a to ptr addrspace(1)
  call void @llvm.nvvm.cp.async.ca.shared.global.16.s(ptr addrspace(3) @shared, ptr addrspace(1) %global, i32 20)
  ret void
}

define ptx_kernel void @misaligned(ptr %a) {
  %next = getelementptr float, ptr %a, i32 1
  call void @start(ptr %next)
  ret void
}
