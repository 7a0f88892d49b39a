//===- FuseElementwise.cpp - Fuse elementwise ops into their readers ------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelGroup.h"
#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENFUSEELEMENTWISE
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Whether `consumer` visits an element of `operand` more than once.
static bool revisits(linalg::LinalgOp consumer, OpOperand *operand) {
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  for (auto [loop, extent] : llvm::enumerate(consumer.getStaticLoopRanges()))
    if (extent != 1 &&
        !llvm::is_contained(map.getResults(),
                            getAffineDimExpr(loop, map.getContext())))
      return true;
  return false;
}

/// Whether `op` computes something that takes several times as long as to read
/// its result.
static bool isSlow(linalg::LinalgOp op) {
  return llvm::any_of(*op.getBlock(), [](Operation &inner) {
    if (isa<arith::DivFOp, arith::RemFOp, arith::DivSIOp, arith::DivUIOp,
            arith::RemSIOp, arith::RemUIOp, arith::CeilDivSIOp,
            arith::CeilDivUIOp, arith::FloorDivSIOp>(inner))
      return true;
    return isa<math::MathDialect>(inner.getDialect()) &&
           !isa<math::AbsFOp, math::AbsIOp, math::CopySignOp, math::FmaOp>(
               inner);
  });
}

/// Whether a result of `op` may take the place of an argument that it reads. A
/// reshape of another operand stays in front of it then: behind it there would
/// be a tensor of another shape in between.
static bool updatesArgument(Operation *op) {
  return isa<linalg::GenericOp>(op) &&
         llvm::any_of(op->getOperands(), [&](Value operand) {
           auto argument = dyn_cast<BlockArgument>(operand);
           return argument &&
                  isa<FunctionOpInterface>(
                      argument.getOwner()->getParentOp()) &&
                  llvm::is_contained(op->getResultTypes(), operand.getType());
         });
}

/// Whether what computes `operand` may be fused into its reader.
static bool mayFuse(OpOperand *operand) {
  auto result = dyn_cast<OpResult>(operand->get());
  if (!result || !result.getOwner()->hasOneUse() ||
      result.getOwner()->hasAttr(kAloneAttr) ||
      operand->getOwner()->hasAttr(kAloneAttr))
    return false;
  auto producer = dyn_cast<linalg::LinalgOp>(result.getOwner());
  auto consumer = dyn_cast<linalg::LinalgOp>(operand->getOwner());
  if (!producer || !consumer)
    return !isa<tensor::CollapseShapeOp>(result.getOwner()) ||
           !updatesArgument(operand->getOwner());
  // A number is computed once, in front of all loops. Movements are no work.
  if (consumer.getMatchingIndexingMap(operand).getNumResults() != 0 &&
      !isDataMovement(producer) && revisits(consumer, operand) &&
      (isMultiplyAccumulate(consumer) || isSlow(producer)))
    return false;
  // What adds to a destination, one that an earlier fusion brought along too,
  // must do so once for each element, not in each iteration of a loop that it
  // does not have.
  bool accumulates =
      llvm::any_of(producer.getDpsInitsMutable(), [&](OpOperand &init) {
        return producer.payloadUsesValueFromOperand(&init);
      });
  return !accumulates ||
         (consumer.getNumReductionLoops() == 0 &&
          consumer.getMatchingIndexingMap(operand).isPermutation());
}

//===----------------------------------------------------------------------===//
// Producers with several readers
//===----------------------------------------------------------------------===//

/// Tensors of up to this size stay in a cache.
static constexpr int64_t kMinLargeBytes = 16384;

static bool isLarge(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() &&
         type.getElementType().isIntOrFloat() && type.getNumElements() > 0 &&
         type.getNumElements() >
             kMinLargeBytes * 8 / type.getElementTypeBitWidth();
}

/// True if `op` repeats an operand that has fewer elements. Readers far from
/// each other, as in the forward and the backward pass, would keep all of them.
static bool isBroadcast(linalg::GenericOp op) {
  return op.getNumDpsInputs() == 1 && llvm::hasSingleElement(*op.getBody()) &&
         op.getMatchingIndexingMap(op.getDpsInputOperand(0)).getNumResults() <
             op.getNumLoops();
}

/// True for an elementwise operation whose arithmetic hides behind the reads of
/// its operands, so that each reader may repeat it.
static bool isQuick(linalg::GenericOp op) {
  constexpr size_t maxOps = 16;
  if (op.getNumResults() != 1 || !op.hasPureTensorSemantics() ||
      op.getNumReductionLoops() != 0 || op.hasIndexSemantics() ||
      op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)) ||
      op.getBody()->getOperations().size() > maxOps ||
      !(isLarge(op.getResult(0)) || isBroadcast(op)))
    return false;
  return llvm::all_of(*op.getBody(), [](Operation &inner) {
    return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::NegFOp,
               arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
               arith::MinNumFOp, arith::CmpFOp, arith::CmpIOp, arith::SelectOp,
               arith::AndIOp, arith::OrIOp, arith::XOrIOp, arith::ExtFOp,
               arith::TruncFOp, arith::ConstantOp, linalg::YieldOp>(inner);
  });
}

/// True if `value` is read at `place` or behind it, in its block, by something
/// else than `op`: keeping it until then costs nothing.
static bool isReadLater(Value value, Operation *op, Operation *place) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    Operation *ancestor = place->getBlock()->findAncestorOpInBlock(*user);
    return user != op && ancestor &&
           (ancestor == place || place->isBeforeInBlock(ancestor));
  });
}

/// Gives each reader that would be fused with a quick operation, if it were the
/// only one, a copy of its own. True if there was one.
static bool duplicateProducers(Operation *root) {
  SmallVector<linalg::GenericOp> producers;
  root->walk([&](linalg::GenericOp op) {
    if (isQuick(op) && !op->hasOneUse() && !op->hasAttr(kAloneAttr))
      producers.push_back(op);
  });
  bool changed = false;
  for (linalg::GenericOp producer : producers) {
    llvm::SmallSetVector<Operation *, 4> readers(producer->user_begin(),
                                                 producer->user_end());
    for (Operation *user : readers) {
      auto reader = dyn_cast<linalg::GenericOp>(user);
      if (!reader || reader->getBlock() != producer->getBlock() ||
          isMultiplyAccumulate(reader) || reader->hasAttr(kAloneAttr) ||
          llvm::any_of(reader.getDpsInits(), [&](Value init) {
            return init == producer.getResult(0);
          }))
        continue;
      bool costsNothing =
          llvm::all_of(producer.getDpsInputs(), [&](Value operand) {
            return !isLarge(operand) || isReadLater(operand, producer, reader);
          });
      if (!costsNothing || producer->hasOneUse())
        continue;
      OpBuilder builder(reader);
      Operation *copy = builder.clone(*producer);
      reader->replaceUsesOfWith(producer.getResult(0), copy->getResult(0));
      changed = true;
    }
  }
  return changed;
}

namespace {
struct CodegenFuseElementwisePass
    : memrev::impl::CodegenFuseElementwiseBase<CodegenFuseElementwisePass> {
  void runOnOperation() override {
    // What was fused may have come within the reach of a reader.
    constexpr int maxRounds = 4;
    fuse();
    for (int round = 1; round < maxRounds; ++round) {
      if (!duplicateProducers(getOperation()))
        break;
      fuse();
    }
  }

private:
  void fuse() {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    // Kernels repeat padding of their operands, but not of slices.
    patterns.add<linalg::ExtractSliceOfPadTensorSwapPattern>(
        context, [](tensor::ExtractSliceOp slice) -> std::optional<bool> {
          auto pad = slice.getSource().getDefiningOp<tensor::PadOp>();
          if (!pad || !slice.getSourceType().hasStaticShape() ||
              !slice.getType().hasStaticShape() ||
              !pad.getSourceType().hasStaticShape() || !slice.hasUnitStride())
            return std::nullopt;
          return false;
        });
    linalg::populateElementwiseOpsFusionPatterns(patterns, mayFuse);
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, mayFuse);
    affine::AffineApplyOp::getCanonicalizationPatterns(patterns, context);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    context->getLoadedDialect<linalg::LinalgDialect>()
        ->getCanonicalizationPatterns(patterns);
    linalg::populateConstantFoldLinalgOperations(patterns, mayFuse);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    // Reaching the limit of iterations leaves a valid program, less fused.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns),
                                GreedyRewriteConfig().setUseTopDownTraversal());
  }
};
} // namespace
