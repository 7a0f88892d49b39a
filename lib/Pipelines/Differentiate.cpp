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

LogicalResult memrev::buildDifferentiatePipeline(
    OpPassManager &pm, ArrayRef<std::string> functions, std::string &error,
    ArrayRef<std::string> storage) {
  CodegenVerifyStageOptions input;
  input.stage = "input";
  pm.addPass(createCodegenVerifyStage(input));
  // TOSA's conversion is the first to canonicalize.
  pm.addPass(createCodegenReshapeSlices());
  pm.addPass(createConvertTosaToMemRev());
  pm.addNestedPass<func::FuncOp>(createRevIndexLoops());
  pm.addNestedPass<func::FuncOp>(createRevUnrollPermutedLoops());
  RevPlanOptions plan;
  plan.storage.assign(storage.begin(), storage.end());
  pm.addPass(createRevPlan(plan));
  pm.addPass(createRevDifferentiate());
  for (const std::string &options : functions) {
    std::unique_ptr<Pass> pass = createRevDifferentiate();
    // What is wrong with a number the parser only prints.
    auto report = [&](const Twine &message) {
      std::string text = message.str();
      StringRef reason = StringRef(text).trim();
      reason.consume_front("<Pass-Options-Parser>: ");
      error = "expects options of rev-differentiate, but got '" + options + "'";
      if (!reason.empty())
        error += ": " + reason.str();
      return failure();
    };
    if (failed(pass->initializeOptions(options, report)))
      return failure();
    pm.addPass(std::move(pass));
  }
  CodegenVerifyStageOptions verify;
  verify.stage = "differentiate";
  pm.addPass(createCodegenVerifyStage(verify));
  return success();
}

void memrev::buildLowerPipeline(OpPassManager &pm) {
  pm.addPass(createConvertRevToLinalg());
  pm.addPass(createCodegenExpandTensorOps());
  // Rules and expansions slice tensors along any dimension.
  pm.addPass(createCodegenReshapeSlices());
  // Functions that only transforms named.
  pm.addPass(createSymbolDCEPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCodegenEliminateCommonSubexpressions());
  CodegenVerifyStageOptions verify;
  verify.stage = "lower";
  pm.addPass(createCodegenVerifyStage(verify));
}
