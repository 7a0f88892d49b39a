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

/// Whether `op` makes a tensor whose contents are given by scalars alone, so
/// that a clone of it costs no more than a copy.
static bool isCheapToClone(Operation *op) {
  if (auto alloc = dyn_cast<bufferization::AllocTensorOp>(op))
    return !alloc.getCopy();
  return isa<tensor::EmptyOp, linalg::FillOp>(op);
}

/// Gives `destination` a tensor that nothing else uses, if that is cheap. The
/// destinations of cloned ops follow.
static void privatize(OpOperand &destination) {
  OpOperand *operand = &destination;
  while (operand) {
    Operation *op = operand->get().getDefiningOp();
    if (!op || !isCheapToClone(op))
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
    auto fill = dyn_cast<linalg::FillOp>(op);
    operand = fill ? &fill.getDpsInitsMutable()[0] : nullptr;
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
      // that is updated: the two must stay one tensor.
      if (isa<tensor::InsertSliceOp>(op))
        return;
      for (OpResult result : op->getResults()) {
        if (!isa<RankedTensorType>(result.getType()))
          continue;
        if (OpOperand *operand = origin.getTiedOperand(result))
          destinations.push_back(operand);
      }
    });
    for (OpOperand *operand : destinations)
      privatize(*operand);
    // Only clones are left of tensors that were shared.
    SmallVector<Operation *> dead;
    getOperation()->walk<WalkOrder::PostOrder>([&](Operation *op) {
      if (isCheapToClone(op) && op->use_empty())
        dead.push_back(op);
    });
    for (Operation *op : llvm::reverse(dead)) {
      Value source;
      if (auto fill = dyn_cast<linalg::FillOp>(op))
        source = fill.getOutputs()[0];
      op->erase();
      Operation *producer = source ? source.getDefiningOp() : nullptr;
      if (producer && isa<tensor::EmptyOp>(producer) && producer->use_empty() &&
          !llvm::is_contained(dead, producer))
        producer->erase();
    }
  }
};
} // namespace
