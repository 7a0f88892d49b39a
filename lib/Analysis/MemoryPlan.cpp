//===- MemoryPlan.cpp - How each primal value is had back -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Invertibility.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Interfaces/CheckpointedLoop.h"
#include "memrev/Interfaces/LoopObservers.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

std::optional<unsigned> memrev::getPlannedEdge(Operation *op) {
  auto edge = op->getAttrOfType<IntegerAttr>(kInvertAttrName);
  if (!edge)
    return std::nullopt;
  return static_cast<unsigned>(edge.getInt());
}

void memrev::erasePlan(Operation *root) {
  root->walk([](Operation *op) {
    op->removeAttr(kInvertAttrName);
    op->removeAttr(kReasonAttrName);
    op->removeAttr(kPlannedAttrName);
    op->removeAttr(kRecomputeAttrName);
    op->removeAttr(kKeepsStateAttrName);
  });
}

static void setEdge(Operation *op, unsigned edge) {
  op->setAttr(kInvertAttrName,
              IntegerAttr::get(IntegerType::get(op->getContext(), 64), edge));
}

static void setReason(Operation *op, const Twine &reason) {
  op->setAttr(kReasonAttrName, StringAttr::get(op->getContext(), reason));
}

namespace {
/// What the regions of couplings read. Each is walked once: a coupling is asked
/// for by all those before it.
class CouplingReads {
public:
  ArrayRef<Value> get(rev::CouplingOp coupling) {
    auto [it, isNew] = known.try_emplace(coupling);
    if (isNew) {
      SetVector<Value> reads(coupling.getGiven().begin(),
                             coupling.getGiven().end());
      getUsedValuesDefinedAbove(coupling.getBody(), reads);
      it->second = reads.takeVector();
    }
    return it->second;
  }

private:
  llvm::DenseMap<Operation *, SmallVector<Value, 0>> known;
};
} // namespace

/// The coupling behind `coupling` that gives `state` back when it is undone.
static rev::CouplingOp getInverter(Value state, rev::CouplingOp coupling) {
  for (Operation *user : state.getUsers())
    if (auto other = dyn_cast<rev::CouplingOp>(user))
      if (other.getCoupled() == state &&
          other->getBlock() == coupling->getBlock() &&
          coupling->isBeforeInBlock(other))
        return other;
  return nullptr;
}

/// True if what `coupling`'s region reads is computed from the coupled value:
/// then the inverse would need the value that it solves for. The states of
/// couplings and loops count as independent, for they are had back by
/// themselves.
static bool isDependent(rev::CouplingOp coupling, CouplingReads &reads) {
  Region *scope = coupling->getParentRegion();
  SmallVector<Value> pending(reads.get(coupling));
  llvm::DenseSet<Value> visited;
  while (!pending.empty()) {
    Value v = pending.pop_back_val();
    if (!visited.insert(v).second)
      continue;
    if (v == coupling.getCoupled())
      return true;
    if (rev::CouplingOp other = getInverter(v, coupling)) {
      llvm::append_range(pending, reads.get(other));
      continue;
    }
    Operation *op = v.getDefiningOp();
    if (!op || op->getParentRegion() != scope || isa<LoopLikeOpInterface>(op))
      continue;
    if (auto other = dyn_cast<rev::CouplingOp>(op)) {
      // What its region computes is no state.
      if (llvm::is_contained(other.getAuxiliary(), v))
        llvm::append_range(pending, reads.get(other));
      continue;
    }
    llvm::append_range(pending, op->getOperands());
  }
  return false;
}

/// Lets everything in the body of `loop` be stored: its values are on tapes.
static void storeBody(scf::ForOp loop) {
  loop.getBody()->walk([](Operation *op) { op->removeAttr(kInvertAttrName); });
}

static void planLoop(scf::ForOp loop);

/// Plans the loops in `block`, those in the regions of couplings too: their
/// clones are differentiated where the region is evaluated again.
static void planLoops(Block &block) {
  for (Operation &op : block) {
    if (auto loop = dyn_cast<scf::ForOp>(&op))
      planLoop(loop);
    else if (isa<rev::CouplingOp>(&op))
      planLoops(op.getRegion(0).front());
  }
}

/// Plans `loop` and the loops inside of it.
static void planLoop(scf::ForOp loop) {
  Block &body = *loop.getBody();
  planLoops(body);
  if (loop->hasAttr(kStoredAttrName) || loop->hasAttr(kSlotsAttrName)) {
    setReason(loop, "the program asks for checkpoints");
    storeBody(loop);
    return;
  }

  auto isOutside = [&](Value v) {
    return !loop.getRegion().isAncestor(v.getParentRegion()) ||
           v == loop.getInductionVar();
  };
  Invertibility invertibility(body, isOutside);
  llvm::SmallBitVector observers = getObservers(loop);
  for (auto [i, yielded] : llvm::enumerate(loop.getYieldedValues()))
    if (!observers[i])
      invertibility.addKnown(yielded);
  const llvm::DenseMap<Operation *, unsigned> &edges = invertibility.solve();
  for (auto [i, arg] : llvm::enumerate(loop.getRegionIterArgs())) {
    if (observers[i] || invertibility.isKnown(arg))
      continue;
    setReason(loop, "no inverse edge gives iteration argument " + Twine(i) +
                        " back from the yielded values");
    storeBody(loop);
    return;
  }
  // A loop inside that has no part in reaching the arguments runs backwards too
  // if it has no state to be given back. Otherwise it is differentiated where
  // its values are evaluated again, and stores: it starts from what this loop
  // gives back.
  SmallVector<scf::ForOp> stateless, stored;
  for (Operation &op : body) {
    auto inner = dyn_cast<scf::ForOp>(op);
    if (!inner || edges.contains(&op))
      continue;
    llvm::SetVector<Value> used(op.operand_begin(), op.operand_end());
    getUsedValuesDefinedAbove(op.getRegions(), used);
    for (Value init : inner.getInitArgs())
      used.remove(init);
    auto isKnown = [&](Value v) { return invertibility.isKnown(v); };
    if (op.hasAttr(kInvertAttrName) && getObservers(inner).all() &&
        llvm::all_of(used, isKnown)) {
      stateless.push_back(inner);
      continue;
    }
    if (!llvm::all_of(inner.getInitArgs(), isKnown)) {
      setReason(loop, "a loop in it stores, and starts from what this loop "
                      "only updates");
      storeBody(loop);
      return;
    }
    stored.push_back(inner);
  }
  for (Operation &op : body)
    if (!edges.contains(&op))
      op.removeAttr(kInvertAttrName);
  for (scf::ForOp inner : stored)
    storeBody(inner);
  for (scf::ForOp inner : stateless)
    setEdge(inner, 0);
  for (auto [op, edge] : edges)
    setEdge(op, edge);
  setEdge(loop, 0);
}

void memrev::planFunction(func::FuncOp function, rev::Policy policy) {
  erasePlan(function);
  function->setAttr(
      kPlannedAttrName,
      StringAttr::get(function.getContext(), rev::stringifyPolicy(policy)));
  if (policy == rev::Policy::Store || function.isExternal())
    return;

  Block &body = function.getBody().front();
  planLoops(body);
  CouplingReads reads;
  for (auto coupling : body.getOps<rev::CouplingOp>()) {
    if (isDependent(coupling, reads))
      setReason(coupling, "the region depends on the coupled value");
    else
      setEdge(coupling, 0);
  }
}

std::optional<int64_t> memrev::planInverse(func::FuncOp function,
                                           ArrayRef<int64_t> wrt) {
  erasePlan(function);
  Block &body = function.getBody().front();
  planLoops(body);
  auto isOutside = [&](Value v) {
    return !function.getBody().isAncestor(v.getParentRegion());
  };
  Invertibility invertibility(body, isOutside);
  for (auto [i, argument] : llvm::enumerate(body.getArguments()))
    if (!llvm::is_contained(wrt, static_cast<int64_t>(i)))
      invertibility.addKnown(argument);
  for (Value result : body.getTerminator()->getOperands())
    invertibility.addKnown(result);
  const llvm::DenseMap<Operation *, unsigned> &edges = invertibility.solve();
  for (int64_t i : wrt)
    if (!invertibility.isKnown(body.getArgument(i)))
      return i;
  for (Operation &op : body)
    op.removeAttr(kInvertAttrName);
  for (auto [op, edge] : edges)
    setEdge(op, edge);
  return std::nullopt;
}
