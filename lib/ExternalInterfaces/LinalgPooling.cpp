//===- LinalgPooling.cpp - Rules of pooling -------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The cotangent of a pooled element goes to all of its window (sum) or to the
// element that won (max, min). Where windows lie side by side this is one pass
// over the input's cotangent, with the position in the window as a dimension of
// its own. Where they overlap or leave gaps it goes one tap of the window at a
// time: each adds to a strided slice.
//
//===----------------------------------------------------------------------===//

#include "Convolution.h"
#include "LinalgReductions.h"
#include "LinalgRules.h"
#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;

/// True if `op` combines the elements of a window by an `OpTy`.
template <typename OpTy>
static bool isPooled(LinalgOp op) {
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  return static_cast<bool>(yielded.getDefiningOp<OpTy>());
}

/// The number of a tap, counted in the order of the loops.
static int64_t getTapNumber(Convolution &conv, ArrayRef<int64_t> tap) {
  int64_t number = 0;
  for (auto [window, position] : llvm::zip_equal(conv.windows, tap))
    number = number * conv.getFilterShape()[window.filterPosition] + position;
  return number;
}

/// Emits the number of the tap at which the loops `tapLoops` stand.
static Value buildTapNumber(OpBuilder &b, Location loc, Convolution &conv,
                            ArrayRef<unsigned> tapLoops, Type type) {
  Value number;
  for (auto [window, loop] : llvm::zip_equal(conv.windows, tapLoops)) {
    Value position = linalg::IndexOp::create(b, loc, loop);
    if (number) {
      Value extent = arith::ConstantIndexOp::create(
          b, loc, conv.getFilterShape()[window.filterPosition]);
      position = arith::AddIOp::create(
          b, loc, arith::MulIOp::create(b, loc, number, extent), position);
    }
    number = position;
  }
  return arith::IndexCastOp::create(b, loc, type, number);
}

/// Emits the number of the tap that wins each window; the first of equal ones.
/// The starting value wins against what equals it.
static Value buildWinners(Convolution &conv, DerivativeContext &ctx,
                          bool isMax) {
  OpBuilder &b = ctx.getBuilder();
  Location loc = conv.op.getLoc();
  Value input = ctx.primal(conv.getInput(), Precision::Exact);
  Value window = ctx.primal(conv.getFilter());
  Value init = ctx.primal(conv.getInit(), Precision::Exact);
  if (!input || !window || !init)
    return {};
  Type numberType = getNumTaps(conv) > std::numeric_limits<int32_t>::max()
                        ? b.getI64Type()
                        : b.getI32Type();
  Value none = arith::ConstantOp::create(
      b, loc, b.getIntegerAttr(numberType, kStartWins));
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, init), numberType);
  Value numbers = linalg::FillOp::create(b, loc, none, empty).getResult(0);
  auto predicate =
      isMax ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
  return linalg::GenericOp::create(
             b, loc, TypeRange{init.getType(), numbers.getType()},
             ValueRange{input, window}, ValueRange{init, numbers},
             ArrayRef<AffineMap>{conv.inputMap, conv.filterMap, conv.outputMap,
                                 conv.outputMap},
             conv.op.getIteratorTypesArray(),
             [&](OpBuilder &builder, Location l, ValueRange args) {
               SmallVector<unsigned> tapLoops;
               for (const Window &w : conv.windows)
                 tapLoops.push_back(w.tap);
               Value number =
                   buildTapNumber(builder, l, conv, tapLoops, numberType);
               Value wins = arith::CmpFOp::create(builder, l, predicate,
                                                  args[0], args[2]);
               Value best =
                   arith::SelectOp::create(builder, l, wins, args[0], args[2]);
               Value winner =
                   arith::SelectOp::create(builder, l, wins, number, args[3]);
               linalg::YieldOp::create(builder, l, ValueRange{best, winner});
             })
      .getResult(1);
}

/// Emits `sum` with the elements of `cotangent` whose winner is `number` added.
static Value buildAddWon(OpBuilder &b, Location loc, Value cotangent,
                         Value winners, Value sum, int64_t number) {
  auto type = cast<RankedTensorType>(sum.getType());
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, TypeRange{type}, ValueRange{cotangent, winners},
             ValueRange{sum}, ArrayRef<AffineMap>{identity, identity, identity},
             iterators,
             [&](OpBuilder &builder, Location l, ValueRange args) {
               Value tap = arith::ConstantOp::create(
                   builder, l,
                   builder.getIntegerAttr(args[1].getType(), number));
               Value part = buildIfWon(builder, l, args[0], args[1], tap);
               linalg::YieldOp::create(
                   builder, l,
                   arith::AddFOp::create(builder, l, args[2], part)
                       .getResult());
             })
      .getResult(0);
}

/// True if the windows lie side by side: each element is in one at most, and
/// those that are in one follow each other.
static bool isTiling(Convolution &conv) {
  return llvm::all_of(conv.windows, [&](const Window &window) {
    int64_t numWindows = conv.getOutputShape()[window.outputPosition];
    return window.dilation == 1 && !ShapedType::isDynamic(numWindows) &&
           (numWindows == 1 ||
            window.stride == conv.getFilterShape()[window.filterPosition]);
  });
}

/// Adds the cotangent to `sum` in one pass, to all elements of a window or to
/// those that are its winner.
static Value buildTiles(Convolution &conv, OpBuilder &b, Value cotangent,
                        Value winners, Value sum) {
  Location loc = conv.op.getLoc();
  auto type = cast<RankedTensorType>(sum.getType());
  // The part that is in windows, with a dimension for the windows and one for
  // the position in them. `renamed` says which loop of the pooling each is.
  Slice covered = getWhole(b, loc, sum);
  SmallVector<ReassociationIndices> dims(type.getRank());
  SmallVector<OpFoldResult> sizes;
  SmallVector<AffineExpr> renamed(conv.op.getNumLoops(),
                                  b.getAffineConstantExpr(0));
  SmallVector<unsigned> tapLoops(conv.windows.size());
  for (int64_t i = 0; i < type.getRank(); ++i) {
    auto append = [&](unsigned loop, OpFoldResult size) {
      renamed[loop] = b.getAffineDimExpr(sizes.size());
      dims[i].push_back(sizes.size());
      sizes.push_back(size);
    };
    auto window = llvm::find_if(
        conv.windows, [&](const Window &w) { return w.inputPosition == i; });
    if (window == conv.windows.end()) {
      append(conv.inputMap.getDimPosition(i), covered.sizes[i]);
      continue;
    }
    int64_t numWindows = conv.getOutputShape()[window->outputPosition];
    int64_t extent = conv.getFilterShape()[window->filterPosition];
    covered.sizes[i] = b.getIndexAttr(numWindows * extent);
    append(window->image, b.getIndexAttr(numWindows));
    tapLoops[window - conv.windows.begin()] = sizes.size();
    append(window->tap, b.getIndexAttr(extent));
  }
  Value part = tensor::ExtractSliceOp::create(b, loc, sum, covered.offsets,
                                              covered.sizes, covered.strides);
  SmallVector<int64_t> shape = decomposeMixedValues(sizes).first;
  auto tilesType = RankedTensorType::get(shape, type.getElementType());
  Value tiles =
      tensor::ExpandShapeOp::create(b, loc, tilesType, part, dims, sizes);

  unsigned rank = shape.size();
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  AffineMap read = conv.outputMap.replaceDimsAndSymbols(renamed, {}, rank, 0);
  SmallVector<Value> inputs{cotangent};
  SmallVector<AffineMap> maps{read, identity};
  if (winners) {
    inputs.push_back(winners);
    maps.insert(maps.begin(), read);
  }
  tiles =
      linalg::GenericOp::create(
          b, loc, TypeRange{tilesType}, inputs, ValueRange{tiles}, maps,
          SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
          [&](OpBuilder &builder, Location l, ValueRange args) {
            Value won = args[0];
            if (winners) {
              Value number =
                  buildTapNumber(builder, l, conv, tapLoops, args[1].getType());
              won = buildIfWon(builder, l, args[0], args[1], number);
            }
            linalg::YieldOp::create(
                builder, l,
                arith::AddFOp::create(builder, l, args.back(), won)
                    .getResult());
          })
          .getResult(0);
  part = tensor::CollapseShapeOp::create(
      b, loc, cast<RankedTensorType>(part.getType()), tiles, dims);
  return tensor::InsertSliceOp::create(b, loc, part, sum, covered.offsets,
                                       covered.sizes, covered.strides);
}

/// Adds the cotangent to `sum` tap by tap.
static Value buildTaps(Convolution &conv, OpBuilder &b, Value cotangent,
                       Value winners, Value sum) {
  Location loc = conv.op.getLoc();
  SmallVector<OpFoldResult> outputSizes =
      tensor::getMixedSizes(b, loc, cotangent);
  forEachTap(conv, [&](ArrayRef<int64_t> tap) {
    Slice slice = getWhole(b, loc, sum);
    for (auto [window, position] : llvm::zip_equal(conv.windows, tap)) {
      slice.offsets[window.inputPosition] =
          b.getIndexAttr(position * window.dilation);
      slice.sizes[window.inputPosition] = outputSizes[window.outputPosition];
      slice.strides[window.inputPosition] = b.getIndexAttr(window.stride);
    }
    Value part = tensor::ExtractSliceOp::create(b, loc, sum, slice.offsets,
                                                slice.sizes, slice.strides);
    part = winners ? buildAddWon(b, loc, cotangent, winners, part,
                                 getTapNumber(conv, tap))
                   : buildAdd(b, loc, cotangent, part);
    sum = tensor::InsertSliceOp::create(b, loc, part, sum, slice.offsets,
                                        slice.sizes, slice.strides);
  });
  return sum;
}

static LogicalResult buildPoolingVJP(LinalgOp op, DerivativeContext &ctx) {
  FailureOr<Convolution> conv = matchConvolution(op);
  // Windows of other forms, and sums in a wider type.
  if (failed(conv) ||
      getElementTypeOrSelf(conv->getInput().getType()) !=
          getSumType(getElementTypeOrSelf(conv->getResult().getType())) ||
      ShapedType::isDynamicShape(conv->getFilterShape()) ||
      (!isTiling(*conv) && getNumTaps(*conv) > kMaxTaps))
    return buildStructuredVJP(op, ctx);
  OpBuilder &b = ctx.getBuilder();
  Location loc = op.getLoc();
  bool isSum = isPooled<arith::AddFOp>(op);
  bool isMax = isPooled<arith::MaximumFOp>(op);

  Value winners;
  if (!isSum) {
    winners = buildWinners(*conv, ctx, isMax);
    if (!winners)
      return failure();
  }
  Value cotangent = ctx.cotangent(conv->getResult());
  // Without windows there is nothing to slice, and a slice would be no valid
  // one.
  bool isEmpty = llvm::is_contained(conv->getOutputShape(), 0);
  if (ctx.isActive(conv->getInput()) && !isEmpty) {
    Value sum = ctx.accumulator(conv->getInput());
    if (!sum)
      return failure();
    sum = isTiling(*conv) ? buildTiles(*conv, b, cotangent, winners, sum)
                          : buildTaps(*conv, b, cotangent, winners, sum);
    ctx.setCotangent(conv->getInput(), sum);
  }
  if (!ctx.isActive(conv->getInit()))
    return success();
  if (isSum) {
    ctx.accumulate(conv->getInit(), cotangent);
    return success();
  }
  Value sum = ctx.accumulator(conv->getInit());
  if (!sum)
    return failure();
  ctx.setCotangent(conv->getInit(),
                   buildAddWon(b, loc, cotangent, winners, sum, kStartWins));
  return success();
}

namespace {

template <typename OpTy>
struct PoolingModel
    : DifferentiableOpInterface::ExternalModel<PoolingModel<OpTy>, OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    if (isPooled<arith::AddFOp>(cast<LinalgOp>(op)))
      return;
    residuals.push_back(Residual(op->getOperand(0), Precision::Exact));
    residuals.push_back(Residual(op->getOperand(2), Precision::Exact));
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    return buildPoolingVJP(cast<LinalgOp>(op), ctx);
  }
};

} // namespace

template <typename... OpTys>
static void attachPoolings(MLIRContext *context) {
  (OpTys::template attachInterface<PoolingModel<OpTys>>(*context), ...);
}

void memrev::registerLinalgPoolingModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    using namespace linalg;
    attachPoolings<PoolingNchwMaxOp, PoolingNchwSumOp, PoolingNcwMaxOp,
                   PoolingNcwSumOp, PoolingNdhwcMaxOp, PoolingNdhwcMinOp,
                   PoolingNdhwcSumOp, PoolingNhwcMaxOp, PoolingNhwcMinOp,
                   PoolingNhwcSumOp, PoolingNwcMaxOp, PoolingNwcMinOp,
                   PoolingNwcSumOp>(c);
  });
}
