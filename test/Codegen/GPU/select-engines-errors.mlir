// RUN: memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines))' -split-input-file -verify-diagnostics
// RUN: not memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{chip=volta}))' 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{fp32-precision=fp8}))' 2>&1 | FileCheck %s --check-prefix=PRECISION
// RUN: not memrev-opt %s --pass-pipeline='builtin.module(func.func(gpu-select-engines{contractions=cublas}))' 2>&1 | FileCheck %s --check-prefix=CONTRACTIONS

// CHIP: error: expects a chip to choose engines for, sm_90 for example, but got 'volta'
// PRECISION: error: expects fp32-precision to be ieee, tf32 or tf32x3, but got 'fp8'
// CONTRACTIONS: error: expects contractions to be generated, vendor or auto, but got 'cublas'

func.func @unknown(%a: tensor<64x32xf32>, %b: tensor<32x48xf32>, %c: tensor<64x48xf32>) -> tensor<64x48xf32> {
  // expected-error @below {{'linalg.matmul' op expects 'memrev.engine' to be generated or vendor, but got "cublas"}}
  %r = linalg.matmul {memrev.engine = "cublas"} ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%c : tensor<64x48xf32>) -> tensor<64x48xf32>
  return %r : tensor<64x48xf32>
}

// -----

func.func @number(%a: tensor<64x32xf32>, %b: tensor<32x48xf32>, %c: tensor<64x48xf32>) -> tensor<64x48xf32> {
  // expected-error @below {{'linalg.matmul' op expects 'memrev.engine' to be generated or vendor, but got 3}}
  %r = linalg.matmul {memrev.engine = 3} ins(%a, %b : tensor<64x32xf32>, tensor<32x48xf32>) outs(%c : tensor<64x48xf32>) -> tensor<64x48xf32>
  return %r : tensor<64x48xf32>
}
