//===- Recomputation.cpp - Which values are evaluated again ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/Recomputation.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Interfaces/CheckpointedLoop.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

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

/// Plans one block: what its operations' derivatives read.
class BlockPlan {
public:
  BlockPlan(Block &block, const Activity &activity)
      : block(block), activity(activity) {}

  void run();

private:
  /// What is known of a value that a derivative reads.
  struct Need {
    /// The last operation whose derivative reads it: the first to do so in the
    /// backward part.
    unsigned lastReader = 0;
  };

  void collectNeeds(Operation *op, unsigned position);
  void need(Value value, unsigned position);
  /// True if `value` is at hand in the backward part, stored or not.
  bool isFree(Value value) const;
  /// True if nothing expensive happens between the last use of `value` and the
  /// first time that its derivative reads it.
  bool isReadAtOnce(Value value, const Need &need) const;
  /// The values that `value` is evaluated from; nothing if it had better be
  /// stored.
  std::optional<SmallVector<Value>> getOperands(Value value) const;
  void choose(Value value);

  Block &block;
  const Activity &activity;
  /// True if every value of the block that is stored is stored once for each
  /// iteration.
  bool isTaped = false;
  DenseMap<Operation *, unsigned> positions;
  /// How many expensive operations come before each position.
  SmallVector<unsigned> numExpensive;
  llvm::MapVector<Value, Need> needs;
  llvm::DenseSet<Value> stored, recomputed;
};

} // namespace

/// What takes more operations to evaluate is stored.
static constexpr size_t kMaxEvaluatedOps = 32;

/// True if `loop` keeps what the derivative of its body reads on tapes.
static bool isTapedLoop(Operation *op) {
  return isa_and_nonnull<scf::ForOp>(op) && !getPlannedEdge(op) &&
         !CheckpointedLoop::get(op);
}

void BlockPlan::need(Value value, unsigned position) {
  if (value.getParentBlock() != &block)
    return;
  Need &entry = needs[value];
  entry.lastReader = std::max(entry.lastReader, position);
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

bool BlockPlan::isFree(Value value) const {
  if (value.getParentBlock() != &block)
    return true;
  Operation *op = value.getDefiningOp();
  // The caller holds a function's arguments, and a coupling is inverted where
  // what it is given is known; what a loop carries is on a tape.
  if (!op)
    return !isTaped || !isa<RankedTensorType>(value.getType());
  return stored.contains(value);
}

bool BlockPlan::isReadAtOnce(Value value, const Need &need) const {
  if (isTaped)
    return false;
  unsigned last = need.lastReader;
  for (Operation *user : value.getUsers())
    if (Operation *ancestor = block.findAncestorOpInBlock(*user))
      last = std::max(last, positions.lookup(ancestor));
  return numExpensive[last + 1] == numExpensive.back();
}

std::optional<SmallVector<Value>> BlockPlan::getOperands(Value value) const {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return std::nullopt;
  Operation *op = result.getOwner();
  SmallVector<Value> operands;
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  if (rule && succeeded(rule.getRecomputationOperands(result, operands)))
    return operands;
  if (!isElementwise(op))
    return std::nullopt;
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return SmallVector<Value>(used.getArrayRef());
}

void BlockPlan::choose(Value value) {
  llvm::SetVector<Value> evaluated, leaves;
  SmallVector<Value> pending{value};
  llvm::SmallDenseSet<Value> visited;
  while (!pending.empty()) {
    Value v = pending.pop_back_val();
    if (!visited.insert(v).second || isFree(v))
      continue;
    std::optional<SmallVector<Value>> operands = getOperands(v);
    if (!operands) {
      leaves.insert(v);
      continue;
    }
    evaluated.insert(v);
    if (evaluated.size() > kMaxEvaluatedOps)
      break;
    llvm::append_range(pending, *operands);
  }
  int64_t bytes = 0;
  for (Value leaf : leaves)
    if (!needs.contains(leaf))
      bytes += getApproximateBytes(leaf.getType());
  bool isEvaluated =
      !evaluated.empty() && evaluated.size() <= kMaxEvaluatedOps &&
      (bytes == 0 || bytes < getApproximateBytes(value.getType()));
  if (!isEvaluated) {
    stored.insert(value);
    return;
  }
  stored.insert(leaves.begin(), leaves.end());
  recomputed.insert(evaluated.begin(), evaluated.end());
}

void BlockPlan::run() {
  Operation *parent = block.getParentOp();
  isTaped = isTapedLoop(parent);
  unsigned count = 0, position = 0;
  for (Operation &op : block) {
    positions[&op] = position++;
    numExpensive.push_back(count);
    count += isExpensive(&op);
  }
  numExpensive.push_back(count);
  // What an inverted loop reads it evaluates from its state.
  bool isInverted = isa<scf::ForOp>(parent) && !isTaped;
  for (Operation &op : block) {
    if (isa<rev::CouplingOp, scf::ForOp>(op) && !CheckpointedLoop::get(&op))
      planRecomputation(op.getRegion(0).front(), activity);
    if (!isInverted)
      collectNeeds(&op, positions.lookup(&op));
  }
  for (auto &[value, need] : needs) {
    if (isFree(value) || recomputed.contains(value))
      continue;
    if (isReadAtOnce(value, need))
      stored.insert(value);
    else
      choose(value);
  }
  for (Value value : recomputed)
    if (!stored.contains(value))
      setRecomputed(cast<OpResult>(value));
}

void memrev::planRecomputation(Block &block, const Activity &activity) {
  BlockPlan(block, activity).run();
}
