; Barriers of all threads, of some warps, and with a reduction.
; RUN: memrev-simt %s named i32:128 --block=128 | FileCheck %s --check-prefix=NAMED
; RUN: not memrev-simt %s consumer_first i32:64 --block=128 2>&1 | FileCheck %s --check-prefix=CONSUMER
; RUN: memrev-simt %s count i32:96 --block=96 | FileCheck %s --check-prefix=COUNT
; RUN: not memrev-simt %s half_a_warp i32:96 --block=96 2>&1 | FileCheck %s --check-prefix=HALF
; RUN: not memrev-simt %s two_places i32:32 --block=32 2>&1 | FileCheck %s --check-prefix=TWO
; RUN: not memrev-simt %s returned i32:64 --block=64 2>&1 | FileCheck %s --check-prefix=RETURNED
; RUN: not memrev-simt %s not_a_warp i32:64 --block=64 2>&1 | FileCheck %s --check-prefix=NOT-A-WARP
; RUN: not memrev-simt %s two_counts i32:64 --block=96 2>&1 | FileCheck %s --check-prefix=COUNTS
; RUN: not memrev-simt %s sixteen i32:32 --block=32 2>&1 | FileCheck %s --check-prefix=SIXTEEN
; RUN: not memrev-simt %s spins i32:1=zero 2>&1 | FileCheck %s --check-prefix=SPINS

target triple = "nvptx64-nvidia-cuda"

@shared = internal addrspace(3) global [64 x i32] undef, align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)
declare void @llvm.nvvm.barrier.cta.arrive.aligned.count(i32, i32)
declare i32 @llvm.nvvm.barrier.cta.red.popc.aligned.all(i32, i1)

; The first two warps write and go on, the others wait for them.
; NAMED: 0: {{(-1 )+}}0 2 4 6
define ptx_kernel void @named(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp ult i32 %t, 64
  br i1 %first, label %write, label %read
write:
  %mine = getelementptr i32, ptr addrspace(3) @shared, i32 %t
  %x = mul i32 %t, 2
  store i32 %x, ptr addrspace(3) %mine
  call void @llvm.nvvm.barrier.cta.arrive.aligned.count(i32 3, i32 128)
  ret void
read:
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 3, i32 128)
  %u = sub i32 %t, 64
  %other = getelementptr i32, ptr addrspace(3) @shared, i32 %u
  %y = load i32, ptr addrspace(3) %other
  %to = getelementptr i32, ptr %out, i32 %t
  store i32 %y, ptr %to
  ret void
}

; Who only arrives does not know what the others did.
; CONSUMER: {{race|uninitialized memory}} in kernel 'consumer_first'
define ptx_kernel void @consumer_first(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp ult i32 %t, 64
  br i1 %first, label %write, label %read
write:
  %mine = getelementptr i32, ptr addrspace(3) @shared, i32 %t
  store i32 %t, ptr addrspace(3) %mine
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 3, i32 128)
  ret void
read:
  call void @llvm.nvvm.barrier.cta.arrive.aligned.count(i32 3, i32 128)
  %u = sub i32 %t, 64
  %other = getelementptr i32, ptr addrspace(3) @shared, i32 %u
  %y = load i32, ptr addrspace(3) %other
  ret void
}

; COUNT: 0: 10 10 10
define ptx_kernel void @count(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = icmp ult i32 %t, 10
  %n = call i32 @llvm.nvvm.barrier.cta.red.popc.aligned.all(i32 0, i1 %p)
  %to = getelementptr i32, ptr %out, i32 %t
  store i32 %n, ptr %to
  ret void
}

; HALF: error in kernel 'half_a_warp', block (0, 0, 0): {{.*}} expects warps as a whole at barrier 1, but got 16 of the 32 threads of warp
define ptx_kernel void @half_a_warp(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %middle = add i32 %t, -16
  %in = icmp ult i32 %middle, 64
  br i1 %in, label %sync, label %done
sync:
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64)
  ret void
done:
  ret void
}

; TWO: error in kernel 'two_places', {{.*}} waits at barrier 0, but thread ({{[0-9]+}}, 0, 0) of its warp at another instruction
define ptx_kernel void @two_places(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp ult i32 %t, 16
  br i1 %first, label %a, label %b
a:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
b:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
}

; RETURNED: deadlock in kernel 'returned', block (0, 0, 0): {{.*}}thread (32, 0, 0) ended, as 31 more; {{.*}}thread (0, 0, 0) waits at barrier 0 ('call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)'), as 31 more
define ptx_kernel void @returned(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp ult i32 %t, 32
  br i1 %first, label %a, label %b
a:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
b:
  ret void
}

; NOT-A-WARP: expects a number of threads that are whole warps of the block, but got 40
define ptx_kernel void @not_a_warp(ptr %out) {
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 40)
  ret void
}

; COUNTS: expects {{64|96}} threads at barrier 1 as those before it, but got {{64|96}}
define ptx_kernel void @two_counts(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp ult i32 %t, 32
  %n = select i1 %first, i32 64, i32 96
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 %n)
  ret void
}

; SIXTEEN: expects a barrier from 0 to 15, but got 16
define ptx_kernel void @sixteen(ptr %out) {
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 16)
  ret void
}

; SPINS: error in kernel 'spins', {{.*}} spins without end
define ptx_kernel void @spins(ptr %a) {
  br label %again
again:
  %old = atomicrmw or ptr %a, i32 0 monotonic
  %go = icmp eq i32 %old, 0
  br i1 %go, label %again, label %done
done:
  ret void
}
