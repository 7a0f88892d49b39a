//===- ScheduleKernels.cpp - Rewrite kernels to tiled vector loops --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "memrev/Codegen/CPU/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CPUSCHEDULEKERNELS
#include "memrev/Codegen/CPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

namespace {
struct CPUScheduleKernelsPass
    : memrev::impl::CPUScheduleKernelsBase<CPUScheduleKernelsPass> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    for (Dialect *dialect : context->getLoadedDialects())
      if (isa<affine::AffineDialect, arith::ArithDialect, scf::SCFDialect,
              tensor::TensorDialect, vector::VectorDialect>(dialect))
        dialect->getCanonicalizationPatterns(set);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      if (isa<affine::AffineDialect, arith::ArithDialect, scf::SCFDialect,
              tensor::TensorDialect, vector::VectorDialect>(op.getDialect()))
        op.getCanonicalizationPatterns(set, context);
    canonicalization = FrozenRewritePatternSet(std::move(set));
    RewritePatternSet mathSet(context);
    // These are within five units in the last place and are inlined; sin, cos
    // and atan are not, and are better left to a vector library.
    populateMathPolynomialApproximationPatterns(mathSet, [](StringRef name) {
      return llvm::is_contained(
          {math::ExpOp::getOperationName(), math::TanhOp::getOperationName(),
           math::LogOp::getOperationName(), math::Log1pOp::getOperationName(),
           math::ExpM1Op::getOperationName(), math::ErfOp::getOperationName()},
          name);
    });
    approximation = FrozenRewritePatternSet(std::move(mathSet));
    return success();
  }

  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    auto attribute = kernel->getAttrOfType<DictionaryAttr>(kStrategyAttr);
    if (!attribute || kernel.isExternal())
      return;
    auto engine = attribute.getAs<StringAttr>("engine");
    std::string reason;
    FailureOr<Problem> problem = buildProblem(
        kernel,
        engine == "contraction" ? Contractions::Uniform : Contractions::None,
        reason);
    if (failed(problem) || !canVectorize(*problem, reason)) {
      kernel.emitError() << "expects a kernel that can be scheduled, but "
                         << reason;
      return signalPassFailure();
    }
    FailureOr<Strategy> strategy = Strategy::fromAttribute(attribute, *problem);
    if (failed(strategy)) {
      kernel.emitError() << "expects '" << kStrategyAttr
                         << "' to be a strategy for " << problem->getNumDims()
                         << " loop dimensions, but got " << attribute;
      return signalPassFailure();
    }

    Operation *terminator = kernel.getBody().front().getTerminator();
    OpBuilder builder(terminator);
    std::unique_ptr<KernelEmitter> emitter =
        strategy->engine == Engine::Contraction
            ? createContractionEmitter(builder, *problem, *strategy)
            : createGenericEmitter(builder, *problem, *strategy);
    SmallVector<Value> results = emitter->emit();
    terminator->setOperands(results);
    kernel->removeAttr(kStrategyAttr);
    for (Operation &op :
         llvm::make_early_inc_range(llvm::reverse(kernel.getBody().front())))
      if (isOpTriviallyDead(&op) ||
          (isa<linalg::LinalgOp>(op) && op.use_empty()))
        op.erase();

    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(kernel, approximation, config);
    IRRewriter rewriter(&getContext());
    DominanceInfo dominance(kernel);
    eliminateCommonSubExpressions(rewriter, dominance, kernel);
    (void)applyPatternsGreedily(kernel, canonicalization, config);
  }

private:
  FrozenRewritePatternSet canonicalization, approximation;
};
} // namespace
