//===- UpdateSlicesInPlace.cpp - Elementwise updates of slices in place ---===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENUPDATESLICESINPLACE
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// True if both name the same part of the same tensor.
static bool isSamePart(tensor::ExtractSliceOp slice,
                       tensor::InsertSliceOp insert) {
  return slice.getSource() == insert.getDest() &&
         slice.getType() == insert.getSourceType() &&
         slice.getMixedOffsets() == insert.getMixedOffsets() &&
         slice.getMixedSizes() == insert.getMixedSizes() &&
         slice.getMixedStrides() == insert.getMixedStrides();
}

/// The input of `op` that is the slice which result `number` is written to,
/// element by element at the same place, or null.
static OpOperand *getUpdatedInput(linalg::GenericOp op, unsigned number) {
  Value result = op.getResult(number);
  OpOperand *init = op.getDpsInitOperand(number);
  if (!result.hasOneUse() || op.getNumReductionLoops() != 0 ||
      op.payloadUsesValueFromOperand(init))
    return nullptr;
  auto insert = dyn_cast<tensor::InsertSliceOp>(*result.user_begin());
  if (!insert || insert.getSource() != result)
    return nullptr;
  AffineMap map = op.getMatchingIndexingMap(init);
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto slice = input->get().getDefiningOp<tensor::ExtractSliceOp>();
    if (slice && isSamePart(slice, insert) &&
        op.getMatchingIndexingMap(input) == map)
      return input;
  }
  return nullptr;
}

namespace {

struct CodegenUpdateSlicesInPlace final
    : memrev::impl::CodegenUpdateSlicesInPlaceBase<CodegenUpdateSlicesInPlace> {
  using Base::Base;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](linalg::GenericOp op) {
      for (unsigned number = 0; number < op.getNumResults(); ++number) {
        OpOperand *input = getUpdatedInput(op, number);
        if (!input)
          continue;
        // The input stays an operand without a use; elementwise fusion, which
        // runs next, drops it.
        OpOperand *init = op.getDpsInitOperand(number);
        AffineMap map = op.getMatchingIndexingMap(input);
        rewriter.modifyOpInPlace(op, [&] {
          for (OpOperand *other : op.getDpsInputOperands())
            if (other->get() == input->get() &&
                op.getMatchingIndexingMap(other) == map)
              op.getMatchingBlockArgument(other).replaceAllUsesWith(
                  op.getMatchingBlockArgument(init));
          init->set(input->get());
        });
      }
    });
  }
};

} // namespace
