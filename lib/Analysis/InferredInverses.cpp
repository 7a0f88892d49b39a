//===- InferredInverses.cpp - Inverses of programs without couplings ------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/InferredInverses.h"
#include "Inference.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/Drift.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include <limits>
#include <queue>

using namespace mlir;
using namespace mlir::memrev;

/// What takes more operations to evaluate again is not looked through.
static constexpr size_t kMaxConeOps = 512;

/// As many operations on arguments alone, none of which takes long.
static constexpr size_t kMaxQuickOps = 8;

Inference::Inference(Block &block, const Activity &activity)
    : block(block), activity(activity) {
  unsigned position = 0;
  for (Operation &op : block)
    positions[&op] = position++;
}

//===----------------------------------------------------------------------===//
// What is read
//===----------------------------------------------------------------------===//

void Inference::read(Value value) {
  if (!isLocal(value))
    return;
  auto use = [&](Value value) {
    auto it = known.find(value);
    if (it == known.end() || it->second == kNoLink)
      return false;
    links[it->second].isUsed = true;
    links[it->second].read.insert(value);
    return true;
  };
  // What is evaluated again for a link is there when what it is evaluated from
  // is. The results of the link's operation come after it.
  if (auto inner = inside.find(value); inner != inside.end()) {
    InverseLink &link = links[inner->second];
    link.readInside.insert(value);
    for (Value leaf : link.leaves)
      if (leaf.getDefiningOp() != link.op)
        use(leaf);
  } else if (!use(value)) {
    known.try_emplace(value, kNoLink);
    stored.insert(value);
  }
}

void Inference::collectReads(Operation *op) {
  auto isActive = [&](Value v) { return activity.isActive(v); };
  if (std::optional<unsigned> edge = getPlannedEdge(op)) {
    InverseEdge inverse =
        cast<InvertibleOpInterface>(op).getInverseEdges()[*edge];
    bool isEvaluated =
        isa<CallOpInterface>(op) && tryPlanned(op, *edge, inverse);
    for (Value value : inverse.from) {
      if (isEvaluated && value.getDefiningOp() != op)
        continue;
      read(value);
      starts.try_emplace(value, op);
    }
    for (Value value : inverse.solved) {
      known.try_emplace(value, kNoLink);
      planned.insert(value);
    }
  }
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  if (!rule || llvm::none_of(op->getResults(), isActive))
    return;
  if (isa<LoopLikeOpInterface>(op)) {
    llvm::SetVector<Value> used;
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value value : used)
      read(value);
    return;
  }
  SmallVector<Residual> residuals;
  rule.getResiduals(isActive, residuals);
  for (const Residual &residual : residuals)
    read(residual.alternatives.front());
}

//===----------------------------------------------------------------------===//
// Links
//===----------------------------------------------------------------------===//

/// True if `op` can be evaluated again in the backward part.
static bool canEvaluate(Operation *op) {
  return isPure(op) && !getPlannedEdge(op) &&
         !isa<LoopLikeOpInterface, CallOpInterface>(op);
}

/// True if `op` makes a tensor out of nothing that has to be given back.
static bool isFilled(Operation *op) {
  return op->hasTrait<OpTrait::ConstantLike>() ||
         isa<tensor::EmptyOp, linalg::FillOp>(op);
}

/// The bytes of all of `values`.
static int64_t getAllBytes(ValueRange values) {
  int64_t bytes = 0;
  for (Value value : values)
    bytes += getApproximateBytes(value.getType());
  return bytes;
}

/// What `value` is a view of.
static Value lookThroughViews(Value value) {
  while (value.getDefiningOp() && isCheap(value.getDefiningOp()) &&
         value.getDefiningOp()->getNumOperands() != 0)
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

/// True if `op` only enlarges what is outside of `block`, to a size that does
/// not depend on what is inside: a broadcast of an argument.
static bool enlargesOutside(Operation *op, Block &block) {
  if (!isElementwise(op) || llvm::any_of(op->getResultTypes(), [](Type type) {
        auto shaped = dyn_cast<ShapedType>(type);
        return !shaped || !shaped.hasStaticShape();
      }))
    return false;
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  SmallVector<Value> outside;
  for (Value value : used) {
    Value viewed = lookThroughViews(value);
    if (viewed.getParentBlock() != &block || !viewed.getDefiningOp())
      outside.push_back(value);
    else if (!isFilled(value.getDefiningOp()))
      return false;
  }
  return !outside.empty() &&
         getAllBytes(op->getResults()) > getAllBytes(outside);
}

bool Inference::isInside(Operation *op, Operation *end,
                         const llvm::SmallPtrSetImpl<Operation *> &cone,
                         Block &block) {
  // Views, constants and broadcasts are never kept for their own sake.
  if (isCheap(op) || enlargesOutside(op, block))
    return true;
  return llvm::all_of(op->getUsers(), [&](Operation *user) {
    Operation *ancestor = block.findAncestorOpInBlock(*user);
    return ancestor == end || cone.contains(ancestor);
  });
}

std::optional<LinkFailure::Reason>
Inference::findCone(InverseLink &link, ArrayRef<Value> from) const {
  // Later operations first, so that all users of one have been decided on.
  std::priority_queue<std::pair<unsigned, Operation *>> pending;
  llvm::SmallPtrSet<Operation *, 16> seen, cone;
  llvm::SmallSetVector<Value, 4> leaves;
  llvm::SmallDenseMap<Operation *, SmallVector<Value, 1>> wanted;
  auto want = [&](Value value) {
    if (!isLocal(value)) {
      leaves.insert(value);
      return;
    }
    Operation *def = value.getDefiningOp();
    wanted[def].push_back(value);
    if (seen.insert(def).second)
      pending.push({positions.lookup(def), def});
  };
  auto isGivenBack = [&](Value value) {
    auto it = known.find(value);
    return planned.contains(value) ||
           (it != known.end() && it->second != kNoLink);
  };
  for (Value value : from)
    want(value);
  while (!pending.empty()) {
    Operation *op = pending.top().second;
    pending.pop();
    if (llvm::any_of(wanted[op], [&](Value value) {
          return llvm::is_contained(link.solved, value);
        }))
      return LinkFailure::NeedsItself;
    // What the operation itself computes is what its inverse starts from.
    if (op == link.op || llvm::all_of(wanted[op], isGivenBack) ||
        !isInside(op, link.op, cone, block)) {
      leaves.insert_range(wanted[op]);
      continue;
    }
    if (!canEvaluate(op) || cone.size() == kMaxConeOps)
      return LinkFailure::NeedsStored;
    cone.insert(op);
    link.cone.push_back(op);
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value value : used)
      want(value);
  }
  link.leaves = leaves.takeVector();
  // A chain goes on from what is given back. Of arguments alone no more than a
  // few quick operations are evaluated again.
  auto numOps = llvm::count_if(
      link.cone, [](Operation *op) { return !isCheap(op) && !isFilled(op); });
  if ((static_cast<size_t>(numOps) <= kMaxQuickOps &&
       llvm::none_of(link.cone, isExpensive)) ||
      llvm::any_of(link.leaves, [&](Value leaf) {
        return isLocal(leaf) && leaf.getDefiningOp() != link.op;
      }))
    return std::nullopt;
  return LinkFailure::TakesLong;
}

bool Inference::isEnlarged(Value value, ArrayRef<Value> solved) const {
  Operation *op = value.getDefiningOp();
  auto it = known.find(value);
  if (planned.contains(value) ||
      (it != known.end() && it->second != kNoLink) ||
      llvm::is_contained(block.getTerminator()->getOperands(), value) ||
      getAllBytes(value) <= getAllBytes(solved))
    return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return llvm::is_contained(solved, operand) || !isLocal(operand) ||
           isFilled(operand.getDefiningOp());
  });
}

bool Inference::tryLink(Operation *op, unsigned number, const InverseEdge &edge,
                        bool mayStart) {
  auto isUnknown = [&](Value value) {
    return isLocal(value) && !known.contains(value);
  };
  auto isMadeAgain = [&](Value value) {
    return enlargesOutside(value.getDefiningOp(), block);
  };
  if (llvm::none_of(edge.solved, [&](Value value) {
        return isUnknown(value) && !isFilled(value.getDefiningOp()) &&
               !isMadeAgain(value);
      })) {
    for (Value value : edge.solved)
      failures.try_emplace(
          value, LinkFailure{op,
                             isUnknown(value) && isMadeAgain(value)
                                 ? LinkFailure::IsMadeAgain
                                 : LinkFailure::IsReadBefore,
                             {}});
    return false;
  }
  auto fail = [&](LinkFailure::Reason reason, Value start = {}) {
    for (Value value : edge.solved)
      failures.try_emplace(value, LinkFailure{op, reason, start});
    return false;
  };
  double growth = 1;
  if (edge.kind != InverseKind::Exact) {
    growth = edge.gain == 0 ? std::numeric_limits<double>::infinity()
                            : std::max(1.0, edge.gain);
    if (gain * growth > getGainOfHalfTheDigits(edge.solved))
      return fail(LinkFailure::LosesDigits);
  }
  InverseLink link{op, number, edge.solved, {}, {}, {}, {}};
  if (std::optional<LinkFailure::Reason> reason = findCone(link, edge.from)) {
    const auto *start = llvm::find_if(edge.from, [&](Value value) {
      InverseLink single{op, number, edge.solved, {}, {}, {}, {}};
      return findCone(single, value) == reason;
    });
    // A cone may be too large only as a whole.
    return fail(*reason, start == edge.from.end() ? edge.from.back() : *start);
  }
  if (!mayStart && llvm::any_of(link.leaves, isUnknown))
    return false;
  for (Value leaf : link.leaves)
    if (leaf.getDefiningOp() == op && isEnlarged(leaf, edge.solved)) {
      for (Value value : edge.solved)
        failures.try_emplace(value, LinkFailure{op,
                                            LinkFailure::StartsFromMuch,
                                            {},
                                            getAllBytes(leaf),
                                            getAllBytes(edge.solved)});
      return false;
    }
  gain *= growth;
  unsigned id = links.size();
  for (Value leaf : link.leaves)
    if (isLocal(leaf) && known.try_emplace(leaf, kNoLink).second)
      keptFor[leaf] = op;
  for (Value value : link.solved)
    if (isLocal(value))
      known.try_emplace(value, id);
  for (Operation *inner : link.cone)
    if (!isCheap(inner))
      for (Value result : inner->getResults())
        inside.try_emplace(result, id);
  links.push_back(std::move(link));
  return true;
}

bool Inference::tryPlanned(Operation *op, unsigned number,
                           const InverseEdge &edge) {
  SmallVector<Value> given;
  llvm::copy_if(edge.from, std::back_inserter(given),
                [&](Value value) { return value.getDefiningOp() != op; });
  InverseLink link{op, number, edge.solved, {}, {}, {}, {}};
  if (findCone(link, given) || llvm::all_of(link.cone, isCheap))
    return false;
  link.isUsed = link.isPlanned = true;
  unsigned id = links.size();
  for (Operation *inner : link.cone)
    if (!isCheap(inner))
      for (Value result : inner->getResults())
        inside.try_emplace(result, id);
  links.push_back(link);
  for (Value leaf : link.leaves) {
    auto it = known.find(leaf);
    if (it != known.end() && it->second != kNoLink) {
      links[it->second].isUsed = true;
      links[it->second].read.insert(leaf);
    } else if (isLocal(leaf) && known.try_emplace(leaf, kNoLink).second) {
      keptFor[leaf] = op;
    }
  }
  // Views are no values of their own.
  for (Value value : given)
    if (Value viewed = lookThroughViews(value); inside.contains(viewed))
      links[id].readInside.insert(viewed);
  return true;
}

void Inference::tryLinks(Operation *op) {
  auto invertible = dyn_cast<InvertibleOpInterface>(op);
  if (!invertible || getPlannedEdge(op) ||
      isa<LoopLikeOpInterface, CallOpInterface>(op) || !isPure(op))
    return;
  SmallVector<InverseEdge> edges = invertible.getInverseEdges();
  auto giveUp = [&] {
    for (const InverseEdge &edge : edges)
      for (Value value : edge.solved)
        failures.try_emplace(value,
                             LinkFailure{op, LinkFailure::GivesAnother, {}});
  };
  // An operation has one link. The best one starts from what is at hand, loses
  // no digits, and gives a value back that others read, too: a state.
  for (bool mayStart : {false, true})
    for (bool isExact : {true, false})
      for (bool isShared : {true, false})
        for (auto [number, edge] : llvm::enumerate(edges))
          if ((edge.kind == InverseKind::Exact) == isExact &&
              llvm::any_of(edge.solved, [](Value v) {
                return !v.hasOneUse();
              }) == isShared &&
              tryLink(op, number, edge, mayStart))
            return giveUp();
}

void Inference::run() {
  for (Value result : block.getTerminator()->getOperands())
    if (isLocal(result))
      known.try_emplace(result, kNoLink);
  for (Operation &op : llvm::reverse(block.without_terminator())) {
    tryLinks(&op);
    collectReads(&op);
  }
  findUsed();
  write();
}

void memrev::planInferredInverses(Block &block, const Activity &activity) {
  Inference(block, activity).run();
}
