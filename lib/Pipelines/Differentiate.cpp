//===- Differentiate.cpp - The differentiate and lower stages -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Conversion/Passes.h"
#include "memrev/Pipelines/Pipelines.h"
#include "memrev/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void memrev::buildDifferentiatePipeline(OpPassManager &pm) {
  pm.addPass(createConvertTosaToMemRev());
  pm.addNestedPass<func::FuncOp>(createRevUnrollPermutedLoops());
  pm.addPass(createRevPlan());
  pm.addPass(createRevDifferentiate());
  CodegenVerifyStageOptions verify;
  verify.stage = "differentiate";
  pm.addPass(createCodegenVerifyStage(verify));
}

void memrev::buildLowerPipeline(OpPassManager &pm) {
  pm.addPass(createConvertRevToLinalg());
  pm.addPass(createCodegenExpandTensorOps());
  // Functions that only transforms named.
  pm.addPass(createSymbolDCEPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCodegenEliminateCommonSubexpressions());
  CodegenVerifyStageOptions verify;
  verify.stage = "lower";
  pm.addPass(createCodegenVerifyStage(verify));
}
