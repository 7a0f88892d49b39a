//===- DropUnitDims.cpp - Elementwise ops without dimensions of 1 ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelGroup.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENDROPUNITDIMS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// The loops of one iteration that walk a dimension which a reshape of an
/// operand of `op` put in.
static SmallVector<unsigned> findAddedLoops(linalg::GenericOp op) {
  llvm::SmallBitVector added(op.getNumLoops());
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto expand = input->get().getDefiningOp<tensor::ExpandShapeOp>();
    if (!expand)
      continue;
    AffineMap map = op.getMatchingIndexingMap(input);
    for (ReassociationIndices &group : expand.getReassociationIndices())
      for (int64_t dim : group)
        if (auto expr = dyn_cast<AffineDimExpr>(map.getResult(dim));
            expr && group.size() > 1 && extents[expr.getPosition()] == 1)
          added.set(expr.getPosition());
  }
  return SmallVector<unsigned>(added.set_bits_begin(), added.set_bits_end());
}

namespace {
struct CodegenDropUnitDimsPass
    : memrev::impl::CodegenDropUnitDimsBase<CodegenDropUnitDimsPass> {
  void runOnOperation() override {
    // From the first op to the last: the reshapes arrive behind what was in
    // front of them.
    SmallVector<linalg::GenericOp> ops;
    getOperation()->walk([&](linalg::GenericOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    bool changed = false;
    for (linalg::GenericOp op : ops) {
      // A product finds its kernel by the dimensions that it has.
      if (!op.hasPureTensorSemantics() || op.hasIndexSemantics() ||
          isMultiplyAccumulate(op))
        continue;
      SmallVector<unsigned> loops = findAddedLoops(op);
      if (loops.empty())
        continue;
      linalg::ControlDropUnitDims control;
      control.controlFn = [&](Operation *) { return loops; };
      rewriter.setInsertionPoint(op);
      FailureOr<linalg::DropUnitDimsResult> dropped =
          linalg::dropUnitDims(rewriter, op, control);
      // Failure means that a type has an encoding; the op stays as it is.
      if (failed(dropped))
        continue;
      rewriter.replaceOp(op, dropped->replacements);
      changed = true;
    }
    if (changed)
      foldReshapes();
  }

private:
  /// Reshapes of reshapes, of constants and of what is empty or filled.
  void foldReshapes() {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    linalg::FillOp::getCanonicalizationPatterns(patterns, context);
    tensor::populateFoldTensorEmptyPatterns(patterns);
    // Reaching the limit of iterations leaves a valid program.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns));
  }
};
} // namespace
