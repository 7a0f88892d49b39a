//===- CPUSchedule.cpp - The schedule stage for the CPU -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/CPU/Passes.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Pipelines/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void memrev::buildCPUSchedulePipeline(OpPassManager &pm,
                                      const CPUScheduleOptions &options) {
  // What uses a gradient is in the caller of the derivative.
  pm.addPass(createCodegenInlineCalls());
  buildFusePipeline(pm);

  CPUSelectStrategyOptions strategy;
  strategy.vectorBits = options.vectorBits;
  strategy.accumulators = options.accumulators;
  if (strategy.accumulators == 0)
    strategy.accumulators = options.vectorBits >= 512 ? 24 : 12;
  pm.addNestedPass<func::FuncOp>(createCPUSelectStrategy(strategy));
  pm.addNestedPass<func::FuncOp>(createCPUScheduleKernels());

  CodegenVerifyStageOptions verify;
  verify.stage = "schedule";
  pm.addPass(createCodegenVerifyStage(verify));
}
