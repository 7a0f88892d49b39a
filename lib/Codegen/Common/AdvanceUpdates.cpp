//===- AdvanceUpdates.cpp - Update parameters as soon as possible ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENADVANCEUPDATES
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Whether `op` is the last one in its block that uses `value`.
static bool isLastUser(Operation *op, Value value) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    Operation *here = op->getBlock()->findAncestorOpInBlock(*user);
    return here && (here == op || here->isBeforeInBlock(op));
  });
}

/// Whether `value` is an argument of the block of `op` that an operation may
/// write over.
static bool isCarried(Operation *op, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument && argument.getOwner() == op->getBlock() &&
         isa<func::FuncOp, LoopLikeOpInterface>(
             argument.getOwner()->getParentOp());
}

/// Whether `op` computes the next values of arguments and is the last to read
/// something else: results take the places of the arguments, so that it only
/// frees memory. `updated` gets the arguments.
static bool isUpdate(linalg::GenericOp op,
                     llvm::SmallSetVector<Value, 4> &updated) {
  if (!op.hasPureTensorSemantics() || op.getNumReductionLoops() != 0)
    return false;
  bool frees = false;
  for (Value operand : op->getOperands()) {
    auto tensor = dyn_cast<RankedTensorType>(operand.getType());
    Operation *producer = operand.getDefiningOp();
    frees |= tensor && tensor.getRank() != 0 && producer &&
             producer->getBlock() == op->getBlock() &&
             isa<linalg::LinalgOp, LoopLikeOpInterface>(producer) &&
             !isa<linalg::FillOp>(producer) && isLastUser(op, operand);
  }
  if (!frees)
    return false;
  for (Type type : op->getResultTypes()) {
    auto place = llvm::find_if(op->getOperands(), [&](Value operand) {
      return operand.getType() == type && isCarried(op, operand) &&
             isLastUser(op, operand) && !updated.contains(operand);
    });
    if (place == op->getOperands().end())
      return false;
    updated.insert(*place);
  }
  return true;
}

/// Moves `op` to where its operands are there and `updated` are not read any
/// more. True if that is another place.
static bool advance(linalg::GenericOp op,
                    const llvm::SmallSetVector<Value, 4> &updated) {
  Operation *last = nullptr;
  auto waitFor = [&](Operation *other) {
    if (other && other != op && (!last || last->isBeforeInBlock(other)))
      last = other;
  };
  Block *block = op->getBlock();
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (Operation *producer = operand.getDefiningOp();
          producer && producer->getBlock() == block)
        waitFor(producer);
  });
  for (Value argument : updated)
    for (Operation *user : argument.getUsers())
      waitFor(block->findAncestorOpInBlock(*user));
  if (!last || last->getNextNode() == op)
    return false;
  op->moveAfter(last);
  // In a product's kernel it would decide how the sums are divided.
  op->setAttr(kUpdateAttr, UnitAttr::get(op.getContext()));
  return true;
}

namespace {
struct CodegenAdvanceUpdatesPass
    : memrev::impl::CodegenAdvanceUpdatesBase<CodegenAdvanceUpdatesPass> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation()->walk([&](linalg::GenericOp op) { ops.push_back(op); });
    // Of two updates that read a gradient, the second one leaves it to the
    // first one to be the last. Each moves once.
    bool changed = true;
    while (changed) {
      changed = false;
      for (linalg::GenericOp op : ops) {
        llvm::SmallSetVector<Value, 4> updated;
        if (!op->hasAttr(kUpdateAttr) && isUpdate(op, updated))
          changed |= advance(op, updated);
      }
    }
  }
};
} // namespace
