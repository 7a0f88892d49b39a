//===- EmittedKernel.h - What is left of an emitted kernel ----- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_EMITTEDKERNEL_H
#define MEMREV_LIB_CODEGEN_GPU_EMITTEDKERNEL_H

#include "KernelBuilder.h"
#include "memrev/Codegen/Common/DeclaredKernel.h"

namespace mlir::memrev::simt {

/// The `gpu.module` of emitted kernels, which is created if there is none.
gpu::GPUModuleOp getKernelModule(ModuleOp module);

/// Says on the declaration `kernel` what it does with each argument and how it
/// is launched. Fails with an error if no grid has so many blocks.
LogicalResult describeKernel(func::FuncOp kernel,
                             ArrayRef<ArgumentAccess> accesses,
                             const LaunchShape &launch);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_EMITTEDKERNEL_H
