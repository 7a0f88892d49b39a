; Kernels for driver.py.
target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()

; Adds a number to each element.
define ptx_kernel void @add(ptr %a, i32 %n) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr i32, ptr %a, i32 %t
  %x = load i32, ptr %p
  %y = add i32 %x, %n
  store i32 %y, ptr %p
  ret void
}

; Multiplies each element by a number.
define ptx_kernel void @multiply(ptr %a, i32 %n) #0 {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr i32, ptr %a, i32 %t
  %x = load i32, ptr %p
  %y = mul i32 %x, %n
  store i32 %y, ptr %p
  ret void
}

attributes #0 = { "nvvm.maxntid"="64" }
