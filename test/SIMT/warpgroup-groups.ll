; Groups of products of a warpgroup, which read shared memory until they are
; waited for.
; RUN: memrev-simt %s groups i32=0 f32:512 --block=128 | FileCheck %s
; CHECK: 1: 8 8 8 8
; The first group has been waited for, the second has not.
; RUN: not memrev-simt %s groups i32=2304 f32:512 --block=128 2>&1 | FileCheck %s --check-prefix=SECOND
; RUN: sed -e 's/wait_group.sync.aligned(i64 1)/wait_group.sync.aligned(i64 2)/' %s | not memrev-simt - groups i32=0 f32:512 --block=128 2>&1 | FileCheck %s --check-prefix=SECOND
; SECOND: race in kernel 'groups', {{.*}} writes shared byte {{.*}}, and an asynchronous operation read it ('%{{.*}} = call { float, float, float, float } asm
; RUN: sed -e '/; fence$/d' %s | not memrev-simt - groups i32=0 f32:512 --block=128 2>&1 | FileCheck %s --check-prefix=FENCE
; FENCE: race in kernel 'groups', {{.*}} an asynchronous operation of thread {{.*}} reads shared byte
; RUN: not memrev-simt %s groups i32=0 f32:512 --block=64 2>&1 | FileCheck %s --check-prefix=SMALL
; SMALL: expects a warpgroup of 128 threads, but the block ends before
; RUN: sed -e 's/call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0) ; converged/br i1 %first, label %early, label %go/' %s | not memrev-simt - groups i32=0 f32:512 --block=128 2>&1 | FileCheck %s --check-prefix=ENDED
; ENDED: {{expects all threads of its warpgroup, but thread \(0, 0, 0\) has ended|deadlock in kernel 'groups'}}

target triple = "nvptx64-nvidia-cuda"

; Two stages of 64 x 16 and 16 x 8 numbers, in pieces of 8 rows of 16 bytes.
@stages = internal addrspace(3) global [2304 x half] undef, align 128
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.fence.proxy.async.shared_cta()
declare void @llvm.nvvm.wgmma.fence.sync.aligned()
declare void @llvm.nvvm.wgmma.commit_group.sync.aligned()
declare void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64)

; The next piece along k is 128 bytes away, the next rows 256.
define internal i64 @describe(ptr addrspace(3) %p) {
  %address = ptrtoint ptr addrspace(3) %p to i64
  %low = and i64 %address, 262143
  %start = lshr i64 %low, 4
  %d = or i64 %start, 68720001024
  ret i64 %d
}

define ptx_kernel void @groups(i32 %reused, ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br label %fill
fill:
  %i = phi i32 [ %t, %0 ], [ %j, %fill ]
  %p = getelementptr half, ptr addrspace(3) @stages, i32 %i
  store half 0xH3800, ptr addrspace(3) %p
  %j = add i32 %i, 128
  %more = icmp ult i32 %j, 2304
  br i1 %more, label %fill, label %filled
filled:
  call void @llvm.nvvm.fence.proxy.async.shared_cta() ; fence
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0) ; converged
  br label %go
go:
  %b0 = getelementptr half, ptr addrspace(3) @stages, i32 1024
  %a1 = getelementptr half, ptr addrspace(3) @stages, i32 1152
  %b1 = getelementptr half, ptr addrspace(3) @stages, i32 2176
  %da0 = call i64 @describe(ptr addrspace(3) @stages)
  %db0 = call i64 @describe(ptr addrspace(3) %b0)
  %da1 = call i64 @describe(ptr addrspace(3) %a1)
  %db1 = call i64 @describe(ptr addrspace(3) %b1)
  call void @llvm.nvvm.wgmma.fence.sync.aligned()
  %r0 = call { float, float, float, float } asm sideeffect "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {$0, $1, $2, $3}, $8, $9, 0, 1, 1, 0, 0;", "=f,=f,=f,=f,0,1,2,3,l,l"(float 0.0, float 0.0, float 0.0, float 0.0, i64 %da0, i64 %db0)
  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()
  %c0 = extractvalue { float, float, float, float } %r0, 0
  %c1 = extractvalue { float, float, float, float } %r0, 1
  %c2 = extractvalue { float, float, float, float } %r0, 2
  %c3 = extractvalue { float, float, float, float } %r0, 3
  %r1 = call { float, float, float, float } asm sideeffect "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {$0, $1, $2, $3}, $8, $9, 1, 1, 1, 0, 0;", "=f,=f,=f,=f,0,1,2,3,l,l"(float %c0, float %c1, float %c2, float %c3, i64 %da1, i64 %db1)
  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()
  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 1)
  %q = getelementptr i8, ptr addrspace(3) @stages, i32 %reused
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %first, label %reuse, label %finish
reuse:
  store half 0.0, ptr addrspace(3) %q
  br label %finish
finish:
  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)
  %d0 = extractvalue { float, float, float, float } %r1, 0
  %k = mul i32 %t, 4
  %to = getelementptr float, ptr %out, i32 %k
  store float %d0, ptr %to
  %d1 = extractvalue { float, float, float, float } %r1, 1
  %to1 = getelementptr float, ptr %to, i32 1
  store float %d1, ptr %to1
  %d2 = extractvalue { float, float, float, float } %r1, 2
  %to2 = getelementptr float, ptr %to, i32 2
  store float %d2, ptr %to2
  %d3 = extractvalue { float, float, float, float } %r1, 3
  %to3 = getelementptr float, ptr %to, i32 3
  store float %d3, ptr %to3
  ret void
early:
  ret void
}
