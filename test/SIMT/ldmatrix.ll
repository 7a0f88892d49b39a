; ldmatrix and stmatrix of numbers that count through the matrices in memory.
; RUN: memrev-simt %s load i16:256 --block=32 | FileCheck %s --check-prefix=LOAD
; RUN: memrev-simt %s load_transposed i16:256 --block=32 | FileCheck %s --check-prefix=TRANSPOSED
; RUN: memrev-simt %s load_two i16:128 --block=32 | FileCheck %s --check-prefix=TWO
; RUN: memrev-simt %s round_trip i16:256 --block=32 | FileCheck %s --check-prefix=LOAD
; RUN: memrev-simt %s store_transposed i16:256 --block=32 | FileCheck %s --check-prefix=TRANSPOSED
; RUN: not memrev-simt %s misaligned i16:256 --block=32 2>&1 | FileCheck %s --check-prefix=MISALIGNED
; RUN: not memrev-simt %s end i16:256 --block=32 2>&1 | FileCheck %s --check-prefix=END
; RUN: not memrev-simt %s no_barrier i16:256 --block=32 2>&1 | FileCheck %s --check-prefix=RACE

target triple = "nvptx64-nvidia-cuda"

@shared = internal addrspace(3) global [256 x i16] undef, align 16
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.bar.warp.sync(i32)
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3))
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3))
declare { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3))
declare void @llvm.nvvm.stmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3), i32, i32, i32, i32)
declare void @llvm.nvvm.stmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3), i32, i32, i32, i32)

; Each thread writes the row of eight numbers whose address it gives later.
define internal ptr addrspace(3) @fill() {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = mul i32 %t, 8
  %row = getelementptr i16, ptr addrspace(3) @shared, i32 %first
  br label %next
next:
  %i = phi i32 [ 0, %0 ], [ %j, %next ]
  %v = add i32 %first, %i
  %x = trunc i32 %v to i16
  %p = getelementptr i16, ptr addrspace(3) %row, i32 %i
  store i16 %x, ptr addrspace(3) %p
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, 8
  br i1 %more, label %next, label %done
done:
  ret ptr addrspace(3) %row
}

; Register m of lane t goes to words 32 m + t: lane t has a row's numbers 2 (t %
; 4) and the next, of row t / 4, so that they come out in order,
; LOAD: 0: 0 1 2 3 4 5 6 7 8 9 {{.*}} 250 251 252 253 254 255{{$}}
; or by columns.
; TRANSPOSED: 0: 0 8 16 24 32 40 48 56 1 9 17 25 33 41 49 57 2 10 {{.*}} 64 72 80 88 96 104 112 120 65 {{.*}} 199 207 215 223 231 239 247 255{{$}}
define internal void @write(ptr %out, { i32, i32, i32, i32 } %d) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %d0 = extractvalue { i32, i32, i32, i32 } %d, 0
  %d1 = extractvalue { i32, i32, i32, i32 } %d, 1
  %d2 = extractvalue { i32, i32, i32, i32 } %d, 2
  %d3 = extractvalue { i32, i32, i32, i32 } %d, 3
  %p0 = getelementptr i32, ptr %out, i32 %t
  %p1 = getelementptr i32, ptr %p0, i32 32
  %p2 = getelementptr i32, ptr %p0, i32 64
  %p3 = getelementptr i32, ptr %p0, i32 96
  store i32 %d0, ptr %p0
  store i32 %d1, ptr %p1
  store i32 %d2, ptr %p2
  store i32 %d3, ptr %p3
  ret void
}

define ptx_kernel void @load(ptr %out) {
  %row = call ptr addrspace(3) @fill()
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %d = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %row)
  call void @write(ptr %out, { i32, i32, i32, i32 } %d)
  ret void
}

define ptx_kernel void @load_transposed(ptr %out) {
  %row = call ptr addrspace(3) @fill()
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %d = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3) %row)
  call void @write(ptr %out, { i32, i32, i32, i32 } %d)
  ret void
}

; The addresses of the upper lanes do not count.
; TWO: 0: 0 1 2 3 {{.*}} 126 127{{$}}
define ptx_kernel void @load_two(ptr %out) {
  %row = call ptr addrspace(3) @fill()
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %counts = icmp ult i32 %t, 16
  %p = select i1 %counts, ptr addrspace(3) %row, ptr addrspace(3) null
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %d = call { i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3) %p)
  %d0 = extractvalue { i32, i32 } %d, 0
  %d1 = extractvalue { i32, i32 } %d, 1
  %p0 = getelementptr i32, ptr %out, i32 %t
  %p1 = getelementptr i32, ptr %p0, i32 32
  store i32 %d0, ptr %p0
  store i32 %d1, ptr %p1
  ret void
}

define internal void @read_back(ptr %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = mul i32 %t, 8
  %row = getelementptr i16, ptr addrspace(3) @shared, i32 %first
  %v = load <8 x i16>, ptr addrspace(3) %row, align 16
  %to = getelementptr i16, ptr %out, i32 %first
  store <8 x i16> %v, ptr %to, align 16
  ret void
}

define ptx_kernel void @round_trip(ptr %out) {
  %row = call ptr addrspace(3) @fill()
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %d = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %row)
  %d0 = extractvalue { i32, i32, i32, i32 } %d, 0
  %d1 = extractvalue { i32, i32, i32, i32 } %d, 1
  %d2 = extractvalue { i32, i32, i32, i32 } %d, 2
  %d3 = extractvalue { i32, i32, i32, i32 } %d, 3
  call void @llvm.nvvm.stmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %row, i32 %d0, i32 %d1, i32 %d2, i32 %d3)
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  call void @read_back(ptr %out)
  ret void
}

define ptx_kernel void @store_transposed(ptr %out) {
  %row = call ptr addrspace(3) @fill()
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %d = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %row)
  %d0 = extractvalue { i32, i32, i32, i32 } %d, 0
  %d1 = extractvalue { i32, i32, i32, i32 } %d, 1
  %d2 = extractvalue { i32, i32, i32, i32 } %d, 2
  %d3 = extractvalue { i32, i32, i32, i32 } %d, 3
  call void @llvm.nvvm.stmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3) %row, i32 %d0, i32 %d1, i32 %d2, i32 %d3)
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  call void @read_back(ptr %out)
  ret void
}

; MISALIGNED: misaligned access in kernel 'misaligned', {{.*}} reads 16 bytes at 0x{{.*}}, which is not a multiple of 16
define ptx_kernel void @misaligned(ptr %out) {
  %row = call ptr addrspace(3) @fill()
  %next = getelementptr i16, ptr addrspace(3) %row, i32 4
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %d = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %next)
  ret void
}

; END: illegal address in kernel 'end', {{.*}} at byte 512 of the block's 512 bytes of shared memory
define ptx_kernel void @end(ptr %out) {
  %row = call ptr addrspace(3) @fill()
  %next = getelementptr i16, ptr addrspace(3) %row, i32 8
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %d = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %next)
  ret void
}

; A lane reads the row of another without a barrier.
; RACE: {{race|uninitialized memory}} in kernel 'no_barrier'
define ptx_kernel void @no_barrier(ptr %out) {
  %row = call ptr addrspace(3) @fill()
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %u = xor i32 %t, 1
  %first = mul i32 %u, 8
  %other = getelementptr i16, ptr addrspace(3) @shared, i32 %first
  %d = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %other)
  ret void
}
