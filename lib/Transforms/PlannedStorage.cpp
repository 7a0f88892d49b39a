//===- PlannedStorage.cpp - Store as much as a plan has room for ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlannedStorage.h"
#include "PreparedLoops.h"
#include "memrev/Analysis/Drift.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Analysis/StorageChain.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
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

static void setReason(Operation *op, StringRef reason) {
  op->setAttr(kReasonAttrName, StringAttr::get(op->getContext(), reason));
}

/// Lets what `op` computes be stored.
static void store(Operation *op, StringRef reason) {
  op->walk([](Operation *inside) { inside->removeAttr(kInvertAttrName); });
  setReason(op, reason);
}

/// Lets what is inverted in regions of couplings be stored where it would drift
/// too far: those are no stages, and have no options. Returns whether anything
/// has lost its inverse edge.
static bool storeDrifting(func::FuncOp function, double maxDrift) {
  bool isAnyStored = false;
  function.walk<WalkOrder::PreOrder>([&](rev::CouplingOp coupling) {
    Block &body = coupling.getBody().front();
    if (getInverseRun(body).getDrift() <= maxDrift)
      return;
    for (Operation &op : body)
      if (getPlannedEdge(&op))
        store(&op, "its inverse drifts too far");
    isAnyStored = true;
  });
  return isAnyStored;
}

/// Does to the operation of `stage` what was chosen for it. Returns whether
/// anything has lost its inverse edge.
static FailureOr<bool> apply(const StorageStage &stage,
                             const StorageChoice &choice) {
  Operation *op = stage.op;
  for (Operation *again : choice.evaluatedAgain)
    for (OpResult result : again->getResults())
      setRecomputed(result);
  if (choice.keepsState)
    op->setAttr(kKeepsStateAttrName, UnitAttr::get(op->getContext()));
  auto loop = dyn_cast_if_present<scf::ForOp>(op);
  if (choice.slots != 0) {
    IRRewriter rewriter(loop.getContext());
    if (failed(checkpointBinomially(rewriter, loop, choice.slots)))
      return failure();
    return false;
  }
  bool isStored = choice.numStored != 0;
  if (isStored) {
    bool isWhole = !loop || choice.numStored == getConstantTripCount(loop);
    Operation *last = isWhole ? op : splitLast(loop, choice.numStored);
    last->walk(
        [](Operation *inside) { inside->removeAttr(kRecomputeAttrName); });
    store(last, "there is memory to store its values");
  }
  if (choice.period != 0) {
    IRRewriter rewriter(loop.getContext());
    scf::ForOp outer = checkpointPeriodically(rewriter, loop, choice.period);
    setReason(outer, "its states bound the drift of inverses");
  }
  return isStored;
}

/// The bytes that are `extra` more than `bytes`, at least 0.
static int64_t addSigned(int64_t bytes, int64_t extra) {
  int64_t sum;
  if (llvm::AddOverflow(bytes, extra, sum))
    return std::numeric_limits<int64_t>::max();
  return std::max<int64_t>(0, sum);
}

/// The fastest choice within `budget`. If there is none, the one that takes the
/// fewest bytes at its peak, and of those the one that holds the fewest in all:
/// there is less in the way of what estimates do not see. Nothing if all drift
/// too far.
static std::optional<SmallVector<unsigned>>
choose(const StorageChain &chain, int64_t budget, double maxDrift) {
  if (auto chosen = chooseOptions(chain.options, budget, maxDrift))
    return chosen;
  std::optional<int64_t> fewest = getFewestBytes(chain.options, maxDrift);
  if (!fewest)
    return std::nullopt;
  // Bytes first, then time.
  SmallVector<ChainStage> lean(chain.options);
  int64_t slowest = 1;
  for (const ChainStage &stage : lean)
    for (const StageOption &option : stage)
      slowest = std::max(slowest, option.time);
  constexpr int64_t scale = 1024;
  for (ChainStage &stage : lean)
    for (StageOption &option : stage)
      option.time =
          llvm::SaturatingMultiply<uint64_t>(option.heldBytes, scale) +
          option.time / llvm::divideCeil(slowest, scale);
  if (auto chosen = chooseOptions(lean, *fewest, maxDrift))
    return chosen;
  // Bytes were rounded up on the way, which they are not where no time is
  // weighed.
  for (ChainStage &stage : lean)
    for (StageOption &option : stage)
      option.time = 0;
  return chooseOptions(lean, *fewest, maxDrift);
}

/// The function's drift tolerance, else that of its module.
static std::optional<double> getDriftTolerance(func::FuncOp function) {
  for (Operation *op : {function.getOperation(), function->getParentOp()})
    if (auto tolerance =
            op->getAttrOfType<FloatAttr>(rev::kDriftToleranceAttrName))
      return tolerance.getValueAsDouble();
  return std::nullopt;
}

void memrev::tightenDriftTolerance(func::FuncOp function, func::FuncOp part) {
  std::optional<double> known = getDriftTolerance(function);
  std::optional<double> other = getDriftTolerance(part);
  if (other && *other < known.value_or(kAnyDrift))
    function->setAttr(rev::kDriftToleranceAttrName,
                      Builder(function.getContext()).getF64FloatAttr(*other));
}

bool memrev::hasStoragePlan(func::FuncOp function) {
  return function->hasAttr(kStorageAttrName) || getDriftTolerance(function);
}

FailureOr<bool> memrev::planStorage(func::FuncOp function,
                                    const Activity &activity,
                                    const CostModel &model) {
  int64_t extra = 0;
  if (auto storage = function->getAttrOfType<IntegerAttr>(kStorageAttrName))
    extra = storage.getInt();
  double maxDrift = getDriftTolerance(function).value_or(kAnyDrift);
  bool isAnyStored = storeDrifting(function, maxDrift);
  StorageChain chain =
      buildStorageChain(function.getBody().front(), activity, model, maxDrift);
  std::optional<SmallVector<unsigned>> chosen;
  if (extra != 0 || getDrift(chain.options, chain.defaults) > maxDrift)
    chosen = choose(
        chain, addSigned(getPeakBytes(chain.options, chain.defaults), extra),
        maxDrift);
  else
    chosen = chain.defaults;
  if (!chosen)
    return function.emitError("expects a drift tolerance that one iteration of "
                              "a loop of unknown length meets, but got ")
           << maxDrift;
  for (auto [stage, number] : llvm::zip_equal(chain.stages, *chosen)) {
    FailureOr<bool> isStored = apply(stage, stage.choices[number]);
    if (failed(isStored))
      return failure();
    isAnyStored |= *isStored;
  }
  return isAnyStored;
}
