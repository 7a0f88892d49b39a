//===- TensorSlice.cpp - Rules of tensor operations on boxes --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations that take a box out of a tensor or put one into it: extract_slice,
// insert_slice and concat. TensorPad.cpp has pad.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"
#include <numeric>

using namespace mlir;
using namespace mlir::memrev;

/// The box of a slice operation at this point of the reverse part.
static FailureOr<Slice> getPrimalSlice(OffsetSizeAndStrideOpInterface op,
                                       DerivativeContext &ctx) {
  Slice slice{op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides()};
  if (failed(getPrimal(ctx, slice.offsets)) ||
      failed(getPrimal(ctx, slice.sizes)) ||
      failed(getPrimal(ctx, slice.strides)))
    return failure();
  return slice;
}

/// The dynamic entries of the box of a slice operation, which its rule reads.
static void getSliceValues(OffsetSizeAndStrideOpInterface op,
                           function_ref<void(Value)> add) {
  for (ValueRange values : {op.getOffsets(), op.getSizes(), op.getStrides()})
    llvm::for_each(values, add);
}

/// lhs + rhs, as a constant where both are.
static OpFoldResult addSizes(OpBuilder &b, Location loc, OpFoldResult lhs,
                             OpFoldResult rhs) {
  std::optional<int64_t> x = getConstantIntValue(lhs);
  std::optional<int64_t> y = getConstantIntValue(rhs);
  if (x && y)
    return b.getIndexAttr(*x + *y);
  return arith::AddIOp::create(b, loc,
                               getValueOrCreateConstantIndexOp(b, loc, lhs),
                               getValueOrCreateConstantIndexOp(b, loc, rhs))
      .getResult();
}

//===----------------------------------------------------------------------===//
// Boxes with constant bounds
//===----------------------------------------------------------------------===//

/// True if `op` touches elements between constant bounds, at constant strides.
static bool isConstantBox(OffsetSizeAndStrideOpInterface op) {
  return !ShapedType::isDynamicShape(op.getStaticOffsets()) &&
         !ShapedType::isDynamicShape(op.getStaticSizes()) &&
         llvm::all_of(op.getStaticStrides(), [](int64_t stride) {
           return !ShapedType::isDynamic(stride) && stride > 0;
         });
}

/// True if no element is in both boxes, which have constant bounds: along some
/// dimension one ends before the other begins, or they pass each other by.
static bool areDisjoint(OffsetSizeAndStrideOpInterface a,
                        OffsetSizeAndStrideOpInterface b) {
  for (unsigned i = 0, e = a.getStaticOffsets().size(); i < e; ++i) {
    int64_t aFirst = a.getStaticOffsets()[i], bFirst = b.getStaticOffsets()[i];
    int64_t aSize = a.getStaticSizes()[i], bSize = b.getStaticSizes()[i];
    if (aSize == 0 || bSize == 0)
      return true;
    int64_t aStride = a.getStaticStrides()[i],
            bStride = b.getStaticStrides()[i];
    if (aFirst + (aSize - 1) * aStride < bFirst ||
        bFirst + (bSize - 1) * bStride < aFirst ||
        (aFirst - bFirst) % std::gcd(aStride, bStride) != 0)
      return true;
  }
  return false;
}

/// True if both touch the same elements, by constants or by the same values.
static bool hasSameBox(OffsetSizeAndStrideOpInterface a,
                       OffsetSizeAndStrideOpInterface b) {
  return a.getMixedOffsets() == b.getMixedOffsets() &&
         a.getMixedSizes() == b.getMixedSizes() &&
         a.getMixedStrides() == b.getMixedStrides();
}

/// What is cut into more pieces is a stack of weights, not a state that
/// somebody would put together again.
static constexpr size_t kMaxPieces = 16;

/// The slices of `source` in `block` with constant bounds, in program order.
/// None if there are many.
static SmallVector<tensor::ExtractSliceOp> getPieces(Value source,
                                                     Block *block) {
  SmallVector<tensor::ExtractSliceOp> pieces;
  for (Operation *user : source.getUsers()) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    if (!slice || slice->getBlock() != block || !isConstantBox(slice))
      continue;
    if (pieces.size() == kMaxPieces)
      return {};
    pieces.push_back(slice);
  }
  llvm::sort(pieces,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return pieces;
}

namespace {

//===----------------------------------------------------------------------===//
// extract_slice
//===----------------------------------------------------------------------===//

/// The cotangent of a slice is a part of its source's, so that a loop over
/// slices of stacked weights writes each part of their gradient in place. The
/// cotangent of a slice therefore holds all that was there before.
struct ExtractSliceModel
    : DifferentiableOpInterface::ExternalModel<ExtractSliceModel,
                                               tensor::ExtractSliceOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    auto slice = cast<tensor::ExtractSliceOp>(op);
    getSliceValues(slice, [&](Value v) { residuals.push_back(v); });
    if (!slice.getSourceType().hasStaticShape())
      residuals.push_back(slice.getSource());
  }

  Value seedCotangent(Operation *op, DerivativeContext &ctx,
                      OpResult result) const {
    auto slice = cast<tensor::ExtractSliceOp>(op);
    FailureOr<Slice> box = getPrimalSlice(slice, ctx);
    Value sum = ctx.accumulator(slice.getSource());
    if (failed(box) || !sum)
      return {};
    ctx.setCotangent(slice.getSource(), sum);
    Value part = tensor::ExtractSliceOp::create(
        ctx.getBuilder(), op->getLoc(), slice.getResultType(), sum,
        box->offsets, box->sizes, box->strides);
    ctx.lend(slice.getSource(), result);
    return part;
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto slice = cast<tensor::ExtractSliceOp>(op);
    // Null if the source was lent but nothing was added to the part.
    Value part = ctx.cotangent(slice.getResult());
    if (!part)
      return success();
    FailureOr<Slice> box = getPrimalSlice(slice, ctx);
    Value sum = ctx.accumulator(slice.getSource());
    if (failed(box) || !sum)
      return failure();
    ctx.setCotangent(
        slice.getSource(),
        tensor::InsertSliceOp::create(ctx.getBuilder(), op->getLoc(), part, sum,
                                      box->offsets, box->sizes, box->strides));
    return success();
  }

  bool isCheapToRecompute(Operation *) const { return true; }
};

/// Slices that are disjoint and together hold all of a tensor give it back: a
/// state that is split into halves can be put together again. So does the
/// tensor with another slice in the place of this one: an update of a part.
struct ExtractSliceInverse
    : InvertibleOpInterface::ExternalModel<ExtractSliceInverse,
                                           tensor::ExtractSliceOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto slice = cast<tensor::ExtractSliceOp>(op);
    SmallVector<InverseEdge> edges;
    InverseEdge whole = InverseEdge::moving({slice.getSource()}, {});
    for (tensor::ExtractSliceOp piece : getPartition(slice))
      whole.from.push_back(piece.getResult());
    if (!whole.from.empty())
      edges.push_back(std::move(whole));
    for (tensor::InsertSliceOp update : getUpdates(slice)) {
      InverseEdge edge = InverseEdge::moving(
          {slice.getSource()}, {update.getResult(), slice.getResult()});
      getSliceValues(slice, [&](Value v) { edge.from.push_back(v); });
      edges.push_back(std::move(edge));
    }
    return edges;
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned edge) const {
    auto slice = cast<tensor::ExtractSliceOp>(op);
    SmallVector<tensor::ExtractSliceOp> partition = getPartition(slice);
    unsigned first = partition.empty() ? 0 : 1;
    return edge < first
               ? buildWhole(slice, ctx, std::move(partition))
               : buildBefore(slice, ctx, getUpdates(slice)[edge - first]);
  }

private:
  /// Emits the source of `slice` out of its pieces.
  static LogicalResult
  buildWhole(tensor::ExtractSliceOp slice, DerivativeContext &ctx,
             SmallVector<tensor::ExtractSliceOp> partition) {
    OpBuilder &b = ctx.getBuilder();
    Location loc = slice.getLoc();
    RankedTensorType type = slice.getSourceType();
    SmallVector<Value> pieces;
    Value source;
    bool isRounded = false;
    for (tensor::ExtractSliceOp piece : partition) {
      Value now = ctx.primal(piece.getResult());
      if (!now)
        return failure();
      pieces.push_back(now);
      isRounded |= ctx.isRounded(piece.getResult());
      // A piece that is where it belongs in another tensor stays there: an
      // update of one half is undone in place.
      auto read = now.getDefiningOp<tensor::ExtractSliceOp>();
      if (!source && read && read.getSourceType() == type &&
          hasSameBox(read, piece))
        source = read.getSource();
    }
    if (!source)
      source = tensor::EmptyOp::create(b, loc, type.getShape(),
                                       type.getElementType());
    Value base = source;
    for (auto [piece, now] : llvm::zip_equal(partition, pieces)) {
      auto read = now.getDefiningOp<tensor::ExtractSliceOp>();
      if (read && read.getSource() == base && hasSameBox(read, piece))
        continue;
      source = tensor::InsertSliceOp::create(
          b, loc, now, source, piece.getMixedOffsets(), piece.getMixedSizes(),
          piece.getMixedStrides());
    }
    ctx.provide(slice.getSource(), source,
                isRounded ? Precision::Rounded : Precision::Exact);
    return success();
  }

  /// Emits the source of `slice` out of what `update` made of it.
  static LogicalResult buildBefore(tensor::ExtractSliceOp slice,
                                   DerivativeContext &ctx,
                                   tensor::InsertSliceOp update) {
    FailureOr<Slice> box = getPrimalSlice(slice, ctx);
    Value after = ctx.primal(update.getResult());
    Value part = ctx.primal(slice.getResult());
    if (failed(box) || !after || !part)
      return failure();
    Value source = tensor::InsertSliceOp::create(
        ctx.getBuilder(), slice.getLoc(), part, after, box->offsets, box->sizes,
        box->strides);
    bool isRounded =
        ctx.isRounded(update.getResult()) || ctx.isRounded(slice.getResult());
    ctx.provide(slice.getSource(), source,
                isRounded ? Precision::Rounded : Precision::Exact);
    return success();
  }

  /// The operations that replace `slice` in its source.
  static SmallVector<tensor::InsertSliceOp>
  getUpdates(tensor::ExtractSliceOp slice) {
    SmallVector<tensor::InsertSliceOp> updates;
    for (OpOperand &use : slice.getSource().getUses()) {
      auto update = dyn_cast<tensor::InsertSliceOp>(use.getOwner());
      if (update && update.getDest() == slice.getSource() &&
          update.getSource() != slice.getSource() &&
          update->getBlock() == slice->getBlock() && hasSameBox(slice, update))
        updates.push_back(update);
    }
    llvm::sort(updates, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    return updates;
  }

  /// Slices of the source of `slice`, itself among them, that have each element
  /// of the source once. Empty if there are none.
  static SmallVector<tensor::ExtractSliceOp>
  getPartition(tensor::ExtractSliceOp slice) {
    if (!slice.getSourceType().hasStaticShape() || !isConstantBox(slice))
      return {};
    SmallVector<tensor::ExtractSliceOp> partition{slice};
    int64_t rest = slice.getSourceType().getNumElements() -
                   slice.getType().getNumElements();
    for (tensor::ExtractSliceOp piece :
         getPieces(slice.getSource(), slice->getBlock())) {
      if (llvm::all_of(partition, [&](tensor::ExtractSliceOp other) {
            return areDisjoint(piece, other);
          })) {
        partition.push_back(piece);
        rest -= piece.getType().getNumElements();
      }
    }
    if (rest != 0)
      return {};
    return partition;
  }
};

//===----------------------------------------------------------------------===//
// insert_slice
//===----------------------------------------------------------------------===//

struct InsertSliceModel
    : DifferentiableOpInterface::ExternalModel<InsertSliceModel,
                                               tensor::InsertSliceOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    getSliceValues(cast<tensor::InsertSliceOp>(op),
                   [&](Value v) { residuals.push_back(v); });
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto insert = cast<tensor::InsertSliceOp>(op);
    FailureOr<Slice> box = getPrimalSlice(insert, ctx);
    if (failed(box))
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value cotangent = ctx.cotangent(insert.getResult());
    if (ctx.isActive(insert.getSource()))
      ctx.accumulate(insert.getSource(),
                     tensor::ExtractSliceOp::create(
                         b, loc, insert.getSourceType(), cotangent,
                         box->offsets, box->sizes, box->strides));
    // What was overwritten has no influence on the result.
    if (ctx.isActive(insert.getDest()))
      ctx.accumulate(insert.getDest(), buildZeroSlice(b, loc, cotangent, *box,
                                                      insert.getSourceType()));
    return success();
  }
};

/// An insert_slice gives its source back, and what it did not overwrite: slices
/// of its destination, as the half of a state that a coupling is conditioned
/// on, and what was inserted before, as the other half.
struct InsertSliceInverse
    : InvertibleOpInterface::ExternalModel<InsertSliceInverse,
                                           tensor::InsertSliceOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto insert = cast<tensor::InsertSliceOp>(op);
    InverseEdge edge =
        InverseEdge::moving({insert.getSource()}, {insert.getResult()});
    getSliceValues(insert, [&](Value v) { edge.from.push_back(v); });
    for (const Part &kept : getKept(insert))
      edge.solved.push_back(kept.value);
    return {edge};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto insert = cast<tensor::InsertSliceOp>(op);
    FailureOr<Slice> box = getPrimalSlice(insert, ctx);
    Value result = ctx.primal(insert.getResult());
    if (failed(box) || !result)
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value source =
        tensor::ExtractSliceOp::create(b, loc, insert.getSourceType(), result,
                                       box->offsets, box->sizes, box->strides);
    provideMoved(ctx, insert.getSource(), source, insert.getResult());
    for (Part kept : getKept(insert)) {
      Value now = tensor::ExtractSliceOp::create(
          b, loc, cast<RankedTensorType>(kept.value.getType()), result,
          kept.box.getMixedOffsets(), kept.box.getMixedSizes(),
          kept.box.getMixedStrides());
      provideMoved(ctx, kept.value, now, insert.getResult());
    }
    return success();
  }

private:
  /// A value and where it is in the result.
  struct Part {
    Value value;
    OffsetSizeAndStrideOpInterface box;
  };

  static SmallVector<Part> getKept(tensor::InsertSliceOp insert) {
    if (!isConstantBox(insert))
      return {};
    SmallVector<Part> kept;
    for (tensor::ExtractSliceOp slice :
         getPieces(insert.getDest(), insert->getBlock()))
      if (areDisjoint(slice, insert))
        kept.push_back({slice.getResult(), slice});
    SmallVector<tensor::InsertSliceOp> later{insert};
    while (later.size() < kMaxPieces) {
      auto earlier =
          later.back().getDest().getDefiningOp<tensor::InsertSliceOp>();
      if (!earlier || earlier->getBlock() != insert->getBlock() ||
          !isConstantBox(earlier))
        break;
      if (llvm::all_of(later, [&](tensor::InsertSliceOp other) {
            return areDisjoint(earlier, other);
          }))
        kept.push_back({earlier.getSource(), earlier});
      later.push_back(earlier);
    }
    return kept;
  }
};

//===----------------------------------------------------------------------===//
// concat
//===----------------------------------------------------------------------===//

struct ConcatModel
    : DifferentiableOpInterface::ExternalModel<ConcatModel, tensor::ConcatOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    for (Value input : op->getOperands())
      if (!cast<RankedTensorType>(input.getType()).hasStaticShape())
        residuals.push_back(input);
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto concat = cast<tensor::ConcatOp>(op);
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value cotangent = ctx.cotangent(concat.getResult());
    Slice box = getWhole(b, loc, cotangent);
    for (Value input : concat.getInputs()) {
      FailureOr<SmallVector<OpFoldResult>> sizes =
          getPrimalSizes(ctx, input, loc);
      if (failed(sizes))
        return failure();
      // A slice may not start behind the last element, an empty one neither.
      bool isEmpty = getConstantIntValue((*sizes)[concat.getDim()]) == 0 ||
                     llvm::is_contained(concat.getResultType().getShape(), 0);
      if (ctx.isActive(input) && !isEmpty)
        ctx.accumulate(input,
                       tensor::ExtractSliceOp::create(
                           b, loc, cast<RankedTensorType>(input.getType()),
                           cotangent, box.offsets, *sizes, box.strides));
      OpFoldResult &offset = box.offsets[concat.getDim()];
      offset = addSizes(b, loc, offset, (*sizes)[concat.getDim()]);
    }
    return success();
  }
};

struct ConcatInverse
    : InvertibleOpInterface::ExternalModel<ConcatInverse, tensor::ConcatOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto concat = cast<tensor::ConcatOp>(op);
    // Where a piece ends has to be known without the piece.
    for (Value input : concat.getInputs())
      if (!cast<RankedTensorType>(input.getType()).hasStaticShape())
        return {};
    return {InverseEdge::moving(SmallVector<Value>(concat.getInputs()),
                                {concat.getResult()})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto concat = cast<tensor::ConcatOp>(op);
    Value result = ctx.primal(concat.getResult());
    if (!result)
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Slice box = getWhole(b, loc, result);
    int64_t offset = 0;
    for (Value input : concat.getInputs()) {
      auto type = cast<RankedTensorType>(input.getType());
      box.offsets[concat.getDim()] = b.getIndexAttr(offset);
      Value piece = tensor::ExtractSliceOp::create(
          b, loc, type, result, box.offsets,
          getAsIndexOpFoldResult(b.getContext(), type.getShape()), box.strides);
      provideMoved(ctx, input, piece, concat.getResult());
      offset += type.getDimSize(concat.getDim());
    }
    return success();
  }
};

} // namespace

void memrev::registerTensorSliceModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, tensor::TensorDialect *) {
    using namespace tensor;
    ExtractSliceOp::attachInterface<ExtractSliceModel, ExtractSliceInverse>(*c);
    InsertSliceOp::attachInterface<InsertSliceModel, InsertSliceInverse>(*c);
    ConcatOp::attachInterface<ConcatModel, ConcatInverse>(*c);
  });
}
