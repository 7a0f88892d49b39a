//===- SelectStrategy.cpp - Choose tile sizes for kernels -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Strategy.h"
#include "memrev/Codegen/CPU/Passes.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Problem.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Pass/Pass.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CPUSELECTSTRATEGY
#include "memrev/Codegen/CPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

/// One line that names the op, its result and the reason: as a remark of the
/// engine if the user has set one up, else as a diagnostic, so that nobody
/// wonders at a slow kernel.
static void reportMissed(func::FuncOp kernel, StringRef reason) {
  std::string line;
  llvm::raw_string_ostream stream(line);
  stream << "'" << kernel.getSymName() << "'";
  if (kernel.getNumResults() > 0)
    stream << " of " << kernel.getResultTypes().front();
  stream << " is lowered to scalar loops because " << reason;
  if (!kernel.getContext()->getRemarkEngine()) {
    kernel.emitRemark() << stream.str();
    return;
  }
  remark::missed(kernel.getLoc(),
                 remark::RemarkOpts::name("Schedule").category("cpu-schedule"))
      << stream.str();
}

namespace {
struct CPUSelectStrategyPass
    : memrev::impl::CPUSelectStrategyBase<CPUSelectStrategyPass> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    if (vectorBits != 512 && vectorBits != 256 && vectorBits != 128)
      return emitError(UnknownLoc::get(context))
             << "expects vector-bits to be 128, 256 or 512, but got "
             << vectorBits.getValue();
    if (accumulators < 1 || accumulators > 28)
      return emitError(UnknownLoc::get(context))
             << "expects accumulators to be between 1 and 28, but got "
             << accumulators.getValue();
    return success();
  }

  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (kernel.isExternal() || !kernel->hasAttr(kKernelAttr) ||
        kernel->hasAttr(kStrategyAttr))
      return;
    Machine machine{vectorBits, accumulators};
    std::string reason;
    FailureOr<Problem> problem =
        buildProblem(kernel, Contractions::Uniform, reason);
    if (failed(problem) || !canVectorize(*problem, reason))
      return reportMissed(kernel, reason);
    Strategy strategy;
    if (problem->isContraction) {
      FailureOr<Strategy> contraction = chooseContraction(*problem, machine);
      if (succeeded(contraction)) {
        strategy = *contraction;
      } else {
        if (problem->body)
          return reportMissed(kernel, "no register tile fits its contraction");
        problem = buildProblem(kernel, Contractions::None, reason);
        if (failed(problem) || !canVectorize(*problem, reason))
          return reportMissed(kernel, reason);
        strategy = chooseGeneric(*problem, machine);
      }
    } else {
      strategy = chooseGeneric(*problem, machine);
    }
    kernel->setAttr(kStrategyAttr, strategy.toAttribute(&getContext()));
  }
};
} // namespace
