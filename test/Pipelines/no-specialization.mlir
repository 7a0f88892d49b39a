// Upstream's linalg-specialize-generic-ops and linalg-morph-ops=generic-to-named
// turn a generic that multiplies a transposed matrix into a linalg.matmul that
// does not transpose it: an error for most shapes, wrong numbers for square ones.
// Gradients of products are such generics, so no pipeline may contain them.

// RUN: memrev-opt %s -memrev-differentiate -memrev-lower -memrev-schedule-cpu -memrev-bufferize -memrev-binary-cpu -dump-pass-pipeline 2>&1 | FileCheck %s --implicit-check-not=specialize --implicit-check-not=linalg-morph-ops --implicit-check-not=generic-to-named
// RUN: memrev-opt %s -memrev-gpu-schedule -memrev-gpu-kernels -dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=GPU --implicit-check-not=specialize --implicit-check-not=linalg-morph-ops --implicit-check-not=generic-to-named

// CHECK: rev-differentiate
// CHECK: codegen-generalize-named-ops
// GPU: gpu-split-reductions
func.func @f() {
  return
}
