//===- YieldInPlace.cpp - Loops yield their own buffers -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CarriedTensors.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/Common/TensorOrigin.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENYIELDINPLACE
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Whether the buffer of `value` is made anew whenever `block` runs, so that
/// nothing else needs it. What selects between tensors is not seen through and
/// counts as not made anew.
static bool isMadeIn(Block *block, Value value, TensorOrigin &origin) {
  while (Operation *op = value.getDefiningOp()) {
    if (!block->findAncestorOpInBlock(*op))
      return false;
    if (isa<tensor::EmptyOp, bufferization::AllocTensorOp, tensor::PadOp,
            tensor::FromElementsOp, tensor::GenerateOp, tensor::SplatOp>(op))
      return true;
    if (!isa<tensor::ExtractSliceOp>(op))
      return false;
    value = origin.trace(op->getOperand(0));
  }
  return false;
}

/// Copies `value` right where it is defined, before anything can overwrite it.
/// A result of branches is copied by those that have not made it.
static Value copyAtDefinition(OpBuilder &builder, Value value,
                              TensorOrigin &origin) {
  OpBuilder::InsertionGuard guard(builder);
  if (auto result = dyn_cast<OpResult>(value);
      result && isa<scf::IfOp, scf::IndexSwitchOp>(result.getOwner())) {
    for (Region &region : result.getOwner()->getRegions()) {
      OpOperand &yielded = region.front().getTerminator()->getOpOperand(
          result.getResultNumber());
      if (!isMadeIn(&region.front(), origin.trace(yielded.get()), origin))
        yielded.set(copyAtDefinition(builder, yielded.get(), origin));
    }
    return value;
  }
  builder.setInsertionPointAfterValue(value);
  return bufferization::AllocTensorOp::create(
      builder, value.getLoc(), cast<RankedTensorType>(value.getType()),
      /*dynamicSizes=*/ValueRange(), /*copy=*/value);
}

/// Gives `loop` a copy of each tensor that it carries and reads under the name
/// of the initial value too: that value has to outlive the first update.
static void copyCapturedInits(LoopLikeOpInterface loop) {
  if (!isa<scf::ForOp, scf::WhileOp>(loop))
    return;
  OpBuilder builder(loop);
  for (OpOperand &init : loop.getInitsMutable()) {
    Value value = init.get();
    auto type = dyn_cast<RankedTensorType>(value.getType());
    bool captured = llvm::any_of(value.getUsers(), [&](Operation *user) {
      return loop->isProperAncestor(user);
    });
    if (type && type.hasStaticShape() && captured)
      init.set(bufferization::AllocTensorOp::create(
          builder, loop.getLoc(), type, /*dynamicSizes=*/ValueRange(),
          /*copy=*/value));
  }
}

/// The operand by which the chain of updates that ends in `value` begins to
/// update `source`; null if there is none, or not one.
static OpOperand *getFirstUpdate(Value value, Value source,
                                 TensorOrigin &origin) {
  OpOperand *first = nullptr;
  while (value != source) {
    auto result = dyn_cast<OpResult>(value);
    first = result ? origin.getTiedOperand(result) : nullptr;
    if (!first)
      return nullptr;
    value = first->get();
  }
  return first;
}

/// Where two operations update a tensor that a loop carries, gives a copy to
/// that whose result is not its next value: in its place there is only one.
static void copyForSecondUpdates(const CarriedTensors &tensors,
                                 TensorOrigin &origin) {
  OpBuilder builder(tensors.carried.front().getContext());
  for (auto [carried, yielded] :
       llvm::zip_equal(tensors.carried, tensors.yielded)) {
    Value value = yielded->get();
    Value source = origin.trace(value);
    const auto *place = llvm::find(tensors.carried, source);
    if (source == carried || place == tensors.carried.end())
      continue;
    Value next = tensors.yielded[place - tensors.carried.begin()]->get();
    if (origin.trace(next) != source)
      continue;
    OpOperand *first = getFirstUpdate(value, source, origin);
    OpOperand *own = getFirstUpdate(next, source, origin);
    if (first && own && first->getOwner() != own->getOwner())
      first->set(copyAtDefinition(builder, source, origin));
  }
}

/// Rewrites what a loop yields so that every tensor is written in place.
static void yieldInPlace(const CarriedTensors &tensors, TensorOrigin &origin) {
  for (auto [carried, yielded] :
       llvm::zip_equal(tensors.carried, tensors.yielded)) {
    Value value = yielded->get();
    Value source = origin.trace(value);
    if (source == carried)
      continue;
    OpBuilder builder(yielded->getOwner());
    if (!isMadeIn(carried.getOwner(), source, origin)) {
      // Bufferization copies a value of unknown origin only if it is still
      // read, and then the loop yields another buffer than it carries.
      value = copyAtDefinition(builder, value, origin);
    }
    yielded->set(bufferization::MaterializeInDestinationOp::create(
                     builder, yielded->getOwner()->getLoc(), carried.getType(),
                     value, carried)
                     .getResult());
  }
}

namespace {
class CodegenYieldInPlacePass
    : public memrev::impl::CodegenYieldInPlaceBase<CodegenYieldInPlacePass> {
public:
  void runOnOperation() override {
    SymbolTableCollection symbols;
    TensorOrigin origin(symbols);
    getOperation()->walk(copyCapturedInits);
    // Inner loops first: a chain may lead through them.
    getOperation()->walk<WalkOrder::PostOrder>([&](Operation *op) {
      for (const CarriedTensors &tensors : getCarriedTensors(op)) {
        copyForSecondUpdates(tensors, origin);
        yieldInPlace(tensors, origin);
      }
    });
  }
};
} // namespace
