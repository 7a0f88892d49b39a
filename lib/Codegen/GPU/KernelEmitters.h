//===- KernelEmitters.h - From problems to GPU kernels --------- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_KERNELEMITTERS_H
#define MEMREV_LIB_CODEGEN_GPU_KERNELEMITTERS_H

#include "KernelStrategy.h"

namespace mlir::memrev::simt {

/// Each emits the code of `kernel`, a function on tensors whose problem is
/// `problem`, as a function of the same name in `module`, and returns how it is
/// launched.
LaunchShape emitElementwise(gpu::GPUModuleOp module, func::FuncOp kernel,
                            const Problem &problem,
                            const ElementwiseStrategy &strategy);

/// With splits, what they leave in the workspace; else all of it.
LaunchShape emitReduction(gpu::GPUModuleOp module, func::FuncOp kernel,
                          StringRef name, const Problem &problem,
                          const ReductionStrategy &strategy);

/// The results from a workspace.
LaunchShape emitCombination(gpu::GPUModuleOp module, func::FuncOp kernel,
                            StringRef name, const Problem &problem,
                            const ReductionStrategy &strategy);

/// What the splits of a reduction leave: one after another for each result.
RankedTensorType getWorkspaceType(const Problem &problem,
                                  const ReductionStrategy &strategy);

/// The indices that a loop takes.
struct LoopRange {
  int64_t start = 0, step = 1, count = 0;
};

/// Whether iterations of `problem`, which updates slices of a destination where
/// scalars say, only meet in elements of which one thread makes all updates.
bool canEmitScatter(const Problem &problem);

/// A loop nest over `ranges`, the outermost first, whose iteration is `step`: a
/// function of the loop indices, then of what it reads, then of the
/// destination. Each element of the destination gets its updates in the order
/// of the loops.
LaunchShape emitScatter(gpu::GPUModuleOp module, func::FuncOp step,
                        StringRef name, const Problem &problem,
                        ArrayRef<LoopRange> ranges);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_KERNELEMITTERS_H
