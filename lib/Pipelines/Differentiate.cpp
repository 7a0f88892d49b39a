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

FailureOr<memrev::Derivation> memrev::createDerivation(StringRef options,
                                                       std::string &error) {
  std::unique_ptr<Pass> pass = createRevDifferentiate();
  // What is wrong with a number the parser only prints.
  auto report = [&](const Twine &message) {
    std::string text = message.str();
    StringRef reason = StringRef(text).trim();
    reason.consume_front("<Pass-Options-Parser>: ");
    error =
        "expects options of rev-differentiate, but got '" + options.str() + "'";
    if (!reason.empty())
      error += ": " + reason.str();
    return failure();
  };
  if (failed(pass->initializeOptions(options, report)))
    return failure();
  std::string function = getDifferentiatedFunction(*pass).str();
  return Derivation{std::move(pass), std::move(function)};
}

LogicalResult memrev::buildDifferentiatePipeline(
    OpPassManager &pm, ArrayRef<std::string> functions, std::string &error,
    const DerivativeStorage &storage) {
  SmallVector<Derivation> derivations;
  for (auto [i, options] : llvm::enumerate(functions)) {
    std::string all = options;
    if (auto bytes = storage.derived.find(i); bytes != storage.derived.end())
      all += " storage=" + std::to_string(bytes->second);
    FailureOr<Derivation> derivation = createDerivation(all, error);
    if (failed(derivation))
      return failure();
    derivations.push_back(std::move(*derivation));
  }
  CodegenVerifyStageOptions input;
  input.stage = "input";
  pm.addPass(createCodegenVerifyStage(input));
  // TOSA's conversion is the first to canonicalize.
  pm.addPass(createCodegenReshapeSlices());
  pm.addPass(createConvertTosaToMemRev());
  pm.addNestedPass<func::FuncOp>(createRevIndexLoops());
  pm.addNestedPass<func::FuncOp>(createRevUnrollPermutedLoops());
  RevPlanOptions plan;
  plan.storage.assign(storage.entries.begin(), storage.entries.end());
  for (const Derivation &derivation : derivations)
    plan.derived.push_back(derivation.function);
  pm.addPass(createRevPlan(plan));
  pm.addPass(createRevDifferentiate());
  for (Derivation &derivation : derivations)
    pm.addPass(std::move(derivation.pass));
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
