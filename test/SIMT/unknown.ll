; What the emulator does not know is named.
; RUN: sed -e 's/CALL/call i32 @llvm.nvvm.read.ptx.sreg.smid()/' %s | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=REGISTER
; RUN: sed -e 's/CALL/call i32 @llvm.nvvm.fns(i32 0, i32 0, i32 0)/' %s | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=INTRINSIC
; RUN: sed -e 's/CALL/call i32 @unknown()/' %s | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=FUNCTION
; RUN: sed -e 's/CALL/call i32 asm "bfind.u32 $0, $1;", "=r,r"(i32 1)/' %s | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=ASSEMBLY
; RUN: sed -e 's/CALL/load i32, ptr addrspace(1) @mutable/' -e 's/;mutable//' %s | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=VARIABLE
; RUN: sed -e 's/CALL/load i32, ptr addrspace(3) @dynamic/' -e 's/;dynamic//' %s | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=DYNAMIC
; RUN: sed -e 's/CALL/add i32 0, 0/' -e 's/nvptx64-nvidia-cuda/x86_64-linux-gnu/' %s | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=TARGET
; RUN: sed -e 's/CALL/add i32 0, 0/' -e 's/@k()/@k() "nvvm.cluster_dim"="2,1,1"/' %s | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=CLUSTER
; RUN: sed -e 's/CALL/add i32 0, 0/' -e 's/@k()/@k() "nvvm.cluster_dim"="1,1,1"/' %s | memrev-simt - k
; RUN: sed -e 's/CALL/add i32 0, 0/' -e 's/@k()/@k() "target-cpu"="sm_90a"/' %s > %t.ll
; RUN: memrev-simt %t.ll k
; RUN: env MEMREV_SIMT_CHIP=sm_80 not memrev-simt %t.ll k 2>&1 | FileCheck %s --check-prefix=CHIP
; RUN: echo '// .version 8.0' | not memrev-simt - k 2>&1 | FileCheck %s --check-prefix=PTX

; REGISTER: memrev-simt: the emulator does not know the special register 'smid'
; INTRINSIC: memrev-simt: the emulator does not know the intrinsic 'llvm.nvvm.fns'
; FUNCTION: memrev-simt: the emulator does not know the function 'unknown'
; ASSEMBLY: memrev-simt: {{.*}}'bfind.u32
; VARIABLE: memrev-simt: expects constants or shared memory, but got the variable 'mutable'
; DYNAMIC: memrev-simt: expects dynamic shared memory to be external, but got 'dynamic' with a definition
; CLUSTER: memrev-simt: expects clusters of one block, but got 'k' with 2
; CHIP: memrev-simt: expects code for sm_80 at most, but got sm_90
; CHIP: returns CUDA_ERROR_NO_BINARY_FOR_GPU
; TARGET: memrev-simt: expects bitcode for nvptx64, but got x86_64-linux-gnu
; TARGET: returns CUDA_ERROR_INVALID_IMAGE
; PTX: error:

target triple = "nvptx64-nvidia-cuda"

;mutable@mutable = addrspace(1) global i32 0
;dynamic@dynamic = internal addrspace(3) global [0 x i8] undef
declare i32 @llvm.nvvm.read.ptx.sreg.smid()
declare i32 @llvm.nvvm.fns(i32, i32, i32)
declare i32 @unknown()
define ptx_kernel void @k() {
  %x = CALL
  ret void
}
