//===- TensorPad.cpp - Rules of tensor.pad --------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
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
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// Where the elements that a pad keeps are in its source and in its result.
struct KeptBox {
  Slice inSource, inResult;
  /// True if the pad keeps all of its source.
  bool isWholeSource = true;
  /// True if the pad is known to keep nothing.
  bool isEmpty = false;
};

} // namespace

static FailureOr<KeptBox> getKeptBox(tensor::PadOp op, DerivativeContext &ctx) {
  OpBuilder &b = ctx.getBuilder();
  Location loc = op.getLoc();
  FailureOr<SmallVector<OpFoldResult>> sizes =
      getPrimalSizes(ctx, op.getSource(), loc);
  SmallVector<OpFoldResult> low = op.getMixedLowPad();
  if (failed(sizes) || failed(getPrimal(ctx, low)))
    return failure();
  KeptBox box;
  int64_t rank = op.getSourceType().getRank();
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  box.inSource.strides.assign(rank, one);
  box.inResult.strides.assign(rank, one);
  for (int64_t i = 0; i < rank; ++i) {
    // A negative amount cuts elements off. Only constants can be negative.
    int64_t cutLow =
        std::max<int64_t>(0, -getConstantIntValue(low[i]).value_or(0));
    int64_t cutHigh = std::max<int64_t>(
        0, -getConstantIntValue(op.getMixedHighPad()[i]).value_or(0));
    OpFoldResult size = (*sizes)[i];
    box.isEmpty |= getConstantIntValue(size) == 0;
    if (cutLow + cutHigh > 0) {
      box.isWholeSource = false;
      if (std::optional<int64_t> n = getConstantIntValue(size)) {
        int64_t kept = std::max<int64_t>(0, *n - cutLow - cutHigh);
        box.isEmpty |= kept == 0;
        size = b.getIndexAttr(kept);
      } else {
        Value cut = arith::ConstantIndexOp::create(b, loc, -cutLow - cutHigh);
        Value rest = arith::AddIOp::create(
            b, loc, getValueOrCreateConstantIndexOp(b, loc, size), cut);
        Value none = arith::ConstantIndexOp::create(b, loc, 0);
        size = arith::MaxSIOp::create(b, loc, rest, none).getResult();
      }
    }
    box.inSource.offsets.push_back(b.getIndexAttr(cutLow));
    box.inResult.offsets.push_back(cutLow > 0 ? zero : low[i]);
    box.inSource.sizes.push_back(size);
    box.inResult.sizes.push_back(size);
  }
  return box;
}

/// The type of `tensor`'s elements in `slice`.
static RankedTensorType getSliceType(Type tensor, const Slice &slice) {
  // A size that a constant of the program gives is dynamic in a slice's type.
  SmallVector<int64_t> shape = decomposeMixedValues(slice.sizes).first;
  return RankedTensorType::get(shape, getElementTypeOrSelf(tensor));
}

namespace {

struct PadModel
    : DifferentiableOpInterface::ExternalModel<PadModel, tensor::PadOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    auto pad = cast<tensor::PadOp>(op);
    for (Value low : pad.getLow())
      residuals.push_back(low);
    if (!pad.getSourceType().hasStaticShape())
      residuals.push_back(pad.getSource());
    if (isComputed(pad)) {
      llvm::SetVector<Value> used;
      getUsedValuesDefinedAbove(pad.getRegion(), used);
      for (Value value : used)
        residuals.push_back(value);
    }
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto pad = cast<tensor::PadOp>(op);
    Value padding = pad.getBody()->getTerminator()->getOperand(0);
    bool isPaddingActive = ctx.isActive(padding);
    FailureOr<KeptBox> box = getKeptBox(pad, ctx);
    if (failed(box))
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value cotangent = ctx.cotangent(pad.getResult());
    if (ctx.isActive(pad.getSource()) && !box->isEmpty) {
      Value kept = tensor::ExtractSliceOp::create(
          b, loc, cotangent, box->inResult.offsets, box->inResult.sizes,
          box->inResult.strides);
      if (box->isWholeSource) {
        // What is a constant here need not be one in the type.
        if (kept.getType() != pad.getSourceType())
          kept = tensor::CastOp::create(b, loc, pad.getSourceType(), kept);
        ctx.accumulate(pad.getSource(), kept);
      } else {
        Value sum = ctx.accumulator(pad.getSource());
        if (!sum)
          return failure();
        ctx.setCotangent(pad.getSource(),
                         buildAddToSlice(b, loc, kept, sum, box->inSource));
      }
    }
    if (isPaddingActive && isComputed(pad)) {
      auto isMargin = [&](OpBuilder &builder, ValueRange indices) {
        return buildIsOutside(builder, loc, indices, box->inResult);
      };
      return buildElementsVJP(op, cotangent, ctx, isMargin);
    }
    if (isPaddingActive) {
      Value margin = cotangent;
      if (!box->isEmpty)
        margin =
            buildZeroSlice(b, loc, cotangent, box->inResult,
                           getSliceType(pad.getResultType(), box->inResult));
      ctx.accumulate(padding, buildSum(b, loc, margin));
    }
    return success();
  }

private:
  /// True if the region computes the padding, for each element anew.
  static bool isComputed(tensor::PadOp pad) {
    Value padding = pad.getBody()->getTerminator()->getOperand(0);
    return pad.getRegion().isAncestor(padding.getParentRegion());
  }

  /// Emits whether an element is not in `box`, whose strides are 1.
  static Value buildIsOutside(OpBuilder &b, Location loc, ValueRange indices,
                              const Slice &box) {
    Value outside = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
    for (auto [index, offset, size] :
         llvm::zip_equal(indices, box.offsets, box.sizes)) {
      // One comparison: an index below the offset is a large unsigned number.
      Value distance = arith::SubIOp::create(
          b, loc, index, getValueOrCreateConstantIndexOp(b, loc, offset));
      Value isOutside =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, distance,
                                getValueOrCreateConstantIndexOp(b, loc, size));
      outside = arith::OrIOp::create(b, loc, outside, isOutside);
    }
    return outside;
  }
};

/// A pad that cuts nothing off gives its source back.
struct PadInverse
    : InvertibleOpInterface::ExternalModel<PadInverse, tensor::PadOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto pad = cast<tensor::PadOp>(op);
    auto isNegative = [](int64_t amount) {
      return !ShapedType::isDynamic(amount) && amount < 0;
    };
    if (llvm::any_of(pad.getStaticLow(), isNegative) ||
        llvm::any_of(pad.getStaticHigh(), isNegative) ||
        !pad.getSourceType().hasStaticShape())
      return {};
    InverseEdge edge =
        InverseEdge::moving({pad.getSource()}, {pad.getResult()});
    llvm::append_range(edge.from, pad.getLow());
    return {edge};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto pad = cast<tensor::PadOp>(op);
    OpBuilder &b = ctx.getBuilder();
    SmallVector<OpFoldResult> low = pad.getMixedLowPad();
    Value result = ctx.primal(pad.getResult());
    if (!result || failed(getPrimal(ctx, low)))
      return failure();
    RankedTensorType type = pad.getSourceType();
    SmallVector<OpFoldResult> strides(type.getRank(), b.getIndexAttr(1));
    Value source = tensor::ExtractSliceOp::create(
        b, op->getLoc(), type, result, low,
        getAsIndexOpFoldResult(b.getContext(), type.getShape()), strides);
    provideMoved(ctx, pad.getSource(), source, pad.getResult());
    return success();
  }
};

} // namespace

void memrev::registerTensorPadModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, tensor::TensorDialect *) {
    tensor::PadOp::attachInterface<PadModel, PadInverse>(*c);
  });
}
