//===- BlockPlan.cpp - Which values of a block are evaluated again --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockPlan.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Interfaces/CheckpointedLoop.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

/// What takes more operations to evaluate is stored.
static constexpr size_t kMaxEvaluatedOps = 32;

/// Which part of the multiplications of the forward part may be done again to
/// lower the peak.
static constexpr int64_t kMaxRepeatedPart = 4;

/// In longer blocks, and for more operations, no lower peak is searched for.
static constexpr size_t kMaxSearchedOps = 4096, kMaxCandidates = 64;

bool memrev::isTapedLoop(Operation *op) {
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
  for (Operation &op : block) {
    if (isExpensive(&op) && llvm::any_of(op.getResults(), isRecomputed))
      chosen.expensive.insert(&op);
    std::optional<unsigned> edge = getPlannedEdge(&op);
    if (!edge || isa<LoopLikeOpInterface, rev::CouplingOp>(op))
      continue;
    // Evaluating what an inverse gives or starts from would undo the inverse.
    InverseEdge inverse =
        cast<InvertibleOpInterface>(op).getInverseEdges()[*edge];
    for (ArrayRef<Value> values :
         {ArrayRef<Value>(inverse.solved), ArrayRef<Value>(inverse.from)})
      for (Value value : values)
        if (!isRecomputed(value))
          atHand.insert(value);
  }
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
    // In a loop with tapes the inner one has its own anew in each iteration
    // backwards: it runs again from where it starts.
    if (isTaped)
      for (Value init : loop.getInitArgs())
        need(init, position);
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
  return atHand.contains(value) || choice.stored.contains(value);
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
  if (!isElementwise(op) && !choice.expensive.contains(op) &&
      !isRecomputed(value))
    return std::nullopt;
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return SmallVector<Value>(used.getArrayRef());
}

void BlockPlan::choose(Value value, Choice &choice) const {
  llvm::SetVector<Value> evaluated, leaves;
  SmallVector<Value> pending{value};
  llvm::SmallDenseSet<Value> visited;
  // What is marked is evaluated again, whatever it takes.
  bool isMarked = false;
  while (!pending.empty() &&
         (isMarked || evaluated.size() <= kMaxEvaluatedOps)) {
    Value v = pending.pop_back_val();
    if (!visited.insert(v).second || isFree(v, choice))
      continue;
    std::optional<SmallVector<Value>> operands = getOperands(v, choice);
    if (!operands) {
      leaves.insert(v);
      continue;
    }
    evaluated.insert(v);
    isMarked |= choice.expensive.contains(v.getDefiningOp());
    llvm::append_range(pending, *operands);
  }
  int64_t bytes = 0;
  for (Value leaf : leaves)
    if (!needs.contains(leaf))
      bytes += getApproximateBytes(leaf.getType());
  if (evaluated.empty() || (!isMarked && evaluated.size() > kMaxEvaluatedOps) ||
      (bytes != 0 && bytes >= getApproximateBytes(value.getType()))) {
    choice.stored.insert(value);
    return;
  }
  choice.stored.insert(leaves.begin(), leaves.end());
  choice.recomputed.insert(evaluated.begin(), evaluated.end());
}

BlockPlan::Choice
BlockPlan::chooseAll(llvm::SmallDenseSet<Operation *> expensive) const {
  Choice choice;
  choice.expensive = std::move(expensive);
  for (auto &[value, readers] : needs) {
    // The plan of inverses needs it on its way.
    if (isRecomputed(value)) {
      choice.recomputed.insert(value);
      continue;
    }
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

void BlockPlan::describe(const Choice &choice, TimelineInput &input) const {
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
}

void BlockPlan::estimate(const Choice &choice) {
  describe(choice, input);
  timeline.build(input);
}

BlockPlan::Choice BlockPlan::lowerPeak(Choice choice) {
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

//===----------------------------------------------------------------------===//
// Candidates
//===----------------------------------------------------------------------===//

SmallVector<Candidate> BlockPlan::getCandidates() const {
  llvm::DenseMap<Operation *, Candidate> waiting;
  Choice choice = chooseAll({});
  // Inverses give them back.
  llvm::SmallDenseSet<Value> solved;
  for (Operation &op : block)
    if (std::optional<unsigned> edge = getPlannedEdge(&op))
      solved.insert_range(
          cast<InvertibleOpInterface>(op).getInverseEdges()[*edge].solved);
  for (auto &[value, readers] : needs) {
    if (!choice.stored.contains(value) || solved.contains(value) ||
        getApproximateBytes(value.getType()) < kMinPlannedBytes)
      continue;
    // The last one: with it the others are there, or evaluated again, too.
    Operation *last = nullptr;
    SmallVector<Operation *> evaluated;
    SmallVector<Value> pending{value};
    llvm::SmallDenseSet<Value> visited;
    while (!pending.empty()) {
      Value v = pending.pop_back_val();
      // Other stored values are candidates of their own.
      if (!visited.insert(v).second || v.getParentBlock() != &block ||
          (v != value && choice.stored.contains(v)))
        continue;
      Operation *op = v.getDefiningOp();
      if (op)
        evaluated.push_back(op);
      if (op && isa<linalg::LinalgOp>(op) && isExpensive(op)) {
        if (!last || last->isBeforeInBlock(op))
          last = op;
      } else if (auto operands = getOperands(v, choice)) {
        llvm::append_range(pending, *operands);
      }
    }
    if (!last)
      continue;
    Candidate &candidate = waiting[last];
    candidate.op = last;
    candidate.values.push_back(value);
    candidate.bytes += getApproximateBytes(value.getType());
    llvm::append_range(candidate.evaluated, evaluated);
  }
  SmallVector<Candidate> candidates;
  for (Operation &op : block)
    if (auto it = waiting.find(&op); it != waiting.end())
      candidates.push_back(std::move(it->second));
  return candidates;
}

MemoryTimeline BlockPlan::getTimelineWithoutCandidates() const {
  TimelineInput others = input;
  others.tapes.clear();
  for (const Candidate &candidate : getCandidates()) {
    others.excluded.insert_range(candidate.values);
    // What they are evaluated from lives in the operations that read it.
    for (Operation *op : candidate.evaluated)
      for (Value result : op->getResults())
        others.evaluatedAgain.erase(result);
  }
  MemoryTimeline result(block, activity, positions);
  result.build(others);
  return result;
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
  inside->run(/*lowersPeak=*/false);
  input.inside[op] = inside->getPeakBytes();
  if (isTapedLoop(op))
    input.tapes[op] = inside->getTapeBytes() *
                      getConstantTripCount(cast<scf::ForOp>(op)).value_or(64);
}

void BlockPlan::run(bool lowersPeak) {
  for (Operation &op : block)
    planInside(&op);
  // What an inverted loop reads it evaluates from its state.
  bool isInverted = isa<scf::ForOp>(block.getParentOp()) && !isTaped;
  if (!isInverted)
    for (Operation &op : block)
      collectNeeds(&op, positions.lookup(&op));
  chosen = chooseAll(std::move(chosen.expensive));
  if (lowersPeak)
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
