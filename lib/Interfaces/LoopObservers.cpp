//===- LoopObservers.cpp - State that a loop only updates -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Interfaces/LoopObservers.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::memrev;

/// True if the shape of `value` is in its type: a derivative reads the value
/// otherwise, to make a zero of its shape.
static bool hasKnownShape(Value value) {
  auto shaped = dyn_cast<ShapedType>(value.getType());
  return !shaped || shaped.hasStaticShape();
}

/// True if running `ops` backwards gives `argument` back from its next value.
/// `dependent` are the values that depend on it.
static bool isGivenBack(Value argument, Value next,
                        const llvm::SetVector<Operation *> &ops,
                        const llvm::SetVector<Value> &dependent) {
  llvm::SmallDenseSet<Value> known{next};
  auto isKnown = [&](Value v) {
    return known.contains(v) || !dependent.contains(v);
  };
  for (bool changed = true; changed && !known.contains(argument);) {
    changed = false;
    for (Operation *op : ops)
      if (auto invertible = dyn_cast<InvertibleOpInterface>(op))
        for (const InverseEdge &edge : invertible.getInverseEdges())
          if (llvm::all_of(edge.from, isKnown))
            for (Value solved : edge.solved)
              changed |= known.insert(solved).second;
  }
  return known.contains(argument);
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
  bool nested = false;
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
        nested = true;
        continue;
      }
      if (!isPure(op))
        return false;
      ops.insert(op);
      dependent.insert(op->result_begin(), op->result_end());
    }
  }
  for (Operation *op : ops) {
    auto rule = dyn_cast<DifferentiableOpInterface>(op);
    if (!rule)
      return false;
    if (rule.isInactive())
      continue;
    SmallVector<Residual> residuals;
    rule.getResiduals([](Value) { return true; }, residuals);
    for (const Residual &residual : residuals)
      for (Value value : residual.alternatives)
        if (dependent.contains(value))
          return false;
  }
  // Somebody may ask for what running backwards gives back. No loop gives its
  // observers back.
  return nested || ops.empty() ||
         !isGivenBack(dependent.front(), loop.getYieldedValues()[number], ops,
                      dependent);
}

llvm::SmallBitVector memrev::getObservers(scf::ForOp loop) {
  llvm::SmallBitVector observers(loop.getNumRegionIterArgs());
  for (unsigned i = 0, e = observers.size(); i < e; ++i)
    observers[i] = isObserver(loop, i);
  return observers;
}
