//===- Fuse.cpp - The part of the schedule stage that targets share -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Pipelines/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void memrev::buildFusePipeline(
    OpPassManager &pm, function_ref<void(OpPassManager &)> addBeforeFusion) {
  // A product that starts from a splat constant takes a fill into its kernel.
  // Small ones too: a constant would be copied before it is added to.
  CodegenConstantsToFillsOptions fills;
  fills.maxBytes = 0;
  pm.addNestedPass<func::FuncOp>(createCodegenConstantsToFills(fills));
  pm.addNestedPass<func::FuncOp>(createCodegenGeneralizeNamedOps());
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass());
  pm.addNestedPass<func::FuncOp>(createCodegenFuseUpdatesIntoLoops());
  pm.addNestedPass<func::FuncOp>(createCodegenDropUnitDims());
  // Fusion also drops the operands that this leaves without a use.
  pm.addNestedPass<func::FuncOp>(createCodegenUpdateSlicesInPlace());
  if (addBeforeFusion)
    addBeforeFusion(pm);
  pm.addNestedPass<func::FuncOp>(createCodegenFuseElementwise());
  pm.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  pm.addNestedPass<func::FuncOp>(createCodegenEliminateCommonSubexpressions());
  pm.addNestedPass<func::FuncOp>(createCodegenAdvanceUpdates());
  pm.addNestedPass<func::FuncOp>(createCodegenInsertCopies());
  pm.addPass(createCodegenOutlineKernels());
}
