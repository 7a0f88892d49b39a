// The assembler keeps kernels of every kind in registers.
// REQUIRES: ptxas
// RUN: memrev-compile %S/kernels-ptx.mlir --target=cuda --chip=sm_80 --emit=ptx -o %t.80.ptx
// RUN: ptxas -v -arch=sm_80 %t.80.ptx -o %t.80.cubin 2>&1 | FileCheck %s
// RUN: memrev-compile %S/kernels-ptx.mlir --target=cuda --chip=sm_90 --emit=ptx -o %t.90.ptx
// RUN: ptxas -v -arch=sm_90 %t.90.ptx -o %t.90.cubin 2>&1 | FileCheck %s

// CHECK-COUNT-5: 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
// CHECK-NOT: bytes stack frame
