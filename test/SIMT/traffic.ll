; What accesses move: sectors of global memory, wavefronts of shared memory.
; RUN: env MEMREV_SIMT_TRAFFIC=2 memrev-simt %s rows f32:4096=iota f32:1024 --grid=4 --block=32 2>&1 | FileCheck %s --check-prefix=ROWS
; RUN: env MEMREV_SIMT_TRAFFIC=9 memrev-simt %s columns f32:4096=iota f32:1024 --grid=4 --block=32 2>&1 | FileCheck %s --check-prefix=COLUMNS
; RUN: env MEMREV_SIMT_TRAFFIC=1 memrev-simt %s vectors f32:4096=iota f32:1024 --grid=4 --block=32 2>&1 | FileCheck %s --check-prefix=VECTORS
; RUN: env MEMREV_SIMT_TRAFFIC=1 memrev-simt %s banks f32:32 --block=32 2>&1 | FileCheck %s --check-prefix=BANKS
; RUN: memrev-simt %s rows f32:4096=iota f32:1024 --grid=4 --block=32 2>&1 | FileCheck %s --check-prefix=SILENT

target triple = "nvptx64-nvidia-cuda"

@tile = internal addrspace(3) global [1056 x float] undef, align 16

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

; A warp reads and writes 128 bytes at once, which are 4 sectors.
; ROWS: traffic of 'rows' in 2 of 4 blocks, 1 launches: 16 sectors (16 needed), 0 wavefronts (0 needed)
; ROWS-NOT: requests
; SILENT-NOT: traffic
define ptx_kernel void @rows(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %thread = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %first = mul i32 %block, 32
  %t = add i32 %first, %thread
  %from = getelementptr float, ptr addrspace(1) %in, i32 %t
  %to = getelementptr float, ptr addrspace(1) %out, i32 %t
  %x = load float, ptr addrspace(1) %from
  store float %x, ptr addrspace(1) %to
  ret void
}

; Each lane is in a row of its own.
; COLUMNS: traffic of 'columns' in 4 of 4 blocks, 1 launches: 144 sectors (32 needed), 0 wavefronts (0 needed)
; COLUMNS-NEXT: 128 sectors of 16 in 4 requests: %x = load float
; COLUMNS-NOT: requests
define ptx_kernel void @columns(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %thread = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %first = mul i32 %block, 32
  %t = add i32 %first, %thread
  %row = mul i32 %t, 32
  %from = getelementptr float, ptr addrspace(1) %in, i32 %row
  %to = getelementptr float, ptr addrspace(1) %out, i32 %t
  %x = load float, ptr addrspace(1) %from
  store float %x, ptr addrspace(1) %to
  ret void
}

; The backend makes one access of neighbours, and then all bytes are asked for
; at once.
; VECTORS: traffic of 'vectors' in 1 of 4 blocks, 1 launches: 12 sectors (12 needed)
define ptx_kernel void @vectors(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %thread = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %first = mul i32 %block, 32
  %t = add i32 %first, %thread
  %pair = mul i32 %t, 2
  %from = getelementptr float, ptr addrspace(1) %in, i32 %pair
  %next = getelementptr float, ptr addrspace(1) %from, i32 1
  %to = getelementptr float, ptr addrspace(1) %out, i32 %t
  %x = load float, ptr addrspace(1) %from, align 8
  %y = load float, ptr addrspace(1) %next, align 4
  %sum = fadd float %x, %y
  store float %sum, ptr addrspace(1) %to
  ret void
}

; All lanes want the first bank where rows have 32 words, and each another one
; where they have 33. All want one word at last.
; BANKS: traffic of 'banks' in 1 of 1 blocks, 1 launches: 4 sectors (4 needed), 66 wavefronts (4 needed)
; BANKS-NEXT: 32 wavefronts of 1 in 1 requests: store float 1.0
; BANKS-NEXT: 32 wavefronts of 1 in 1 requests: %a = load float
; BANKS-NOT: requests
define ptx_kernel void @banks(ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %row = mul i32 %t, 32
  %padded = mul i32 %t, 33
  %first = getelementptr float, ptr addrspace(3) @tile, i32 %row
  %second = getelementptr float, ptr addrspace(3) @tile, i32 %padded
  store float 1.0, ptr addrspace(3) %first
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %a = load float, ptr addrspace(3) %first
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  store float %a, ptr addrspace(3) %second
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %b = load float, ptr addrspace(3) @tile
  %to = getelementptr float, ptr addrspace(1) %out, i32 %t
  store float %b, ptr addrspace(1) %to
  ret void
}
