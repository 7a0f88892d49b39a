//===- MemoryTimeline.cpp - What lives when, estimated --------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MemoryTimeline.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include <numeric>

using namespace mlir;
using namespace mlir::memrev;

static int64_t getBytes(Value value) {
  if (!isa<RankedTensorType>(value.getType()))
    return 0;
  int64_t bytes = getApproximateBytes(value.getType());
  return bytes >= kMinPlannedBytes ? bytes : 0;
}

/// True if results of `op` take the place of operands.
static bool isInPlace(Operation *op) {
  return isElementwise(op) || isa<rev::CouplingOp, LoopLikeOpInterface>(op);
}

/// The operand whose place `value` takes for as long as both are needed: the
/// state that a coupling or a loop updates, the tensor that a view shows.
static Value getUpdated(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return {};
  Operation *op = result.getOwner();
  if (auto coupling = dyn_cast<rev::CouplingOp>(op))
    return result == coupling.getResult() ? coupling.getCoupled() : Value();
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    // Slices are copied at the border of a loop.
    Value init = loop.getInitArgs()[result.getResultNumber()];
    return init.getDefiningOp<tensor::ExtractSliceOp>() ? Value() : init;
  }
  if (isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return op->getOperand(0);
  return {};
}

/// True if `value` is handed to its one reader in registers.
static bool isFused(Value value) {
  Operation *op = value.getDefiningOp();
  if (!value.hasOneUse())
    return false;
  Operation *user = *value.user_begin();
  // The shift of a coupling is added where it is computed.
  if (user->hasTrait<OpTrait::IsTerminator>())
    return isa<rev::CouplingOp>(user->getParentOp());
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  SmallVector<Value> operands;
  bool isQuick =
      isElementwise(op) || (rule && succeeded(rule.getRecomputationOperands(
                                        cast<OpResult>(value), operands)));
  // Kernels repeat padding.
  return isa<tensor::PadOp>(op) ||
         (isQuick && isElementwise(user) && !isa<tensor::PadOp>(user));
}

int64_t MemoryTimeline::getBackwardTime(unsigned position) const {
  return 4 * static_cast<int64_t>(positions.size()) - 2 * position;
}

int64_t MemoryTimeline::getDerivativeTime(Operation *op) const {
  unsigned position = positions.lookup(op);
  auto isActive = [&](Value v) { return activity.isActive(v); };
  if (hasGrowingDerivative(op, isActive)) {
    // As soon as an operand's cotangent is needed.
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        if (isActive(operand) && producer->getBlock() == &block)
          return getBackwardTime(positions.lookup(producer)) - 1;
  }
  return getBackwardTime(position);
}

void MemoryTimeline::add(int64_t begin, int64_t end, int64_t bytes) {
  if (bytes > 0 && begin < end)
    intervals.push_back({begin, end, bytes});
}

void MemoryTimeline::addValue(Value value, const TimelineInput &input) {
  int64_t bytes = getBytes(value);
  Operation *op = value.getDefiningOp();
  if (bytes == 0 || isCheap(op) || input.excluded.contains(value))
    return;
  // Of values that share a buffer, the first one counts for all.
  if (Value updated = getUpdated(value))
    if (updated.getDefiningOp() && updated.getParentBlock() == &block)
      return;
  int64_t begin = getForwardTime(positions.lookup(op)), end = begin;
  int64_t backwardEnd = -1;
  bool isKept = false;
  SmallVector<Value> pending{value};
  while (!pending.empty()) {
    Value v = pending.pop_back_val();
    for (Operation *user : v.getUsers()) {
      Operation *ancestor = block.findAncestorOpInBlock(*user);
      if (!ancestor)
        continue;
      int64_t use = getForwardTime(positions.lookup(ancestor));
      end = std::max(end, isInPlace(ancestor) ? use : use + 1);
      for (Value result : ancestor->getResults())
        if (getUpdated(result) == v) {
          pending.push_back(result);
          // What is inverted is there until its first inverse.
          if (getPlannedEdge(ancestor))
            backwardEnd = std::max(
                backwardEnd, getBackwardTime(positions.lookup(ancestor)) + 1);
        }
    }
    auto readers = input.kept.find(v);
    if (readers == input.kept.end())
      continue;
    isKept = true;
    backwardEnd =
        std::max(backwardEnd, getBackwardTime(readers->second.first) + 1);
    int64_t read = getBackwardTime(readers->second.last);
    auto [it, isNew] = idle.try_emplace(value, end, read);
    if (!isNew)
      it->second = {end, std::min(it->second.second, read)};
  }
  if (isKept)
    end = std::max(end, backwardEnd);
  else if (isFused(value))
    return;
  add(begin, end, bytes);

  auto again = input.evaluatedAgain.find(value);
  if (again == input.evaluatedAgain.end() || isKept)
    return;
  // For elementwise readers it is evaluated in registers.
  auto isRead = [&](Operation *user) {
    return !isElementwise(user) || isExpensive(op);
  };
  if (llvm::any_of(value.getUsers(), isRead))
    add(getBackwardTime(again->second.last),
        getBackwardTime(again->second.first) + 1, bytes);
}

void MemoryTimeline::addCotangent(Value value) {
  int64_t bytes = getBytes(value);
  Operation *op = value.getDefiningOp();
  if (bytes == 0 || !activity.isActive(value) || isCheap(op))
    return;
  int64_t begin = std::numeric_limits<int64_t>::max();
  for (Operation *user : value.getUsers()) {
    Operation *ancestor = block.findAncestorOpInBlock(*user);
    // The caller holds the cotangents of results.
    if (!ancestor || ancestor->hasTrait<OpTrait::IsTerminator>())
      return;
    bool isActive = llvm::any_of(ancestor->getResults(), [&](Value result) {
      return activity.isActive(result);
    });
    if (isActive)
      begin = std::min(begin, getDerivativeTime(ancestor));
  }
  int64_t end = getDerivativeTime(op);
  add(begin, isInPlace(op) ? end : end + 1, bytes);
}

void MemoryTimeline::build(const TimelineInput &input) {
  intervals.clear();
  idle.clear();
  for (Operation &op : block) {
    unsigned position = positions.lookup(&op);
    for (Value result : op.getResults()) {
      addValue(result, input);
      addCotangent(result);
    }
    int64_t forward = getForwardTime(position);
    int64_t backward = getBackwardTime(position);
    int64_t inside = input.inside.lookup(&op);
    add(forward, forward + 1, inside);
    add(backward, backward + 1, inside);
    add(forward, backward + 1, input.tapes.lookup(&op));
  }
  addUp();
}

void MemoryTimeline::addUp() {
  used.assign(getBackwardTime(0) + 2, 0);
  for (const Interval &interval : intervals) {
    used[interval.begin] += interval.bytes;
    if (interval.end < static_cast<int64_t>(used.size()))
      used[interval.end] -= interval.bytes;
  }
  std::partial_sum(used.begin(), used.end(), used.begin());
  auto most = llvm::max_element(used);
  peakTime = most - used.begin();
  peakBytes = *most;
}

int64_t MemoryTimeline::getMost(int64_t begin, int64_t end) const {
  int64_t most = 0;
  for (int64_t time = std::max<int64_t>(begin, 0); time < end; ++time)
    most = std::max(most, used[time]);
  return most;
}

int64_t MemoryTimeline::getForwardBytes(unsigned begin, unsigned end) const {
  return getMost(getForwardTime(begin), getForwardTime(end));
}

int64_t MemoryTimeline::getBackwardBytes(unsigned begin, unsigned end) const {
  return getMost(getBackwardTime(end) + 1, getBackwardTime(begin) + 1);
}

bool MemoryTimeline::isIdleAtPeak(Value value) const {
  auto it = idle.find(value);
  return it != idle.end() && it->second.first <= peakTime &&
         peakTime < it->second.second;
}
