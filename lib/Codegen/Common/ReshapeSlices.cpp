//===- ReshapeSlices.cpp - Rank reductions of slices as reshapes ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ParallelCombiningOpInterface.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_CODEGENRESHAPESLICES
#include "memrev/Codegen/Common/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

/// True if the extents of a slice do not depend on whether `dropped` or, as
/// upstream infers, the first dimensions of `sizes` that are 1 are dropped,
/// whichever of the dynamic sizes turn out to be 1.
///
/// Upstream's choice differs where a kept dimension of 1 is in front of a
/// dropped one. The kept ones between the two then move by one place, which
/// changes nothing if each of them is 1.
static bool dropsFirst(ArrayRef<OpFoldResult> sizes,
                       const llvm::SmallBitVector &dropped) {
  bool mayMove = false, changes = false;
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    if (dropped[dim]) {
      if (changes)
        return false;
      continue;
    }
    std::optional<int64_t> constant = getConstantIntValue(size);
    changes |= mayMove && constant != 1;
    mayMove |= !constant || constant == 1;
  }
  return true;
}

/// Along a size of 1 no stride is taken: it becomes 1, so that the strides of
/// buffers do not depend on it.
template <typename SliceOp>
static SliceOp dropStrides(RewriterBase &rewriter, SliceOp op) {
  SmallVector<OpFoldResult> strides = op.getMixedStrides();
  bool isChanged = false;
  for (auto [size, stride] : llvm::zip_equal(op.getMixedSizes(), strides))
    if (getConstantIntValue(size) == 1 && getConstantIntValue(stride) != 1) {
      stride = rewriter.getIndexAttr(1);
      isChanged = true;
    }
  if (!isChanged)
    return op;
  SmallVector<OpFoldResult> offsets = op.getMixedOffsets(),
                            sizes = op.getMixedSizes();
  auto attributes = llvm::to_vector(op->getDiscardableAttrs());
  rewriter.setInsertionPoint(op);
  if constexpr (std::is_same_v<SliceOp, tensor::ExtractSliceOp>) {
    auto slice = tensor::ExtractSliceOp::create(
        rewriter, op.getLoc(), op.getType(), op.getSource(), offsets, sizes,
        strides, attributes);
    rewriter.replaceOp(op, slice);
    return slice;
  } else {
    auto slice =
        SliceOp::create(rewriter, op.getLoc(), op.getSource(), op.getDest(),
                        offsets, sizes, strides, attributes);
    rewriter.replaceOp(op, slice->getResults());
    return slice;
  }
}

/// A group for each dimension that is kept, with dropped ones next to it.
static SmallVector<ReassociationIndices>
getReassociation(const llvm::SmallBitVector &dropped) {
  SmallVector<ReassociationIndices> groups(1);
  bool hasKept = false;
  for (unsigned dim = 0; dim < dropped.size(); ++dim) {
    if (!dropped[dim]) {
      if (hasKept)
        groups.emplace_back();
      hasKept = true;
    }
    groups.back().push_back(dim);
  }
  return groups;
}

static void reshape(RewriterBase &rewriter, tensor::ExtractSliceOp op,
                    const llvm::SmallBitVector &dropped) {
  auto slice = tensor::ExtractSliceOp::create(
      rewriter, op.getLoc(), op.getSource(), op.getMixedOffsets(),
      op.getMixedSizes(), op.getMixedStrides(),
      llvm::to_vector(op->getDiscardableAttrs()));
  rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(
      op, op.getType(), slice, getReassociation(dropped));
}

/// For insert_slice and parallel_insert_slice.
template <typename InsertOp>
static void reshape(RewriterBase &rewriter, InsertOp op,
                    const llvm::SmallBitVector &dropped) {
  // Nothing but insertions may be in the region that ends a parallel loop.
  if (isa<InParallelOpInterface>(op->getParentOp()))
    rewriter.setInsertionPoint(op->getParentOp());
  auto type =
      cast<RankedTensorType>(op.getSourceType().clone(op.getStaticSizes()));
  Value source = tensor::ExpandShapeOp::create(
      rewriter, op.getLoc(), type, op.getSource(), getReassociation(dropped),
      op.getMixedSizes());
  rewriter.modifyOpInPlace(op, [&] { op.getSourceMutable().assign(source); });
}

namespace {
struct CodegenReshapeSlicesPass
    : memrev::impl::CodegenReshapeSlicesBase<CodegenReshapeSlicesPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](Operation *op) {
      llvm::TypeSwitch<Operation *>(op)
          .Case<tensor::ExtractSliceOp, tensor::InsertSliceOp,
                tensor::ParallelInsertSliceOp>([&](auto slice) {
            slice = dropStrides(rewriter, slice);
            llvm::SmallBitVector dropped = slice.getDroppedDims();
            if (dropsFirst(slice.getMixedSizes(), dropped))
              return;
            rewriter.setInsertionPoint(slice);
            reshape(rewriter, slice, dropped);
          });
    });
  }
};
} // namespace
