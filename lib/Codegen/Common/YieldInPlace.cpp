//===- YieldInPlace.cpp - Loops yield their own buffers -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

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

/// Whether the buffer of `value` is made anew in each iteration of `loop`, so
/// that nothing else needs it. What selects between tensors is not seen through
/// and counts as not made anew.
static bool isMadeInLoop(Value value, scf::ForOp loop, TensorOrigin &origin) {
  while (Operation *op = value.getDefiningOp()) {
    if (!loop->isProperAncestor(op))
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
static Value copyAtDefinition(OpBuilder &builder, Value value) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(value);
  return bufferization::AllocTensorOp::create(
      builder, value.getLoc(), cast<RankedTensorType>(value.getType()),
      /*dynamicSizes=*/ValueRange(), /*copy=*/value);
}

/// Gives `loop` a copy of each tensor that it carries and reads under the name
/// of the initial value too: that value has to outlive the first update.
static void copyCapturedInits(scf::ForOp loop) {
  OpBuilder builder(loop);
  for (OpOperand &init : loop.getInitArgsMutable()) {
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

/// Where two operations update a tensor that `loop` carries, gives a copy to
/// that whose result is not its next value: in its place there is only one.
static void copyForSecondUpdates(scf::ForOp loop, TensorOrigin &origin) {
  OpBuilder builder(loop);
  auto yields = loop.getYieldedValues();
  for (auto [carried, value] :
       llvm::zip_equal(loop.getRegionIterArgs(), yields)) {
    auto source = dyn_cast<BlockArgument>(origin.trace(value));
    if (!source || source == carried || source.getOwner() != loop.getBody() ||
        !isa<RankedTensorType>(source.getType()))
      continue;
    Value next = yields[source.getArgNumber() - 1];
    if (origin.trace(next) != source)
      continue;
    OpOperand *first = getFirstUpdate(value, source, origin);
    OpOperand *own = getFirstUpdate(next, source, origin);
    if (first && own && first->getOwner() != own->getOwner())
      first->set(copyAtDefinition(builder, source));
  }
}

/// Rewrites the yield of `loop` so that every tensor is written in place.
static void yieldInPlace(scf::ForOp loop, TensorOrigin &origin) {
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  OpBuilder builder(yield);
  for (auto [carried, operand] :
       llvm::zip_equal(loop.getRegionIterArgs(), yield->getOpOperands())) {
    Value value = operand.get();
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    Value source = origin.trace(value);
    if (source == carried)
      continue;
    if (!isMadeInLoop(source, loop, origin)) {
      // Bufferization copies a value of unknown origin only if it is still
      // read, and then the loop yields another buffer than it carries.
      value = copyAtDefinition(builder, value);
    }
    operand.set(bufferization::MaterializeInDestinationOp::create(
                    builder, yield.getLoc(), carried.getType(), value, carried)
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
    getOperation()->walk<WalkOrder::PostOrder>([&](scf::ForOp loop) {
      copyForSecondUpdates(loop, origin);
      yieldInPlace(loop, origin);
    });
  }
};
} // namespace
