// Programs for chips of each generation: those before sm_80 get no tensor cores and
// no asynchronous copies, those after sm_90 what sm_90 has. Names that the
// compiler or the assembler does not know are errors.
// REQUIRES: ptxas
// RUN: memrev-compile %s --target=cuda --chip=sm_75 --emit=ptx | FileCheck %s --check-prefix=OLD --implicit-check-not=mma. --implicit-check-not=cp.async
// RUN: memrev-compile %s --target=cuda --chip=sm_120 --emit=ptx | FileCheck %s
// RUN: memrev-compile %s --target=cuda --chip=sm_75 --emit=cubin -o %t.cubin
// RUN: memrev-compile %s --target=cuda --chip=sm_86 --emit=cubin -o %t.cubin
// RUN: memrev-compile %s --target=cuda --chip=sm_87 --emit=cubin -o %t.cubin
// RUN: memrev-compile %s --target=cuda --chip=sm_89 --emit=cubin -o %t.cubin
// RUN: memrev-compile %s --target=cuda --chip=sm_100 --emit=cubin -o %t.cubin
// RUN: memrev-compile %s --target=cuda --chip=sm_103a --emit=cubin -o %t.cubin
// RUN: memrev-compile %s --target=cuda --chip=sm_110f --emit=cubin -o %t.cubin
// RUN: memrev-compile %s --target=cuda --chip=sm_120 --emit=cubin -o %t.cubin
// RUN: memrev-compile %s --target=cuda --chip=sm_121a --emit=cubin -o %t.cubin
// RUN: not memrev-compile %s --target=cuda --chip=sm_20 --emit=ptx 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not memrev-compile %s --target=cuda --chip=sm_80a --emit=ptx 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not memrev-compile %s --target=cuda --chip=compute_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not memrev-compile %s --target=cuda --chip=sm_52 --emit=cubin -o %t.cubin 2>&1 | FileCheck %s --check-prefix=ASSEMBLER

// UNKNOWN: error: expects an NVIDIA chip such as sm_80 or sm_90, but got
// NAME: error: expects a chip to choose {{.*}} for, sm_90 for example, but got 'compute_80'
// ASSEMBLER: error: ptxas failed: {{.*}}sm_52

// OLD: .target sm_75
// CHECK: .target sm_120
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK-DAG: mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64
// CHECK-DAG: cp.async.cg.shared

func.func @mm_f16(%a: tensor<96x80xf16>, %b: tensor<80x72xf16>) -> tensor<96x72xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<96x72xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<96x72xf32>) -> tensor<96x72xf32>
  %r = linalg.matmul ins(%a, %b : tensor<96x80xf16>, tensor<80x72xf16>) outs(%i : tensor<96x72xf32>) -> tensor<96x72xf32>
  return %r : tensor<96x72xf32>
}
func.func @mm_bf16(%a: tensor<96x80xbf16>, %b: tensor<80x72xbf16>) -> tensor<96x72xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<96x72xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<96x72xf32>) -> tensor<96x72xf32>
  %r = linalg.matmul ins(%a, %b : tensor<96x80xbf16>, tensor<80x72xbf16>) outs(%i : tensor<96x72xf32>) -> tensor<96x72xf32>
  return %r : tensor<96x72xf32>
}
func.func @mm_f32(%a: tensor<96x80xf32>, %b: tensor<80x72xf32>) -> tensor<96x72xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<96x72xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<96x72xf32>) -> tensor<96x72xf32>
  %r = linalg.matmul ins(%a, %b : tensor<96x80xf32>, tensor<80x72xf32>) outs(%i : tensor<96x72xf32>) -> tensor<96x72xf32>
  return %r : tensor<96x72xf32>
}
func.func @mm_f64(%a: tensor<96x80xf64>, %b: tensor<80x72xf64>) -> tensor<96x72xf64> {
  %z = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<96x72xf64>
  %i = linalg.fill ins(%z : f64) outs(%e : tensor<96x72xf64>) -> tensor<96x72xf64>
  %r = linalg.matmul ins(%a, %b : tensor<96x80xf64>, tensor<80x72xf64>) outs(%i : tensor<96x72xf64>) -> tensor<96x72xf64>
  return %r : tensor<96x72xf64>
}
func.func @mm_h(%a: tensor<96x80xf16>, %b: tensor<80x72xf16>) -> tensor<96x72xf16> {
  %z = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<96x72xf16>
  %i = linalg.fill ins(%z : f16) outs(%e : tensor<96x72xf16>) -> tensor<96x72xf16>
  %r = linalg.matmul ins(%a, %b : tensor<96x80xf16>, tensor<80x72xf16>) outs(%i : tensor<96x72xf16>) -> tensor<96x72xf16>
  return %r : tensor<96x72xf16>
}

func.func @net(%x: tensor<4x16x16x8xf32>, %w: tensor<3x3x8x16xf32>) -> tensor<f32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x14x14x16xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<4x14x14x16xf32>) -> tensor<4x14x14x16xf32>
  %y = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<4x16x16x8xf32>, tensor<3x3x8x16xf32>) outs(%i : tensor<4x14x14x16xf32>) -> tensor<4x14x14x16xf32>
  %t = math.tanh %y : tensor<4x14x14x16xf32>
  %e0 = tensor.empty() : tensor<f32>
  %i0 = linalg.fill ins(%z : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %s = linalg.reduce { arith.addf } ins(%t : tensor<4x14x14x16xf32>) outs(%i0 : tensor<f32>) dimensions = [0, 1, 2, 3]
  return %s : tensor<f32>
}
func.func @step(%x: tensor<4x16x16x8xf32>, %w: tensor<3x3x8x16xf32>) -> tensor<3x3x8x16xf32> {
  %one = arith.constant dense<1.0> : tensor<f32>
  %dw = rev.vjp @net(%x, %w) cotangents(%one) wrt [1] : (tensor<4x16x16x8xf32>, tensor<3x3x8x16xf32>, tensor<f32>) -> tensor<3x3x8x16xf32>
  return %dw : tensor<3x3x8x16xf32>
}

