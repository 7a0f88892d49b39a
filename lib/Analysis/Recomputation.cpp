//===- Recomputation.cpp - Which values are evaluated again ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/Recomputation.h"
#include "MemoryTimeline.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Interfaces/CheckpointedLoop.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include <memory>

using namespace mlir;
using namespace mlir::memrev;

bool memrev::isRecomputed(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return false;
  auto numbers =
      result.getOwner()->getAttrOfType<DenseI64ArrayAttr>(kRecomputeAttrName);
  return numbers && llvm::is_contained(numbers.asArrayRef(),
                                       int64_t(result.getResultNumber()));
}

static void setRecomputed(OpResult result) {
  Operation *op = result.getOwner();
  SmallVector<int64_t> numbers{result.getResultNumber()};
  if (auto known = op->getAttrOfType<DenseI64ArrayAttr>(kRecomputeAttrName))
    llvm::append_range(numbers, known.asArrayRef());
  llvm::sort(numbers);
  op->setAttr(kRecomputeAttrName,
              DenseI64ArrayAttr::get(op->getContext(), numbers));
}

namespace {

/// What is evaluated again, the rest of what is needed being stored.
struct Choice {
  llvm::DenseSet<Value> stored, recomputed;
  /// Operations that take long, and may be evaluated again nevertheless.
  llvm::SmallDenseSet<Operation *> expensive;
};

/// Plans one block: what its operations' derivatives read.
class BlockPlan {
public:
  /// With `isTaped` what the block stores is stored once for each evaluation.
  BlockPlan(Block &block, const Activity &activity, bool isTaped);

  /// Plans the block and those inside of it.
  void run();
  /// Writes the plan into them.
  void write() const;

  /// The estimate of what lives in the block at once.
  int64_t getPeakBytes() const { return timeline.getPeakBytes(); }
  /// What each evaluation of the block stores.
  int64_t getTapeBytes() const;
  const MemoryTimeline &getTimeline() const { return timeline; }

private:
  void planInside(Operation *op);
  void collectNeeds(Operation *op, unsigned position);
  void need(Value value, unsigned position);

  /// True if `value` is at hand in the backward part, stored or not.
  bool isFree(Value value, const Choice &choice) const;
  /// True if nothing expensive happens between the last use of `value` and the
  /// first time that its derivative reads it.
  bool isReadAtOnce(Value value, const Readers &readers) const;
  /// The values that `value` is evaluated from, if it may be.
  std::optional<SmallVector<Value>> getOperands(Value value,
                                                const Choice &choice) const;
  /// Chooses whether the needed `value` is stored.
  void choose(Value value, Choice &choice) const;
  Choice chooseAll(llvm::SmallDenseSet<Operation *> expensive) const;
  void estimate(const Choice &choice);
  Choice lowerPeak(Choice choice);

  Block &block;
  const Activity &activity;
  bool isTaped;
  DenseMap<Operation *, unsigned> positions;
  /// How many expensive operations come before each position.
  SmallVector<unsigned> numExpensive;
  llvm::MapVector<Value, Readers> needs;
  TimelineInput input;
  MemoryTimeline timeline;
  Choice chosen;
  /// The plans of the regions of operations of the block.
  llvm::MapVector<Operation *, std::unique_ptr<BlockPlan>> inner;
};

} // namespace

/// What takes more operations to evaluate is stored.
static constexpr size_t kMaxEvaluatedOps = 32;

/// Which part of the multiplications of the forward part may be done again to
/// lower the peak.
static constexpr int64_t kMaxRepeatedPart = 4;

/// In longer blocks, and for more operations, no lower peak is searched for.
static constexpr size_t kMaxSearchedOps = 4096, kMaxCandidates = 64;

/// True if `loop` keeps what the derivative of its body reads on tapes.
static bool isTapedLoop(Operation *op) {
  return isa_and_nonnull<scf::ForOp>(op) && !getPlannedEdge(op) &&
         !CheckpointedLoop::get(op);
}

//===----------------------------------------------------------------------===//
// What is needed
//===----------------------------------------------------------------------===//

BlockPlan::BlockPlan(Block &block, const Activity &activity, bool isTaped)
    : block(block), activity(activity), isTaped(isTaped),
      timeline(block, activity, positions) {
  unsigned count = 0, position = 0;
  for (Operation &op : block) {
    positions[&op] = position++;
    numExpensive.push_back(count);
    count += isExpensive(&op);
  }
  numExpensive.push_back(count);
}

void BlockPlan::need(Value value, unsigned position) {
  if (value.getParentBlock() != &block)
    return;
  auto [it, isNew] = needs.insert({value, Readers{position, position}});
  if (isNew)
    return;
  it->second.first = std::min(it->second.first, position);
  it->second.last = std::max(it->second.last, position);
}

void BlockPlan::collectNeeds(Operation *op, unsigned position) {
  auto isActive = [&](Value v) { return activity.isActive(v); };
  if (llvm::none_of(op->getResults(), isActive))
    return;
  if (isTapedLoop(op)) {
    // What the loop carries is on its tapes.
    auto loop = cast<scf::ForOp>(op);
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(loop.getRegion(), captured);
    for (Value value : captured)
      need(value, position);
    return;
  }
  if (std::optional<unsigned> edge = getPlannedEdge(op)) {
    InverseEdge inverse =
        cast<InvertibleOpInterface>(op).getInverseEdges()[*edge];
    for (Value value : inverse.from)
      need(value, position);
  }
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  if (!rule)
    return;
  SmallVector<Residual> residuals;
  rule.getResiduals(isActive, residuals);
  for (const Residual &residual : residuals)
    need(residual.alternatives.front(), position);
}

//===----------------------------------------------------------------------===//
// What is evaluated again
//===----------------------------------------------------------------------===//

bool BlockPlan::isFree(Value value, const Choice &choice) const {
  if (value.getParentBlock() != &block)
    return true;
  // The caller holds a function's arguments, and a coupling is inverted where
  // what it is given is known; what a loop carries is on a tape.
  if (!value.getDefiningOp())
    return !isTaped || !isa<RankedTensorType>(value.getType());
  return choice.stored.contains(value);
}

bool BlockPlan::isReadAtOnce(Value value, const Readers &readers) const {
  if (isTaped)
    return false;
  unsigned last = readers.last;
  for (Operation *user : value.getUsers())
    if (Operation *ancestor = block.findAncestorOpInBlock(*user))
      last = std::max(last, positions.lookup(ancestor));
  return numExpensive[last + 1] == numExpensive.back();
}

std::optional<SmallVector<Value>>
BlockPlan::getOperands(Value value, const Choice &choice) const {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return std::nullopt;
  Operation *op = result.getOwner();
  SmallVector<Value> operands;
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  if (rule && succeeded(rule.getRecomputationOperands(result, operands)))
    return operands;
  if (!isElementwise(op) && !choice.expensive.contains(op))
    return std::nullopt;
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return SmallVector<Value>(used.getArrayRef());
}

void BlockPlan::choose(Value value, Choice &choice) const {
  llvm::SetVector<Value> evaluated, leaves;
  SmallVector<Value> pending{value};
  llvm::SmallDenseSet<Value> visited;
  while (!pending.empty() && evaluated.size() <= kMaxEvaluatedOps) {
    Value v = pending.pop_back_val();
    if (!visited.insert(v).second || isFree(v, choice))
      continue;
    std::optional<SmallVector<Value>> operands = getOperands(v, choice);
    if (!operands) {
      leaves.insert(v);
      continue;
    }
    evaluated.insert(v);
    llvm::append_range(pending, *operands);
  }
  int64_t bytes = 0;
  for (Value leaf : leaves)
    if (!needs.contains(leaf))
      bytes += getApproximateBytes(leaf.getType());
  if (evaluated.empty() || evaluated.size() > kMaxEvaluatedOps ||
      (bytes != 0 && bytes >= getApproximateBytes(value.getType()))) {
    choice.stored.insert(value);
    return;
  }
  choice.stored.insert(leaves.begin(), leaves.end());
  choice.recomputed.insert(evaluated.begin(), evaluated.end());
}

Choice BlockPlan::chooseAll(llvm::SmallDenseSet<Operation *> expensive) const {
  Choice choice;
  choice.expensive = std::move(expensive);
  for (auto &[value, readers] : needs) {
    if (isFree(value, choice) || choice.recomputed.contains(value))
      continue;
    Operation *op = value.getDefiningOp();
    if (isReadAtOnce(value, readers) && !choice.expensive.contains(op))
      choice.stored.insert(value);
    else
      choose(value, choice);
  }
  for (Value value : choice.stored)
    choice.recomputed.erase(value);
  return choice;
}

//===----------------------------------------------------------------------===//
// The peak
//===----------------------------------------------------------------------===//

void BlockPlan::estimate(const Choice &choice) {
  DenseMap<Value, Readers> reads(needs.begin(), needs.end());
  // What is evaluated again reads its operands where it is read first.
  SmallVector<Value> again(choice.recomputed.begin(), choice.recomputed.end());
  llvm::sort(again, [&](Value a, Value b) {
    return positions.lookup(b.getDefiningOp()) <
           positions.lookup(a.getDefiningOp());
  });
  for (Value value : again) {
    auto readers = reads.find(value);
    if (readers == reads.end())
      continue;
    unsigned last = readers->second.last;
    std::optional<SmallVector<Value>> operands = getOperands(value, choice);
    for (Value operand : *operands) {
      auto [it, isNew] = reads.try_emplace(operand, Readers{last, last});
      it->second.first = std::min(it->second.first, last);
      it->second.last = std::max(it->second.last, last);
    }
  }
  input.kept.clear();
  input.evaluatedAgain.clear();
  for (auto &[value, readers] : reads)
    (choice.recomputed.contains(value) ? input.evaluatedAgain : input.kept)
        .insert({value, readers});
  timeline.build(input);
}

Choice BlockPlan::lowerPeak(Choice choice) {
  estimate(choice);
  SmallVector<std::pair<Operation *, int64_t>> candidates;
  int64_t budget = 0;
  for (Operation &op : block) {
    int64_t work = getApproximateWork(&op);
    budget += work / kMaxRepeatedPart;
    if (!isa<linalg::LinalgOp>(op) || !isExpensive(&op))
      continue;
    if (llvm::any_of(op.getResults(), [&](Value result) {
          return needs.contains(result) &&
                 getApproximateBytes(result.getType()) >= kMinPlannedBytes;
        }))
      candidates.push_back({&op, work});
  }
  if (positions.size() > kMaxSearchedOps || candidates.size() > kMaxCandidates)
    return choice;
  while (true) {
    int64_t peak = timeline.getPeakBytes();
    SmallVector<std::pair<Operation *, int64_t>> idle;
    for (auto [op, work] : candidates)
      if (!choice.expensive.contains(op) && work <= budget &&
          llvm::any_of(op->getResults(), [&](Value result) {
            return timeline.isIdleAtPeak(result);
          }))
        idle.push_back({op, work});
    std::optional<Choice> best;
    int64_t bestWork = 0, bestPeak = peak;
    for (auto [op, work] : idle) {
      llvm::SmallDenseSet<Operation *> expensive = choice.expensive;
      expensive.insert(op);
      Choice trial = chooseAll(std::move(expensive));
      estimate(trial);
      int64_t reached = timeline.getPeakBytes();
      if (reached >= peak || reached > bestPeak ||
          (reached == bestPeak && work >= bestWork))
        continue;
      best = std::move(trial);
      bestWork = work;
      bestPeak = reached;
    }
    if (best) {
      choice = std::move(*best);
      budget -= bestWork;
    }
    estimate(choice);
    if (!best)
      return choice;
  }
}

int64_t BlockPlan::getTapeBytes() const {
  int64_t bytes = 0;
  for (auto &[value, readers] : needs)
    if (!chosen.recomputed.contains(value))
      bytes += getApproximateBytes(value.getType());
  // What others are evaluated from.
  for (Value value : chosen.stored)
    if (!needs.contains(value))
      bytes += getApproximateBytes(value.getType());
  return bytes;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

void BlockPlan::planInside(Operation *op) {
  if (!isa<rev::CouplingOp, scf::ForOp>(op) || CheckpointedLoop::get(op))
    return;
  auto &inside = inner[op];
  inside = std::make_unique<BlockPlan>(op->getRegion(0).front(), activity,
                                       isTapedLoop(op));
  inside->run();
  input.inside[op] = inside->getPeakBytes();
  if (isTapedLoop(op))
    input.tapes[op] = inside->getTapeBytes() *
                      getConstantTripCount(cast<scf::ForOp>(op)).value_or(64);
}

void BlockPlan::run() {
  for (Operation &op : block)
    planInside(&op);
  // What an inverted loop reads it evaluates from its state.
  bool isInverted = isa<scf::ForOp>(block.getParentOp()) && !isTaped;
  if (!isInverted)
    for (Operation &op : block)
      collectNeeds(&op, positions.lookup(&op));
  chosen = chooseAll({});
  // What is evaluated again in a loop or a coupling is so for each of its
  // evaluations.
  if (isa<FunctionOpInterface>(block.getParentOp()))
    chosen = lowerPeak(std::move(chosen));
  else
    estimate(chosen);
}

void BlockPlan::write() const {
  for (auto &[op, inside] : inner)
    inside->write();
  for (Value value : chosen.recomputed)
    setRecomputed(cast<OpResult>(value));
}

void memrev::planRecomputation(Block &block, const Activity &activity) {
  BlockPlan plan(block, activity, isTapedLoop(block.getParentOp()));
  plan.run();
  plan.write();
}

/// Adds what storing `coupling` costs and saves.
static void addStored(rev::CouplingOp coupling, const Activity &activity,
                      const CostModel &model, InvertedOp &sum) {
  // The region's arguments, which are states that other couplings would give
  // back, are stored, too.
  BlockPlan region(coupling.getBody().front(), activity, /*isTaped=*/true);
  region.run();
  int64_t bytes = region.getTapeBytes();
  sum.storedBytes += bytes;
  sum.savedTime += model.getTime(coupling) - model.getStorageTime(bytes);
}

StorageEstimate memrev::estimateStorage(Block &block, const Activity &activity,
                                        const CostModel &model) {
  BlockPlan plan(block, activity, /*isTaped=*/false);
  plan.run();
  StorageEstimate estimate;
  estimate.peakBytes = plan.getPeakBytes();
  for (Operation &op : block) {
    if (op.getNumRegions() == 0 || !getPlannedEdge(&op))
      continue;
    InvertedOp inverted{&op};
    inverted.forwardBytes = plan.getTimeline().getForwardBytes(&op);
    inverted.backwardBytes = plan.getTimeline().getBackwardBytes(&op);
    op.walk<WalkOrder::PreOrder>([&](rev::CouplingOp coupling) {
      addStored(coupling, activity, model, inverted);
      return WalkResult::skip();
    });
    if (inverted.savedTime > 0)
      estimate.inverted.push_back(inverted);
  }
  return estimate;
}
