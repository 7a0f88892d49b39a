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
      if (op->getBlock() != body || op->getNumRegions() != 0 || !isPure(op))
        return false;
      ops.insert(op);
      dependent.insert(op->result_begin(), op->result_end());
    }
  }
  // Where every step has an inverse or a derivative, running backwards gives
  // the argument back, which somebody may ask for.
  bool isLost = ops.empty();
  for (Operation *op : ops) {
    auto rule = dyn_cast<DifferentiableOpInterface>(op);
    if (!rule)
      return false;
    if (rule.isInactive()) {
      isLost |= !isa<InvertibleOpInterface>(op);
      continue;
    }
    SmallVector<Residual> residuals;
    rule.getResiduals([](Value) { return true; }, residuals);
    for (const Residual &residual : residuals)
      for (Value value : residual.alternatives)
        if (dependent.contains(value))
          return false;
  }
  return isLost;
}

llvm::SmallBitVector memrev::getObservers(scf::ForOp loop) {
  llvm::SmallBitVector observers(loop.getNumRegionIterArgs());
  for (unsigned i = 0, e = observers.size(); i < e; ++i)
    observers[i] = isObserver(loop, i);
  return observers;
}
