//===- SelectStrategy.cpp - Choose how GPU kernels are emitted ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelStrategy.h"
#include "Remarks.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/GPU/Passes.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUSELECTSTRATEGY
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

namespace {
struct GPUSelectStrategyPass
    : memrev::impl::GPUSelectStrategyBase<GPUSelectStrategyPass> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    return parseTarget(context, chip, fp32Precision, "to choose a strategy for",
                       description, precision);
  }

  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (kernel.isExternal() || !kernel->hasAttr(kKernelAttr) ||
        kernel->hasAttr(kStrategyAttr))
      return;
    std::string reason;
    if (DictionaryAttr strategy = choose(kernel, reason))
      kernel->setAttr(kStrategyAttr, strategy);
    else
      reportMissed(kernel, "Schedule", "gpu-schedule",
                   "'" + kernel.getSymName() +
                       "' computes an element a thread because " + reason);
  }

private:
  /// Returns null with a reason if no emitter takes the kernel.
  DictionaryAttr choose(func::FuncOp kernel, std::string &reason) {
    FailureOr<Problem> problem =
        buildProblem(kernel, Contractions::Widening, reason);
    if (failed(problem) || !canEmit(*problem, kernel, reason))
      return {};
    if (problem->isContraction) {
      FailureOr<ContractionStrategy> strategy =
          chooseContraction(*problem, description, precision, reason);
      if (succeeded(strategy))
        return strategy->toAttribute(&getContext());
    }
    if (problem->isContraction ||
        llvm::is_contained(problem->isReduction, true))
      return chooseReduction(*problem, description).toAttribute(&getContext());
    return chooseElementwise(*problem, description).toAttribute(&getContext());
  }

  Chip description;
  FP32Precision precision = FP32Precision::IEEE;
};
} // namespace
