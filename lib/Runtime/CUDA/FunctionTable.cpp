//===- FunctionTable.cpp - The C interface by name ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Runtime/CUDA/CUDARuntime.h"
#include "memrev/Runtime/CUDA/Session.h"

/// A function with its name.
#define FUNCTION(name) {#name, reinterpret_cast<void *>(&name)}

void *memrev::cuda::findFunction(const std::string &name) {
  static const struct {
    const char *name;
    void *address;
  } functions[] = {
      FUNCTION(memrevCudaBeginCall),      FUNCTION(memrevCudaEndCall),
      FUNCTION(memrevCudaForgetFunction), FUNCTION(mgpuModuleLoad),
      FUNCTION(mgpuModuleLoadJIT),        FUNCTION(mgpuModuleUnload),
      FUNCTION(mgpuModuleGetFunction),    FUNCTION(mgpuLaunchKernel),
      FUNCTION(mgpuStreamSynchronize),    FUNCTION(mgpuMemcpy),
      FUNCTION(memrevCudaPrepareMatmul),  FUNCTION(memrevCudaMatmul),
  };
  for (const auto &function : functions)
    if (name == function.name)
      return function.address;
  return nullptr;
}
