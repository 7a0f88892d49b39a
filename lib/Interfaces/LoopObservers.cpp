//===- LoopObservers.cpp - State that a loop only updates -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Interfaces/LoopObservers.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::memrev;

/// True if the shape of `value` is in its type: a derivative reads the value
/// otherwise, to make a zero of its shape.
static bool hasKnownShape(Value value) {
  auto shaped = dyn_cast<ShapedType>(value.getType());
  return !shaped || shaped.hasStaticShape();
}

/// True if `value` may depend on what a program is differentiated with respect
/// to, and so have a cotangent: it is not computed from constants and integers
/// alone.
static bool mayBeActive(Value value) {
  SmallVector<Value> pending{value};
  llvm::SmallDenseSet<Value> visited;
  while (!pending.empty()) {
    Value v = pending.pop_back_val();
    if (!isa<FloatType, ComplexType>(getElementTypeOrSelf(v.getType())) ||
        !visited.insert(v).second)
      continue;
    Operation *op = v.getDefiningOp();
    if (!op || !isPure(op))
      return true;
    auto rule = dyn_cast<DifferentiableOpInterface>(op);
    if (rule && rule.isInactive())
      continue;
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    llvm::append_range(pending, used);
  }
  return false;
}

static bool isObserver(scf::ForOp loop, unsigned number);

/// True if `use` starts an iteration argument of a loop that observes it. Then
/// only the result of the same number depends on the value.
static bool startsObserver(OpOperand &use) {
  auto loop = dyn_cast<scf::ForOp>(use.getOwner());
  if (!loop)
    return false;
  BlockArgument argument = loop.getTiedLoopRegionIterArg(&use);
  return argument &&
         isObserver(loop, argument.getArgNumber() - loop.getNumInductionVars());
}

/// True if nothing but yield number `number` depends on the argument.
static bool isObserver(scf::ForOp loop, unsigned number) {
  Block *body = loop.getBody();
  llvm::SetVector<Value> dependent;
  dependent.insert(loop.getRegionIterArgs()[number]);
  llvm::SetVector<Operation *> ops;
  for (unsigned i = 0; i < dependent.size(); ++i) {
    if (!hasKnownShape(dependent[i]))
      return false;
    for (OpOperand &use : dependent[i].getUses()) {
      Operation *op = use.getOwner();
      if (op == body->getTerminator()) {
        if (use.getOperandNumber() != number)
          return false;
        continue;
      }
      if (op->getBlock() != body)
        return false;
      if (startsObserver(use)) {
        dependent.insert(cast<scf::ForOp>(op).getTiedLoopResult(&use));
        continue;
      }
      if (!isPure(op))
        return false;
      ops.insert(op);
      dependent.insert(op->result_begin(), op->result_end());
    }
  }
  auto isActive = [&](Value v) {
    return dependent.contains(v) || mayBeActive(v);
  };
  for (Operation *op : ops) {
    auto rule = dyn_cast<DifferentiableOpInterface>(op);
    if (!rule)
      return false;
    if (rule.isInactive())
      continue;
    SmallVector<Residual> residuals;
    rule.getResiduals(isActive, residuals);
    for (const Residual &residual : residuals)
      for (Value value : residual.alternatives)
        if (dependent.contains(value))
          return false;
  }
  return true;
}

llvm::SmallBitVector memrev::getObservers(scf::ForOp loop) {
  llvm::SmallBitVector observers(loop.getNumRegionIterArgs());
  for (unsigned i = 0, e = observers.size(); i < e; ++i)
    observers[i] = isObserver(loop, i);
  return observers;
}
