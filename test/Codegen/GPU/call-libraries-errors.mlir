// RUN: not memrev-opt %s --gpu-call-libraries=chip=volta 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not memrev-opt %s --gpu-call-libraries=fp32-precision=fp8 2>&1 | FileCheck %s --check-prefix=PRECISION

// CHIP: error: expects a chip to call libraries on, sm_90 for example, but got 'volta'
// PRECISION: error: expects fp32-precision to be ieee, tf32 or tf32x3, but got 'fp8'

// RUN: memrev-opt %s --gpu-call-libraries -verify-diagnostics

// expected-error @below {{'func.func' op expects 'memrev.engine' to be generated or vendor, but got "cublas"}}
func.func private @kernel(%x: tensor<4xf32>) -> tensor<4xf32> attributes {memrev.kernel, memrev.engine = "cublas"} {
  return %x : tensor<4xf32>
}
