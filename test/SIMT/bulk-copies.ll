; Boxes of tensors between global and shared memory.
; A box that begins before the tensor and ends behind it.
; RUN: memrev-simt %s load map=1:8x3:8x4:0 f32:24=iota f32:32 i32=-2 i32=-1 --block=32 | FileCheck %s --check-prefix=BEFORE
; BEFORE: 2: 0 0 0 0 0 0 0 0 0 0 0 1 2 3 4 5 0 0 8 9 10 11 12 13 0 0 16 17 18 19 20 21
; RUN: memrev-simt %s load map=1:8x3:8x4:0 f32:24=iota f32:32 i32=3 i32=1 --block=32 | FileCheck %s --check-prefix=BEHIND
; BEHIND: 2: 11 12 13 14 15 0 0 0 19 20 21 22 23 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
; Rows of 32, 64 and 128 bytes, whose pieces of 16 bytes change places.
; RUN: memrev-simt %s load map=1:8x16:8x16:32 f32:128=iota f32:128 i32=0 i32=0 --block=128 | FileCheck %s --check-prefix=SWIZZLE-32
; SWIZZLE-32: 2: 0 1 2 3 4 5 6 7 8 9 10 11 {{.*}} 28 29 30 31 36 37 38 39 32 33 34 35 44 45 46 47 40 41 42 43 {{.*}} 60 61 62 63 56 57 58 59 64 65 66 67 68 69 70 71 {{.*}} 100 101 102 103 96
; RUN: memrev-simt %s load map=1:16x16:16x16:64 f32:256=iota f32:256 i32=0 i32=0 --block=256 | FileCheck %s --check-prefix=SWIZZLE-64
; SWIZZLE-64: 2: 0 1 {{.*}} 31 36 37 38 39 32 33 34 35 44 45 46 47 40 41 42 43 {{.*}} 72 73 74 75 76 77 78 79 64 65 66 67 68 69 70 71 {{.*}} 124 125 126 127 120 121 122 123 116 117 118 119 112 113 114 115 128 129 130 131 132
; RUN: memrev-simt %s load map=1:32x8:32x8:128 f32:256=iota f32:256 i32=0 i32=0 --block=256 | FileCheck %s --check-prefix=SWIZZLE-128
; SWIZZLE-128: 2: 0 1 {{.*}} 31 36 37 38 39 32 33 34 35 44 {{.*}} 59 72 73 74 75 76 77 78 79 64 {{.*}} 252 253 254 255 248 249 250 251 244 245 246 247 240 241 242 243 236 237 238 239 232 233 234 235 228 229 230 231 224 225 226 227
; RUN: memrev-simt %s load_five map=1:4x2x2x2x2:4x2x1x2x1:0 f32:64=iota f32:32 --block=16 | FileCheck %s --check-prefix=FIVE
; FIVE: 2: 40 41 42 43 44 45 46 47 56 57 58 59 60 61 62 63 nan
; RUN: memrev-simt %s store map=1:8x3:8x4:0 f32:24 i32=-2 i32=-1 --block=32 | FileCheck %s --check-prefix=STORE
; STORE: 1: 10 11 12 13 14 15 nan nan 18 19 20 21 22 23 nan nan 26 27 28 29 30 31 nan nan
; Ranges of bytes, there and back.
; RUN: memrev-simt %s ranges f32:16=iota f32:16 i32=64 --block=16 | FileCheck %s --check-prefix=RANGES
; RANGES: 1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
; RUN: not memrev-simt %s ranges f32:16=iota f32:16 i32=40 --block=16 2>&1 | FileCheck %s --check-prefix=MULTIPLE
; MULTIPLE: expects a multiple of 16 bytes, but got 40
; RUN: sed -e '/; fence$/d' %s | not memrev-simt - ranges f32:16=iota f32:16 i32=64 --block=16 2>&1 | FileCheck %s --check-prefix=RANGE-FENCE
; RANGE-FENCE: race in kernel 'ranges', {{.*}} an asynchronous operation of thread (0, 0, 0) reads shared byte
; RUN: sed -e 's/i16 0, i64 0, i1 false, i1 false, i32 0) ; box/i16 1, i64 0, i1 true, i1 false, i32 0)/' %s | not memrev-simt - load map=1:8x3:8x4:0 f32:24=iota f32:32 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=MULTICAST
; MULTICAST: expects a copy for one block

; What is missing is found.
; RUN: sed -e '/; wait$/d' %s | not memrev-simt - load map=1:8x3:8x4:0 f32:24=iota f32:32 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=WAIT
; WAIT: {{race|uninitialized memory}} in kernel 'load'
; RUN: sed -e '/; fence$/d' %s | not memrev-simt - store map=1:8x3:8x4:0 f32:24 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=FENCE
; FENCE: race in kernel 'store', {{.*}} an asynchronous operation of thread (0, 0, 0) reads shared byte
; RUN: sed -e '/; wait read$/d' %s | not memrev-simt - store map=1:8x3:8x4:0 f32:24 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=READ
; READ: race in kernel 'store', {{.*}} writes shared byte {{.*}}, and an asynchronous operation read it
; RUN: sed -e 's/barrier, i32 %bytes)/barrier, i32 64)/' %s | not memrev-simt - load map=1:8x3:8x4:0 f32:24=iota f32:32 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=BYTES
; BYTES: {{deadlock in kernel 'load'|race in kernel 'load'}}
; RUN: not memrev-simt %s load map=1:8x3:8x4:0 f32:20=iota f32:32 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=END
; END: illegal address in kernel 'load', {{.*}} at byte 64 of an allocation of 80 bytes
; RUN: not memrev-simt %s load map=1:8x3x1:8x4x1:0 f32:24=iota f32:32 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=RANK
; RANK: expects a tensor map of 2 dimensions, but got 3
; RUN: not memrev-simt %s load map=1:6x4:6x4:0 f32:24=iota f32:32 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=ROW
; RUN: not memrev-simt %s load map=1:16x2:16x2:32 f32:32=iota f32:32 i32=0 i32=0 --block=32 2>&1 | FileCheck %s --check-prefix=ROW
; ROW: cuTensorMapEncodeTiled returns CUDA_ERROR_INVALID_VALUE
; RUN: sed -e 's/add i32 0, 0 ; offset/add i32 0, 16 ; offset/' %s | not memrev-simt - load map=1:8x2:8x2:0 f32:16=iota f32:16 i32=0 i32=0 --block=16 2>&1 | FileCheck %s --check-prefix=ALIGNMENT
; ALIGNMENT: expects shared memory at a multiple of 128

target triple = "nvptx64-nvidia-cuda"

@box = internal addrspace(3) global [256 x float] undef, align 1024
@barrier = internal addrspace(3) global i64 undef, align 8
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3), i32)
declare i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3), i32)
declare void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7), ptr addrspace(3), ptr, i32, i32, i16, i64, i1, i1, i32)
declare void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.5d(ptr addrspace(7), ptr addrspace(3), ptr, i32, i32, i32, i32, i32, i16, i64, i1, i1, i32)
declare void @llvm.nvvm.cp.async.bulk.tensor.s2g.tile.2d(ptr addrspace(3), ptr, i32, i32, i64, i1)
declare void @llvm.nvvm.cp.async.bulk.global.to.shared.cluster(ptr addrspace(7), ptr addrspace(3), ptr addrspace(1), i32, i16, i64, i1, i1)
declare void @llvm.nvvm.cp.async.bulk.shared.cta.to.global(ptr addrspace(1), ptr addrspace(3), i32, i64, i1)
declare void @llvm.nvvm.cp.async.bulk.commit.group()
declare void @llvm.nvvm.cp.async.bulk.wait.group(i32)
declare void @llvm.nvvm.cp.async.bulk.wait.group.read(i32)
declare void @llvm.nvvm.fence.proxy.async.shared_cta()

define internal void @wait() {
  br label %again
again:
  %done = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 0)
  br i1 %done, label %over, label %again
over:
  ret void
}

define internal i1 @lead() {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %leads = icmp eq i32 %t, 0
  br i1 %leads, label %init, label %go
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @barrier, i32 1)
  br label %go
go:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret i1 %leads
}

define internal void @write(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %from = getelementptr float, ptr addrspace(3) @box, i32 %t
  %x = load float, ptr addrspace(3) %from
  %to = getelementptr float, ptr %out, i32 %t
  store float %x, ptr %to
  ret void
}

; The block has a thread for each element of the box.
define ptx_kernel void @load(ptr byval([128 x i8]) align 64 %map, ptr %in, ptr %out, i32 %x, i32 %y) {
  %offset = add i32 0, 0 ; offset
  %place = getelementptr i8, ptr addrspace(3) @box, i32 %offset
  %target = addrspacecast ptr addrspace(3) %place to ptr addrspace(7)
  %n = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %bytes = mul i32 %n, 4
  %leads = call i1 @lead()
  br i1 %leads, label %copy, label %use
copy:
  %state = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 %bytes)
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7) %target, ptr addrspace(3) @barrier, ptr %map, i32 %x, i32 %y, i16 0, i64 0, i1 false, i1 false, i32 0) ; box
  br label %use
use:
  call void @wait() ; wait
  call void @write(ptr %out)
  ret void
}

; The box at (0, 0, 1, 0, 1).
define ptx_kernel void @load_five(ptr byval([128 x i8]) align 64 %map, ptr %in, ptr %out) {
  %target = addrspacecast ptr addrspace(3) @box to ptr addrspace(7)
  %leads = call i1 @lead()
  br i1 %leads, label %copy, label %use
copy:
  %state = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 64)
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.5d(ptr addrspace(7) %target, ptr addrspace(3) @barrier, ptr %map, i32 0, i32 0, i32 1, i32 0, i32 1, i16 0, i64 0, i1 false, i1 false, i32 0)
  br label %use
use:
  call void @wait()
  call void @write(ptr %out)
  ret void
}

define ptx_kernel void @store(ptr byval([128 x i8]) align 64 %map, ptr %out, i32 %x, i32 %y) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %mine = getelementptr float, ptr addrspace(3) @box, i32 %t
  %v = uitofp i32 %t to float
  store float %v, ptr addrspace(3) %mine
  call void @llvm.nvvm.fence.proxy.async.shared_cta() ; fence
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %leads = icmp eq i32 %t, 0
  br i1 %leads, label %copy, label %done
copy:
  call void @llvm.nvvm.cp.async.bulk.tensor.s2g.tile.2d(ptr addrspace(3) @box, ptr %map, i32 %x, i32 %y, i64 0, i1 false)
  call void @llvm.nvvm.cp.async.bulk.commit.group()
  call void @llvm.nvvm.cp.async.bulk.wait.group.read(i32 0) ; wait read
  br label %done
done:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store float 0.0, ptr addrspace(3) %mine
  ret void
}

define ptx_kernel void @ranges(ptr addrspace(1) %in, ptr addrspace(1) %out, i32 %bytes) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %target = addrspacecast ptr addrspace(3) @box to ptr addrspace(7)
  %leads = call i1 @lead()
  br i1 %leads, label %load, label %change
load:
  %state = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 %bytes)
  call void @llvm.nvvm.cp.async.bulk.global.to.shared.cluster(ptr addrspace(7) %target, ptr addrspace(3) @barrier, ptr addrspace(1) %in, i32 %bytes, i16 0, i64 0, i1 false, i1 false)
  br label %change
change:
  call void @wait()
  %p = getelementptr float, ptr addrspace(3) @box, i32 %t
  %x = load float, ptr addrspace(3) %p
  %y = fadd float %x, 1.0
  store float %y, ptr addrspace(3) %p
  call void @llvm.nvvm.fence.proxy.async.shared_cta() ; fence
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %leads, label %store, label %done
store:
  call void @llvm.nvvm.cp.async.bulk.shared.cta.to.global(ptr addrspace(1) %out, ptr addrspace(3) @box, i32 %bytes, i64 0, i1 false)
  call void @llvm.nvvm.cp.async.bulk.commit.group()
  call void @llvm.nvvm.cp.async.bulk.wait.group(i32 0)
  ret void
done:
  ret void
}
