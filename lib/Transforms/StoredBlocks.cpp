//===- StoredBlocks.cpp - Store blocks instead of inverting them ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StoredBlocks.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Analysis/StoragePlan.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::memrev;

/// Makes the last `count` iterations of `loop`, which has more, a loop of their
/// own, and returns that.
static scf::ForOp splitLast(scf::ForOp loop, int64_t count) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  Type type = loop.getInductionVar().getType();
  // Its trip count must be as constant as that of the loop.
  APInt lower, step;
  bool isKnown = matchPattern(loop.getLowerBound(), m_ConstantInt(&lower)) &&
                 matchPattern(loop.getStep(), m_ConstantInt(&step));
  assert(isKnown && "a constant trip count comes from constants");
  (void)isKnown;
  int64_t first = *getConstantTripCount(loop) - count;
  Value middle = arith::ConstantOp::create(
      builder, loc, builder.getIntegerAttr(type, lower + step * first));
  builder.setInsertionPointAfter(loop);
  auto last = cast<scf::ForOp>(builder.clone(*loop));
  loop->replaceAllUsesWith(last);
  loop.getUpperBoundMutable().assign(middle);
  last.getLowerBoundMutable().assign(middle);
  last.getInitArgsMutable().assign(loop->getResults());
  return last;
}

bool memrev::storeBlocks(func::FuncOp function, const Activity &activity,
                         int64_t bytes, const CostModel &model) {
  StorageEstimate estimate =
      estimateStorage(function.getBody().front(), activity, model);
  SmallVector<ChainStage> chain;
  for (const InvertedOp &inverted : estimate.inverted) {
    ChainStage &stage = chain.emplace_back();
    if (auto loop = dyn_cast<scf::ForOp>(inverted.op))
      // Nothing of a loop of unknown length is stored.
      stage.numBlocks = getConstantTripCount(loop).value_or(0);
    stage.storedBytes = inverted.storedBytes;
    stage.savedTime = inverted.savedTime;
    stage.forwardBytes = inverted.forwardBytes;
    stage.storedBackwardBytes = inverted.backwardBytes;
    stage.invertedBackwardBytes = inverted.backwardBytes;
  }
  std::optional<SmallVector<int64_t>> stored = chooseStoredBlocks(
      chain, llvm::SaturatingAdd<uint64_t>(estimate.peakBytes, bytes) >
                     uint64_t(std::numeric_limits<int64_t>::max())
                 ? std::numeric_limits<int64_t>::max()
                 : estimate.peakBytes + bytes);
  if (!stored)
    return false;
  bool isAnyStored = false;
  for (auto [inverted, stage, count] :
       llvm::zip_equal(estimate.inverted, chain, *stored)) {
    if (count == 0)
      continue;
    isAnyStored = true;
    Operation *op = inverted.op;
    if (count < stage.numBlocks)
      op = splitLast(cast<scf::ForOp>(op), count);
    op->walk([](Operation *inside) { inside->removeAttr(kInvertAttrName); });
    op->setAttr(kReasonAttrName,
                StringAttr::get(op->getContext(),
                                "there is memory to store its values"));
  }
  return isAnyStored;
}
