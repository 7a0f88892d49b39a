; Accesses of shared and global memory that nothing orders.
; RUN: memrev-simt %s ordered f32:64=iota f32:64 --block=64 | FileCheck %s --check-prefix=ORDERED
; RUN: not memrev-simt %s no_barrier f32:64=iota f32:64 --block=64 2>&1 | FileCheck %s --check-prefix=NO-BARRIER
; RUN: not memrev-simt %s no_second_barrier f32:64=iota f32:64 --block=64 2>&1 | FileCheck %s --check-prefix=NO-SECOND
; RUN: memrev-simt %s warp_barrier f32:32 --block=32 | FileCheck %s --check-prefix=WARP
; RUN: not memrev-simt %s no_warp_barrier f32:32 --block=32 2>&1 | FileCheck %s --check-prefix=NO-WARP
; RUN: not memrev-simt %s warp_barrier_for_block f32:64 --block=64 2>&1 | FileCheck %s --check-prefix=OTHER-WARP
; RUN: memrev-simt %s bytes i8:64 --block=64 | FileCheck %s --check-prefix=BYTES
; RUN: not memrev-simt %s one_place f32:1 --block=2 2>&1 | FileCheck %s --check-prefix=THREADS
; RUN: not memrev-simt %s one_place f32:1 --grid=2 2>&1 | FileCheck %s --check-prefix=BLOCKS
; RUN: not memrev-simt %s neighbour f32:4=iota --grid=3 2>&1 | FileCheck %s --check-prefix=NEIGHBOUR
; RUN: not memrev-simt %s many_readers i32:64 --block=64 2>&1 | FileCheck %s --check-prefix=READERS
; RUN: memrev-simt %s sum i32:1=zero --grid=3 --block=64
; RUN: env MEMREV_SIMT_SCHEDULES=4 not memrev-simt %s order i32:1=zero i32:64 --block=64 2>&1 | FileCheck %s --check-prefix=ORDER
; RUN: env MEMREV_SIMT_CONTINUE=1 memrev-simt %s no_barrier f32:64=iota f32:64 --block=64 2>&1 | FileCheck %s --check-prefix=CONTINUE
; A race is found whatever the schedule is.
; RUN: env MEMREV_SIMT_SEED=1 not memrev-simt %s no_barrier f32:64=iota f32:64 --block=64 2>&1 | FileCheck %s --check-prefix=NO-BARRIER
; RUN: env MEMREV_SIMT_SEED=2 not memrev-simt %s no_second_barrier f32:64=iota f32:64 --block=64 2>&1 | FileCheck %s --check-prefix=NO-SECOND
; With debug information, there is the place in the source.
; RUN: not memrev-simt %s located f32:1 --block=2 2>&1 | FileCheck %s --check-prefix=LOCATED

target triple = "nvptx64-nvidia-cuda"

@shared = internal addrspace(3) global [64 x float] undef, align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.bar.warp.sync(i32)

; ORDERED: 1: 63 62 61 60
define ptx_kernel void @ordered(ptr %a, ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %from = getelementptr float, ptr %a, i32 %t
  %x = load float, ptr %from
  %mine = getelementptr float, ptr addrspace(3) @shared, i32 %t
  store float %x, ptr addrspace(3) %mine
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %u = sub i32 63, %t
  %other = getelementptr float, ptr addrspace(3) @shared, i32 %u
  %y = load float, ptr addrspace(3) %other
  %to = getelementptr float, ptr %b, i32 %t
  store float %y, ptr %to
  ret void
}

; The negative control: the same without the barrier. Whoever comes first, there
; is a finding: a read before the write is one of memory without a value.

; NO-BARRIER: memrev-simt: {{race|uninitialized memory}} in kernel 'no_barrier', block (0, 0, 0): thread ({{[0-9]+}}, 0, 0) {{reads|writes}} shared byte {{[0-9]+}}
; NO-BARRIER: memrev-simt: {{.*}} returns CUDA_ERROR_LAUNCH_FAILED

; CONTINUE: race in kernel 'no_barrier', block (0, 0, 0): thread ({{[0-9]+}}, 0, 0) {{(reads|writes)}} shared byte {{[0-9]+}} ('{{(%y = load|store) float.*}}'), and thread ({{[0-9]+}}, 0, 0) {{wrote|read}} it ('{{.*}}') without synchronization
; CONTINUE: 1: {{(nan|[0-9]+)}}
define ptx_kernel void @no_barrier(ptr %a, ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %from = getelementptr float, ptr %a, i32 %t
  %x = load float, ptr %from
  %mine = getelementptr float, ptr addrspace(3) @shared, i32 %t
  store float %x, ptr addrspace(3) %mine
  %u = sub i32 63, %t
  %other = getelementptr float, ptr addrspace(3) @shared, i32 %u
  %y = load float, ptr addrspace(3) %other
  %to = getelementptr float, ptr %b, i32 %t
  store float %y, ptr %to
  ret void
}

; A place is written again while others may still read it.
; NO-SECOND: race in kernel 'no_second_barrier'
define ptx_kernel void @no_second_barrier(ptr %a, ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %mine = getelementptr float, ptr addrspace(3) @shared, i32 %t
  store float 1.0, ptr addrspace(3) %mine
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %u = sub i32 63, %t
  %other = getelementptr float, ptr addrspace(3) @shared, i32 %u
  %y = load float, ptr addrspace(3) %other
  store float %y, ptr addrspace(3) %mine
  ret void
}

; Lanes of a warp do not run in lockstep.
; WARP: 0: 31 30 29
define ptx_kernel void @warp_barrier(ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %mine = getelementptr float, ptr addrspace(3) @shared, i32 %t
  %x = uitofp i32 %t to float
  store float %x, ptr addrspace(3) %mine
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %u = sub i32 31, %t
  %other = getelementptr float, ptr addrspace(3) @shared, i32 %u
  %y = load float, ptr addrspace(3) %other
  %to = getelementptr float, ptr %b, i32 %t
  store float %y, ptr %to
  ret void
}

; NO-WARP: {{race|uninitialized memory}} in kernel 'no_warp_barrier'
define ptx_kernel void @no_warp_barrier(ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %mine = getelementptr float, ptr addrspace(3) @shared, i32 %t
  store float 0.0, ptr addrspace(3) %mine
  %u = sub i32 31, %t
  %other = getelementptr float, ptr addrspace(3) @shared, i32 %u
  %y = load float, ptr addrspace(3) %other
  %to = getelementptr float, ptr %b, i32 %t
  store float %y, ptr %to
  ret void
}

; OTHER-WARP: {{race|uninitialized memory}} in kernel 'warp_barrier_for_block'
define ptx_kernel void @warp_barrier_for_block(ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %mine = getelementptr float, ptr addrspace(3) @shared, i32 %t
  store float 0.0, ptr addrspace(3) %mine
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %u = sub i32 63, %t
  %other = getelementptr float, ptr addrspace(3) @shared, i32 %u
  %y = load float, ptr addrspace(3) %other
  %to = getelementptr float, ptr %b, i32 %t
  store float %y, ptr %to
  ret void
}

; Neighbouring bytes are places of their own.
; BYTES: 0: 0 1 2 3
define ptx_kernel void @bytes(ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %to = getelementptr i8, ptr %b, i32 %t
  %x = trunc i32 %t to i8
  store i8 %x, ptr %to
  ret void
}

; THREADS: race in kernel 'one_place', block (0, 0, 0): thread ({{.}}, 0, 0) writes global address 0x{{[0-9a-f]+}} ('store float 1.000000e+00, ptr %a, align 4'), and thread ({{.}}, 0, 0) wrote it
; BLOCKS: race in kernel 'one_place', block ({{.}}, 0, 0): thread (0, 0, 0) writes global address {{.*}}, and another block wrote it
define ptx_kernel void @one_place(ptr %a) {
  store float 1.0, ptr %a
  ret void
}

; NEIGHBOUR: race in kernel 'neighbour'
define ptx_kernel void @neighbour(ptr %a) {
  %i = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %from = getelementptr float, ptr %a, i32 %i
  %x = load float, ptr %from
  %to = getelementptr float, ptr %from, i32 1
  store float %x, ptr %to
  ret void
}

; A write after many reads, which an atomic operation without a fence does not
; order.
@counter = internal addrspace(3) global i32 undef, align 4
; READERS: race in kernel 'many_readers', block (0, 0, 0): thread (0, 0, 0) writes shared byte 0 ('store float 2.{{.*}}'), and thread ({{[0-9]+}}, 0, 0) read it ('%x = load
define ptx_kernel void @many_readers(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %t, 0
  br i1 %first, label %init, label %go
init:
  store float 1.0, ptr addrspace(3) @shared
  store i32 0, ptr addrspace(3) @counter
  br label %go
go:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %first, label %wait, label %read
read:
  %x = load float, ptr addrspace(3) @shared
  %old = atomicrmw add ptr addrspace(3) @counter, i32 1 monotonic
  ret void
wait:
  %count = atomicrmw or ptr addrspace(3) @counter, i32 0 monotonic
  %all = icmp eq i32 %count, 63
  br i1 %all, label %write, label %wait
write:
  store float 2.0, ptr addrspace(3) @shared
  ret void
}

; Atomic operations are no race among themselves,
define ptx_kernel void @sum(ptr %a) {
  %old = atomicrmw add ptr %a, i32 1 monotonic
  ret void
}

; but show in what order they came.
; ORDER: kernel 'order' depends on the schedule: byte {{[0-9]+}} of an allocation of 256 bytes differs with seeds 0 and {{[1-3]}}
define ptx_kernel void @order(ptr %a, ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %old = atomicrmw add ptr %a, i32 1 monotonic
  %to = getelementptr i32, ptr %b, i32 %t
  store i32 %old, ptr %to
  ret void
}

; LOCATED: race in kernel 'located', {{.*}} writes global address {{.*}} (model.mlir:12, 'store float {{.*}}'), and thread ({{.}}, 0, 0) wrote it (model.mlir:12, 'store
define ptx_kernel void @located(ptr %a) !dbg !3 {
  store float 1.0, ptr %a, !dbg !6
  ret void, !dbg !6
}

!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2}
!0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: LineTablesOnly)
!1 = !DIFile(filename: "model.mlir", directory: "")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = distinct !DISubprogram(name: "located", scope: !1, file: !1, line: 10, type: !4, spFlags: DISPFlagDefinition, unit: !0)
!4 = !DISubroutineType(types: !5)
!5 = !{}
!6 = !DILocation(line: 12, scope: !3)
