; A warp hands numbers to another one through two places, each with a barrier for
; when it is full and one for when it is empty.
; RUN: memrev-simt %s pipeline i32:256 --block=64 | FileCheck %s
; RUN: env MEMREV_SIMT_SCHEDULES=8 memrev-simt %s pipeline i32:256 --block=64 | FileCheck %s
; CHECK: 0: 0 1 2 {{.*}} 31 100 101 {{.*}} 731{{$}}
; RUN: sed -e '/; wait full/d' %s | not memrev-simt - pipeline i32:256 --block=64 2>&1 | FileCheck %s --check-prefix=RACE
; RUN: sed -e '/; wait empty/d' %s | not memrev-simt - pipeline i32:256 --block=64 2>&1 | FileCheck %s --check-prefix=EMPTY
; RUN: sed -e '/; arrive full/d' %s | not memrev-simt - pipeline i32:256 --block=64 2>&1 | FileCheck %s --check-prefix=DEADLOCK
; RUN: sed -e '/; arrive empty/d' %s | not memrev-simt - pipeline i32:256 --block=64 2>&1 | FileCheck %s --check-prefix=DEADLOCK
; RUN: sed -e 's/i32 32) ; init/i32 31) ; init/' %s | not memrev-simt - pipeline i32:256 --block=64 2>&1 | FileCheck %s --check-prefix=MORE
; RUN: sed -e '/; initialized/d' %s | not memrev-simt - pipeline i32:256 --block=64 2>&1 | FileCheck %s --check-prefix=INIT
; RUN: not memrev-simt %s twice --block=1 2>&1 | FileCheck %s --check-prefix=TWICE
; RUN: not memrev-simt %s parity --block=1 2>&1 | FileCheck %s --check-prefix=PARITY
; RUN: memrev-simt %s copies f32:32=iota f32:32 --block=32 | FileCheck %s --check-prefix=COPIES
; RUN: sed -e '/; arrive copies/d' %s | not memrev-simt - copies f32:32=iota f32:32 --block=32 2>&1 | FileCheck %s --check-prefix=DEADLOCK
; RUN: sed -e 's/; instead //' -e '/; arrive copies/d' %s | not memrev-simt - copies f32:32=iota f32:32 --block=32 2>&1 | FileCheck %s --check-prefix=RACE

; RACE: {{race|uninitialized memory}} in kernel
; A barrier whose phases no one waits for gets arrivals it does not expect.
; EMPTY: {{race in kernel|uninitialized memory|arrives 1 times at a memory barrier that expects 0 more|deadlock}}
; DEADLOCK: deadlock in kernel
; MORE: {{uninitialized memory|arrives 1 times at a memory barrier|race in kernel|deadlock}}
; INIT: {{race in kernel|uninitialized memory|expects a memory barrier that has been initialized}}

target triple = "nvptx64-nvidia-cuda"

@places = internal addrspace(3) global [64 x i32] undef, align 4
@full = internal addrspace(3) global [2 x i64] undef, align 8
@empty = internal addrspace(3) global [2 x i64] undef, align 8
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3))
declare i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3), i32)
declare void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.mbarrier.arrive.noinc.shared(ptr addrspace(3))

define internal void @wait(ptr addrspace(3) %bar, i32 %parity) {
  br label %again
again:
  %done = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) %bar, i32 %parity)
  br i1 %done, label %over, label %again
over:
  ret void
}

define ptx_kernel void @pipeline(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %e1 = getelementptr i64, ptr addrspace(3) @empty, i32 1
  %f1 = getelementptr i64, ptr addrspace(3) @full, i32 1
  %first = icmp eq i32 %t, 0
  br i1 %first, label %init, label %go
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @full, i32 32) ; init
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %f1, i32 32) ; init
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @empty, i32 32) ; init
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %e1, i32 32) ; init
  br label %go
go:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0) ; initialized
  %produces = icmp ult i32 %t, 32
  %lane = urem i32 %t, 32
  br label %next
next:
  %i = phi i32 [ 0, %go ], [ %j, %end ]
  %place = urem i32 %i, 2
  %round = udiv i32 %i, 2
  %parity = urem i32 %round, 2
  %other = xor i32 %parity, 1
  %f = getelementptr i64, ptr addrspace(3) @full, i32 %place
  %e = getelementptr i64, ptr addrspace(3) @empty, i32 %place
  %half = mul i32 %place, 32
  %at = add i32 %half, %lane
  %p = getelementptr i32, ptr addrspace(3) @places, i32 %at
  br i1 %produces, label %produce, label %consume
produce:
  call void @wait(ptr addrspace(3) %e, i32 %other) ; wait empty
  %hundreds = mul i32 %i, 100
  %x = add i32 %hundreds, %lane
  store i32 %x, ptr addrspace(3) %p
  %s0 = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) %f) ; arrive full
  br label %end
consume:
  call void @wait(ptr addrspace(3) %f, i32 %parity) ; wait full
  %y = load i32, ptr addrspace(3) %p
  %s1 = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) %e) ; arrive empty
  %base = mul i32 %i, 32
  %k = add i32 %base, %lane
  %to = getelementptr i32, ptr %out, i32 %k
  store i32 %y, ptr %to
  br label %end
end:
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, 8
  br i1 %more, label %next, label %done
done:
  ret void
}

; TWICE: initializes a memory barrier that is in use already
define ptx_kernel void @twice() {
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @full, i32 32)
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @full, i32 32)
  ret void
}

; PARITY: expects the parity of a phase, 0 or 1, but got 2
define ptx_kernel void @parity() {
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @full, i32 1)
  call void @wait(ptr addrspace(3) @full, i32 2)
  ret void
}

; A barrier that asynchronous copies arrive at.
; COPIES: 1: 31 30 {{.*}} 1 0{{$}}
define ptx_kernel void @copies(ptr %a, ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br i1 %first, label %init, label %go
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @full, i32 32)
  br label %go
go:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %from = getelementptr float, ptr %a, i32 %t
  %global = addrspacecast ptr %from to ptr addrspace(1)
  %to = getelementptr float, ptr addrspace(3) @places, i32 %t
  call void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3) %to, ptr addrspace(1) %global)
  call void @llvm.nvvm.cp.async.mbarrier.arrive.noinc.shared(ptr addrspace(3) @full) ; arrive copies
  ; instead %s = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) @full)
  call void @wait(ptr addrspace(3) @full, i32 0)
  %u = sub i32 31, %t
  %other = getelementptr float, ptr addrspace(3) @places, i32 %u
  %x = load float, ptr addrspace(3) %other
  %out = getelementptr float, ptr %b, i32 %t
  store float %x, ptr %out
  ret void
}
