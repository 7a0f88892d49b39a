//===- ScalarUses.cpp - Who needs the scalars of a program ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarUses.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::memrev;

static bool isScalar(Value value) {
  return value.getType().isIntOrIndexOrFloat();
}

bool memrev::isScalarArithmetic(Operation *op) {
  return isa_and_present<arith::ArithDialect, math::MathDialect>(
             op->getDialect()) &&
         op->getNumOperands() != 0 && op->getNumRegions() == 0 &&
         isMemoryEffectFree(op) && llvm::all_of(op->getOperands(), isScalar) &&
         llvm::all_of(op->getResults(), isScalar);
}

static bool isControlFlow(Operation *op) {
  return isa<scf::ForOp, scf::IfOp, scf::IndexSwitchOp, scf::WhileOp>(op);
}

/// Whether values of the regions of `op` are the results number by number.
static bool isBranch(Operation *op) {
  return isa<scf::IfOp, scf::IndexSwitchOp>(op);
}

/// Returns the operation around `op` that the host knows of.
static Operation *getHostOp(Operation *op) {
  Operation *outermost = op;
  for (Operation *parent = op->getParentOp(); !isa<func::FuncOp>(parent);
       parent = parent->getParentOp())
    if (!isControlFlow(parent))
      outermost = parent;
  return outermost;
}

/// The values that are one through the iterations of a loop: the argument
/// number `number` and the result.
static SmallVector<Value, 2> getCarried(scf::ForOp loop, unsigned number) {
  return {loop.getRegionIterArg(number), loop.getResult(number)};
}

void ScalarUses::findScalars(func::FuncOp func) {
  func.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto extract = dyn_cast<tensor::ExtractOp>(op);
        extract && isScalar(extract))
      scalars.insert(extract);
    bool isHost = isa<func::FuncOp>(op) || isControlFlow(op);
    return isHost ? WalkResult::advance() : WalkResult::skip();
  });
  for (unsigned i = 0; i < scalars.size(); ++i) {
    for (OpOperand &use : scalars[i].getUses()) {
      Operation *user = use.getOwner();
      if (getHostOp(user) != user)
        continue;
      if (isScalarArithmetic(user)) {
        scalars.insert_range(user->getResults());
      } else if (auto loop = dyn_cast<scf::ForOp>(user)) {
        if (OpResult result = loop.getTiedLoopResult(&use))
          scalars.insert_range(getCarried(loop, result.getResultNumber()));
      } else if (isa<scf::YieldOp>(user)) {
        Operation *parent = user->getParentOp();
        if (auto loop = dyn_cast<scf::ForOp>(parent))
          scalars.insert_range(getCarried(loop, use.getOperandNumber()));
        else if (isBranch(parent))
          scalars.insert(parent->getResult(use.getOperandNumber()));
      }
    }
  }
}

void ScalarUses::mark(Value scalar, DenseSet<Value> &set) {
  SmallVector<Value> pending{scalar};
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!scalars.contains(value) || !set.insert(value).second)
      continue;
    auto markCarried = [&](scf::ForOp loop, unsigned number) {
      llvm::append_range(pending, getCarried(loop, number));
      pending.push_back(loop.getInitArgs()[number]);
      pending.push_back(loop.getYieldedValues()[number]);
    };
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto loop = cast<scf::ForOp>(argument.getOwner()->getParentOp());
      markCarried(loop, argument.getArgNumber() - loop.getNumInductionVars());
      continue;
    }
    auto result = cast<OpResult>(value);
    Operation *op = result.getOwner();
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      markCarried(loop, result.getResultNumber());
    } else if (isBranch(op)) {
      for (Region &region : op->getRegions())
        pending.push_back(region.front().getTerminator()->getOperand(
            result.getResultNumber()));
    } else {
      llvm::append_range(pending, op->getOperands());
    }
  }
}

void ScalarUses::classify(OpOperand &use) {
  Operation *user = use.getOwner();
  Operation *hostOp = getHostOp(user);
  if (user != hostOp) {
    if (isa<linalg::LinalgOp>(hostOp)) {
      readers.insert(hostOp);
      mark(use.get(), neededByKernels);
    }
    return;
  }
  // Where nothing but these stores a scalar the device does so, too.
  if (isa<func::ReturnOp>(user))
    return;
  bool isStored = false;
  if (auto insert = dyn_cast<tensor::InsertOp>(user)) {
    isStored = use.get() == insert.getScalar() &&
               !llvm::is_contained(insert.getIndices(), use.get());
    if (isStored && insert.getType().getRank() != 0)
      return;
  } else if (auto elements = dyn_cast<tensor::FromElementsOp>(user)) {
    if (elements.getType().getRank() != 0)
      return;
    isStored = true;
  }
  bool isSelection = isa<arith::SelectOp>(user) &&
                     isa<TensorType>(user->getResult(0).getType());
  if (isStored || isSelection || isa<linalg::LinalgOp, tensor::SplatOp>(user)) {
    readers.insert(user);
    mark(use.get(), neededByKernels);
    return;
  }
  // What depends on the results of these is classified there.
  if (isScalarArithmetic(user) || isa<tensor::ExtractOp>(user))
    return;
  if (auto loop = dyn_cast<scf::ForOp>(user);
      loop && loop.getTiedLoopResult(&use))
    return;
  if (isa<scf::YieldOp>(user) && !isa<scf::WhileOp>(user->getParentOp()))
    return;
  mark(use.get(), neededByHost);
}

ScalarUses::ScalarUses(func::FuncOp func) {
  findScalars(func);
  for (Value scalar : scalars)
    for (OpOperand &use : scalar.getUses())
      classify(use);
}
