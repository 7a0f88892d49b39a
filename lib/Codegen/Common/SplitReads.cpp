//===- SplitReads.cpp - Hide readers of a tensor from each other ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/AttributeNames.h"
#include "memrev/Codegen/Common/Passes.h"
#include "memrev/Codegen/Common/TensorOrigin.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENSPLITREADS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Whether `use` is an argument that a kernel reads, and no result of it is.
static bool isRead(OpOperand &use, SymbolTableCollection &symbols,
                   TensorOrigin &origin) {
  auto call = dyn_cast<func::CallOp>(use.getOwner());
  if (!call)
    return false;
  auto callee =
      symbols.lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
  if (!callee || !callee->hasAttr(kKernelAttr))
    return false;
  return llvm::none_of(call->getResults(), [&](OpResult result) {
    return origin.getTiedOperand(result) == &use;
  });
}

/// Whether nothing but the uses of `value` can tell what becomes of its buffer:
/// it is updated on one way from where it comes from to `value`.
static bool hasBufferOfItsOwn(Value value, TensorOrigin &origin) {
  while (auto result = dyn_cast<OpResult>(value)) {
    if (isa<tensor::EmptyOp>(result.getOwner()))
      return true;
    OpOperand *tied = origin.getTiedOperand(result);
    if (!tied || !tied->get().hasOneUse())
      return false;
    value = tied->get();
  }
  return isa<func::FuncOp>(
      cast<BlockArgument>(value).getOwner()->getParentOp());
}

/// Lets each `maxReads` uses of `value`, which are reads, use a tensor of their
/// own in its buffer.
static void split(Value value, int64_t maxReads) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<OpOperand *> reads;
  for (OpOperand &use : value.getUses())
    reads.push_back(&use);
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  auto bufferType = MemRefType::get(type.getShape(), type.getElementType());
  Value buffer = bufferization::ToBufferOp::create(
      builder, value.getLoc(), bufferType, value, /*read_only=*/true);
  Value tensor;
  int64_t numLeft = 0;
  // The last use is the first of the list.
  for (OpOperand *read : llvm::reverse(reads)) {
    if (numLeft-- <= 0) {
      tensor = bufferization::ToTensorOp::create(builder, value.getLoc(), type,
                                                 buffer, /*restrict=*/true);
      numLeft = maxReads - 1;
    }
    read->set(tensor);
  }
}

namespace {
class CodegenSplitReadsPass
    : public memrev::impl::CodegenSplitReadsBase<CodegenSplitReadsPass> {
public:
  using CodegenSplitReadsBase::CodegenSplitReadsBase;

  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func->hasAttr(kKernelAttr) && !func.isExternal() &&
          func.getBody().hasOneBlock())
        splitReads(func.front());
  }

private:
  void splitReads(Block &block) {
    SymbolTableCollection symbols;
    TensorOrigin origin(symbols);
    SmallVector<Value> values(block.getArguments());
    for (Operation &op : block)
      llvm::append_range(values, op.getResults());
    for (Value value : values) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (!type || !type.hasStaticShape() || type.getEncoding() ||
          !value.hasNUsesOrMore(maxReads + 1))
        continue;
      bool isOnlyRead = llvm::all_of(value.getUses(), [&](OpOperand &use) {
        return isRead(use, symbols, origin);
      });
      if (isOnlyRead && hasBufferOfItsOwn(value, origin))
        split(value, maxReads);
    }
  }
};
} // namespace
