//===- PrivatizeDestinations.cpp - One tensor per destination -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/Common/TensorOrigin.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENPRIVATIZEDESTINATIONS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Whether a clone of `op` costs no more than a copy of its result: what makes
/// a tensor from scalars alone, a call of a function that does, and reshapes.
static bool isCheapToClone(Operation *op, TensorOrigin &origin) {
  if (auto alloc = dyn_cast<bufferization::AllocTensorOp>(op))
    return !alloc.getCopy();
  if (isa<tensor::EmptyOp, linalg::FillOp, tensor::CastOp,
          tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return true;
  // An outlined fill: its only tensor is its destination.
  if (!isa<func::CallOp>(op) || op->getNumResults() != 1)
    return false;
  OpOperand *tied = origin.getTiedOperand(op->getOpResult(0));
  return tied && llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
           return &operand == tied || !isa<TensorType>(operand.get().getType());
         });
}

/// Gives `destination` a tensor that nothing else uses, if that is cheap. The
/// destinations of cloned ops follow.
static void privatize(OpOperand &destination, TensorOrigin &origin) {
  OpOperand *operand = &destination;
  while (operand) {
    Operation *op = operand->get().getDefiningOp();
    if (!op || !isCheapToClone(op, origin))
      return;
    Operation *user = operand->getOwner();
    // A tensor from outside a loop has one use but many users in time.
    bool isPrivate = operand->get().hasOneUse() &&
                     op->getParentRegion() == user->getParentRegion();
    if (!isPrivate) {
      OpBuilder builder(user);
      Operation *clone = builder.clone(*op);
      operand->set(clone->getResult(0));
      op = clone;
    }
    operand = origin.getTiedOperand(op->getOpResult(0));
  }
}

namespace {
class CodegenPrivatizeDestinationsPass
    : public memrev::impl::CodegenPrivatizeDestinationsBase<
          CodegenPrivatizeDestinationsPass> {
public:
  void runOnOperation() override {
    SymbolTableCollection symbols;
    TensorOrigin origin(symbols);
    SmallVector<OpOperand *> destinations;
    getOperation()->walk([&](Operation *op) {
      // The destination of an insertion is often also the source of the slice
      // that is updated: the two must stay one tensor. A reshape writes
      // nothing.
      if (isa<tensor::InsertSliceOp, tensor::CastOp, tensor::CollapseShapeOp,
              tensor::ExpandShapeOp>(op))
        return;
      for (OpResult result : op->getResults()) {
        if (!isa<RankedTensorType>(result.getType()))
          continue;
        if (OpOperand *operand = origin.getTiedOperand(result))
          destinations.push_back(operand);
      }
    });
    for (OpOperand *operand : destinations)
      privatize(*operand, origin);
    eraseUnused(origin);
  }

private:
  /// Erases tensors that were shared, of which only clones are left in use.
  void eraseUnused(TensorOrigin &origin) {
    SmallVector<Operation *> candidates;
    getOperation()->walk([&](Operation *op) {
      if (isCheapToClone(op, origin))
        candidates.push_back(op);
    });
    // Users come after what they use.
    for (Operation *op : llvm::reverse(candidates)) {
      if (op->use_empty())
        op->erase();
    }
  }
};
} // namespace
