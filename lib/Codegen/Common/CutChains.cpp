//===- CutChains.cpp - Cut long chains of in-place updates ----------------===//
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
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENCUTCHAINS
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Makes the buffer that `value` lives in a value, which counts as written: an
/// older value that is read behind it is then still found, and copied.
static Value getBuffer(OpBuilder &builder, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  auto bufferType = MemRefType::get(type.getShape(), type.getElementType());
  return bufferization::ToBufferOp::create(builder, value.getLoc(), bufferType,
                                           value);
}

/// Hides from what follows that `value` lives in the buffer of its past.
static void cut(Value value) {
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  Value buffer = getBuffer(builder, value);
  auto toTensor = bufferization::ToTensorOp::create(
      builder, value.getLoc(), value.getType(), buffer, /*restrict=*/true,
      /*writable=*/true);
  value.replaceAllUsesExcept(toTensor.getResult(), buffer.getDefiningOp());
}

/// Makes `func`, which nothing calls, return the buffers of its results:
/// bufferization would relate each result to each argument.
static void returnBuffers(func::FuncOp func) {
  Operation *terminator = func.front().getTerminator();
  OpBuilder builder(terminator);
  for (OpOperand &operand : terminator->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (type && type.hasStaticShape())
      operand.set(getBuffer(builder, operand.get()));
  }
  func.setType(builder.getFunctionType(func.getArgumentTypes(),
                                       terminator->getOperandTypes()));
}

namespace {
class CodegenCutChainsPass
    : public memrev::impl::CodegenCutChainsBase<CodegenCutChainsPass> {
public:
  using CodegenCutChainsBase::CodegenCutChainsBase;

  void runOnOperation() override {
    SymbolTableCollection symbols;
    TensorOrigin origin(symbols);
    llvm::DenseSet<StringAttr> called;
    getOperation().walk([&](func::CallOp call) {
      called.insert(call.getCalleeAttr().getAttr());
    });
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (!func->hasAttr(kKernelAttr) && !func.isExternal() &&
          func.getBody().hasOneBlock()) {
        cutChains(func.front(), origin);
        if (func.isPublic() && !called.contains(func.getSymNameAttr()))
          returnBuffers(func);
      }
    }
  }

private:
  /// Cuts the chains of a function's block. What a loop yields has to be seen
  /// to live in its loop-carried buffer, so nothing is cut in there.
  void cutChains(Block &block, TensorOrigin &origin) {
    // For each tensor, the number of links from the beginning of its chain, or
    // a negative number if it is a part of a buffer.
    DenseMap<Value, int64_t> links;
    constexpr int64_t kInView = -1;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      for (OpResult result : op.getResults()) {
        auto type = dyn_cast<RankedTensorType>(result.getType());
        if (!type || !type.hasStaticShape())
          continue;
        OpOperand *tied = origin.getTiedOperand(result);
        if (!tied) {
          links[result] = isa<tensor::ExtractSliceOp>(op) ? kInView : 0;
          continue;
        }
        int64_t before = links.lookup(tied->get());
        if (before == kInView) {
          links[result] = kInView;
          continue;
        }
        links[result] = before + 1;
        bool isUpdate = isa<func::CallOp, scf::ForOp>(op) ||
                        isa<DestinationStyleOpInterface>(op);
        if (!isUpdate || before + 1 < maxLinks)
          continue;
        cut(result);
      }
    }
  }
};
} // namespace
