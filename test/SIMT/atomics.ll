; What atomic operations and fences order, between blocks too.
; The last block to come adds up what each has written.
; RUN: memrev-simt %s last_block i32:5 i32:1=zero i32:1 --grid=5 --block=64 | FileCheck %s
; RUN: env MEMREV_SIMT_SEED=3 memrev-simt %s last_block i32:5 i32:1=zero i32:1 --grid=5 --block=64 | FileCheck %s
; CHECK: 2: 30
; Without one of both fences it does not know of the others.
; RUN: sed -e '/; before/d' %s | not memrev-simt - last_block i32:5 i32:1=zero i32:1 --grid=5 --block=64 2>&1 | FileCheck %s --check-prefix=RACE
; RUN: sed -e '/; after/d' %s | not memrev-simt - last_block i32:5 i32:1=zero i32:1 --grid=5 --block=64 2>&1 | FileCheck %s --check-prefix=RACE
; RACE: race in kernel 'last_block', block ({{[0-4]}}, 0, 0): thread (0, 0, 0) reads global address {{.*}}, and another block wrote it ('store i32 %
; The orders of atomic operations do the same.
; RUN: sed -e '/; before/d' -e '/; after/d' -e 's/1 monotonic/1 acq_rel/' %s | memrev-simt - last_block i32:5 i32:1=zero i32:1 --grid=5 --block=64 | FileCheck %s
; RUN: sed -e '/; before/d' -e '/; after/d' -e 's/1 monotonic/1 release/' %s | not memrev-simt - last_block i32:5 i32:1=zero i32:1 --grid=5 --block=64 2>&1 | FileCheck %s --check-prefix=RACE
; RUN: sed -e 's/call void @llvm.nvvm.membar.gl()/fence syncscope("device") acq_rel/' %s | memrev-simt - last_block i32:5 i32:1=zero i32:1 --grid=5 --block=64 | FileCheck %s
; The fence of a thread is for what it knew then.
; RUN: sed -e '/; barrier/d' %s | not memrev-simt - last_block i32:5 i32:1=zero i32:1 --grid=5 --block=64 2>&1 | FileCheck %s --check-prefix=BARRIER
; BARRIER: {{race|uninitialized memory}} in kernel 'last_block'
; A flag, written and read.
; RUN: memrev-simt %s flag i32:1 --block=2 | FileCheck %s --check-prefix=FLAG
; FLAG: 0: 7
; RUN: sed -e 's/release/monotonic/' %s | not memrev-simt - flag i32:1 --block=2 2>&1 | FileCheck %s --check-prefix=NO-RELEASE
; RUN: sed -e 's/acquire/monotonic/' %s | not memrev-simt - flag i32:1 --block=2 2>&1 | FileCheck %s --check-prefix=NO-RELEASE
; NO-RELEASE: race in kernel 'flag', block (0, 0, 0): thread (1, 0, 0) reads shared byte
; Another access that is not atomic is a race.
; RUN: sed -e 's/store atomic i32 1, ptr addrspace(3) @flag_ release/store i32 1, ptr addrspace(3) @flag_/' %s | not memrev-simt - flag i32:1 --block=2 2>&1 | FileCheck %s --check-prefix=PLAIN
; PLAIN: race in kernel 'flag'
; Many blocks read what the last one writes.
; RUN: not memrev-simt %s many_blocks i32:1=zero i32:1=zero --grid=4 2>&1 | FileCheck %s --check-prefix=MANY
; MANY: race in kernel 'many_blocks', block ({{.}}, 0, 0): thread (0, 0, 0) writes global address {{.*}}, and another block read it

target triple = "nvptx64-nvidia-cuda"

@sum = internal addrspace(3) global [2 x i32] undef, align 4
@flag_ = internal addrspace(3) global i32 undef, align 4
@data = internal addrspace(3) global i32 undef, align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.membar.gl()

; Both warps write a part of the block's result, the number of the block plus
; one, and thread 0 adds them.
define ptx_kernel void @last_block(ptr %parts, ptr %count, ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %n = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  %lane = urem i32 %t, 32
  %warp = udiv i32 %t, 32
  %leads = icmp eq i32 %lane, 0
  br i1 %leads, label %part, label %met
part:
  %b1 = add i32 %b, 1
  %p = getelementptr i32, ptr addrspace(3) @sum, i32 %warp
  store i32 %b1, ptr addrspace(3) %p
  br label %met
met:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0) ; barrier
  %first = icmp eq i32 %t, 0
  br i1 %first, label %write, label %done
write:
  %p1 = getelementptr i32, ptr addrspace(3) @sum, i32 1
  %x0 = load i32, ptr addrspace(3) @sum
  %x1 = load i32, ptr addrspace(3) %p1
  %x = add i32 %x0, %x1
  %to = getelementptr i32, ptr %parts, i32 %b
  store i32 %x, ptr %to
  call void @llvm.nvvm.membar.gl() ; before
  %old = atomicrmw add ptr %count, i32 1 monotonic
  %next = add i32 %old, 1
  %last = icmp eq i32 %next, %n
  br i1 %last, label %collect, label %done
collect:
  call void @llvm.nvvm.membar.gl() ; after
  br label %loop
loop:
  %i = phi i32 [ 0, %collect ], [ %j, %loop ]
  %s = phi i32 [ 0, %collect ], [ %s1, %loop ]
  %from = getelementptr i32, ptr %parts, i32 %i
  %y = load i32, ptr %from
  %s1 = add i32 %s, %y
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, %n
  br i1 %more, label %loop, label %store
store:
  store i32 %s1, ptr %out
  ret void
done:
  ret void
}

define ptx_kernel void @flag(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br i1 %first, label %init, label %go
init:
  store i32 0, ptr addrspace(3) @flag_
  br label %go
go:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %first, label %write, label %wait
write:
  store i32 7, ptr addrspace(3) @data
  store atomic i32 1, ptr addrspace(3) @flag_ release, align 4
  ret void
wait:
  %f = load atomic i32, ptr addrspace(3) @flag_ acquire, align 4
  %set = icmp eq i32 %f, 1
  br i1 %set, label %read, label %wait
read:
  %x = load i32, ptr addrspace(3) @data
  store i32 %x, ptr %out
  ret void
}

define ptx_kernel void @many_blocks(ptr %a, ptr %count) {
  %n = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  %x = load i32, ptr %a
  %old = atomicrmw add ptr %count, i32 1 monotonic
  %next = add i32 %old, 1
  %last = icmp eq i32 %next, %n
  br i1 %last, label %write, label %done
write:
  store i32 1, ptr %a
  ret void
done:
  ret void
}
