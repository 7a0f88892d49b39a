//===- Bufferize.cpp - The bufferize stage --------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Pipelines/Pipelines.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void memrev::buildBufferizePipeline(OpPassManager &pm,
                                    const BufferizeOptions &options) {
  pm.addPass(createCodegenInlineCalls());
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass());
  pm.addNestedPass<func::FuncOp>(createCodegenConstantsToFills());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCodegenAlignWhileTensors());
  pm.addPass(createCodegenYieldInPlace());
  pm.addPass(createCodegenSinkOverwrites());
  pm.addPass(createCodegenCopyOverwritten());

  // From here to bufferization nothing may merge or hoist equal tensors.
  pm.addPass(createCodegenPrivatizeDestinations());
  pm.addPass(createCodegenSplitReads());
  pm.addPass(createCodegenCutChains());
  // In each function by itself: across calls it would cost as much as
  // bufferization, and kernels get their destinations from their callers.
  pm.addNestedPass<func::FuncOp>(createCodegenEliminateEmptyTensors());
  bufferization::OneShotBufferizePassOptions oneShot;
  oneShot.bufferizeFunctionBoundaries = true;
  oneShot.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  oneShot.bufferAlignment = 64;
  pm.addPass(bufferization::createOneShotBufferizePass(oneShot));

  // Copies of a buffer to itself fold only after their operands were merged.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());

  // Before it is looked for arguments that are written to.
  pm.addNestedPass<func::FuncOp>(createCodegenCarryOneBuffer());
  pm.addPass(createCodegenResultsToDestinations());
  CodegenWrapEntriesOptions wrap;
  wrap.staticOnly = options.staticOnly;
  pm.addPass(createCodegenWrapEntries(wrap));
  pm.addPass(createCanonicalizerPass());
  CodegenOrderForMemoryOptions order;
  order.maxStackBytes = options.maxStackBytes;
  order.maxThreads = options.maxThreads;
  pm.addPass(createCodegenOrderForMemory(order));
  CodegenPlanArenaOptions arena;
  arena.maxStackBytes = options.maxStackBytes;
  arena.maxThreads = options.maxThreads;
  arena.staticOnly = options.staticOnly;
  pm.addPass(createCodegenPlanArena(arena));
  CodegenVerifyStageOptions verify;
  verify.stage = "bufferize";
  pm.addPass(createCodegenVerifyStage(verify));
}
