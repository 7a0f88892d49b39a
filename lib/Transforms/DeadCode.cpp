//===- DeadCode.cpp - What a derivative does not need ---------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A derivative seldom needs all that its function computes, and a loop that
// runs backwards seldom all of the state that it has back. State that only
// feeds itself is what canonicalization does not see.
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// What of a loop's body its used results depend on.
class LoopLiveness {
public:
  explicit LoopLiveness(scf::ForOp loop) : loop(loop), body(*loop.getBody()) {
    isLive.resize(loop.getNumResults());
    for (Operation &op : body.without_terminator())
      if (!isMemoryEffectFree(&op))
        visit(&op);
    for (OpResult result : loop.getResults())
      if (!result.use_empty())
        visitState(result.getResultNumber());
    while (!pending.empty())
      visit(pending.pop_back_val());
  }

  bool isStateLive(unsigned i) const { return isLive[i]; }
  bool isOpLive(Operation *op) const { return ops.contains(op); }

private:
  void visitState(unsigned i) {
    if (isLive[i])
      return;
    isLive[i] = true;
    pending.push_back(loop.getYieldedValues()[i]);
  }

  void visit(Operation *op) {
    if (!ops.insert(op).second)
      return;
    llvm::append_range(pending, op->getOperands());
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    llvm::append_range(pending, captured);
  }

  void visit(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (argument.getOwner() == &body && argument.getArgNumber() > 0)
        visitState(argument.getArgNumber() - 1);
      return;
    }
    if (Operation *op = body.findAncestorOpInBlock(*value.getDefiningOp()))
      visit(op);
  }

  scf::ForOp loop;
  Block &body;
  SmallVector<bool> isLive;
  llvm::DenseSet<Operation *> ops;
  SmallVector<Value> pending;
};

} // namespace

/// Removes state that no used result of `loop` depends on.
static void eraseDeadState(RewriterBase &rewriter, scf::ForOp loop) {
  LoopLiveness liveness(loop);
  SmallVector<Value> inits, yields, results;
  llvm::BitVector deadArguments(loop.getBody()->getNumArguments());
  for (OpResult result : loop->getResults()) {
    unsigned i = result.getResultNumber();
    if (!liveness.isStateLive(i)) {
      deadArguments.set(i + 1);
      continue;
    }
    inits.push_back(loop.getInitArgs()[i]);
    yields.push_back(loop.getYieldedValues()[i]);
    results.push_back(result);
  }
  if (deadArguments.none())
    return;
  Block *body = loop.getBody();
  body->getTerminator()->setOperands(yields);
  SmallVector<Operation *> dead;
  for (Operation &op : body->without_terminator())
    if (!liveness.isOpLive(&op))
      dead.push_back(&op);
  for (Operation *op : llvm::reverse(dead))
    rewriter.eraseOp(op);
  body->eraseArguments(deadArguments);
  rewriter.setInsertionPoint(loop);
  auto smaller = scf::ForOp::create(
      rewriter, loop.getLoc(), loop.getLowerBound(), loop.getUpperBound(),
      loop.getStep(), inits, nullptr, loop.getUnsignedCmp());
  smaller->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
  smaller.getRegion().takeBody(loop.getRegion());
  for (auto [from, to] : llvm::zip_equal(results, smaller.getResults()))
    from.replaceAllUsesWith(to);
  rewriter.eraseOp(loop);
}

/// Removes the results of `coupling` besides the coupled one that nobody reads:
/// without a log-determinant it has a tangent that is a coupling, and what its
/// region computes for others alone is dead.
static void eraseDeadResults(RewriterBase &rewriter, rev::CouplingOp coupling) {
  bool hasLogDet = coupling.getLogDet() && !coupling.getLogDet().use_empty();
  SmallVector<Value> yields(coupling.getParameters()), kept;
  for (auto [result, yielded] :
       llvm::zip_equal(coupling.getAuxiliary(), coupling.getYieldedAuxiliary()))
    if (!result.use_empty()) {
      kept.push_back(result);
      yields.push_back(yielded);
    }
  if (hasLogDet == static_cast<bool>(coupling.getLogDet()) &&
      kept.size() == coupling.getAuxiliary().size())
    return;
  rewriter.setInsertionPoint(coupling);
  auto smaller = rev::CouplingOp::create(
      rewriter, coupling.getLoc(), coupling.getResult().getType(),
      hasLogDet ? coupling.getLogDet().getType() : Type(),
      TypeRange(ValueRange(kept)), coupling.getKind(), coupling.getCoupled(),
      coupling.getGiven(), coupling.getBatchDim());
  smaller->setDiscardableAttrs(coupling->getDiscardableAttrDictionary());
  coupling.getBody().front().getTerminator()->setOperands(yields);
  smaller.getBody().takeBody(coupling.getBody());
  coupling.getResult().replaceAllUsesWith(smaller.getResult());
  if (hasLogDet)
    coupling.getLogDet().replaceAllUsesWith(smaller.getLogDet());
  for (auto [from, to] : llvm::zip_equal(kept, smaller.getAuxiliary()))
    from.replaceAllUsesWith(to);
  rewriter.eraseOp(coupling);
}

void memrev::eraseDeadOps(Block &block, Operation *keep) {
  IRRewriter rewriter(block.getParentOp()->getContext());
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops)) {
    if (op == keep)
      continue;
    // Functions have no side effects.
    if (isOpTriviallyDead(op) || (isa<func::CallOp>(op) && op->use_empty() &&
                                  op->getNumResults() != 0)) {
      rewriter.eraseOp(op);
      continue;
    }
    if (auto coupling = dyn_cast<rev::CouplingOp>(op)) {
      Operation *next = op->getNextNode();
      eraseDeadResults(rewriter, coupling);
      op = next->getPrevNode();
    }
    for (Region &region : op->getRegions())
      for (Block &inner : region)
        eraseDeadOps(inner, keep);
    if (auto loop = dyn_cast<scf::ForOp>(op))
      eraseDeadState(rewriter, loop);
  }
}
