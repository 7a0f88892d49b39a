// RUN: memrev-opt %s --pass-pipeline="builtin.module(func.func(gpu-launch-to-loops))" -split-input-file -verify-diagnostics

func.func @barrier() {
  %c1 = arith.constant 1 : index
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %c1, %sy = %c1, %sz = %c1) {
    // expected-error @below {{'gpu.barrier' op expects a kernel of independent threads around it to run the kernel on the host}}
    gpu.barrier
    gpu.terminator
  }
  return
}

// -----

func.func @workgroup_memory() {
  %c1 = arith.constant 1 : index
  // expected-error @below {{'gpu.launch' op expects a launch without tokens, clusters and attributions to run it on the host}}
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %c1, %sy = %c1, %sz = %c1)
      workgroup(%m : memref<4xf32, #gpu.address_space<workgroup>>) {
    gpu.terminator
  }
  return
}

// -----

func.func @blocks() {
  %c1 = arith.constant 1 : index
  // expected-error @below {{'gpu.launch' op expects a body of one block, but got 2}}
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %c1, %sy = %c1, %sz = %c1) {
    cf.br ^bb1
  ^bb1:
    gpu.terminator
  }
  return
}
