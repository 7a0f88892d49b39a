// RUN: memrev-opt %s -codegen-parallel-to-openmp -verify-diagnostics

func.func @tensor(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{expects a parallel loop on buffers, but it has results}}
  %r = scf.forall (%i) in (8) shared_outs(%o = %x) -> tensor<8xf32> {
    scf.forall.in_parallel {
    }
  }
  return %r : tensor<8xf32>
}
