//===- LinalgPooling.cpp - Rules of pooling -------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The cotangent of a pooled element goes to all of its window (sum) or to the
// element that won (max, min), one tap of the window at a time: windows may
// overlap, so each tap adds to a strided slice of the input's cotangent.
//
//===----------------------------------------------------------------------===//

#include "Convolution.h"
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

/// The number that says that no element beat what the pooling started from.
static constexpr int64_t kInitWins = -1;

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
  Type numberType = b.getI32Type();
  Value none = arith::ConstantOp::create(
      b, loc, b.getIntegerAttr(numberType, kInitWins));
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
               Value number;
               for (const Window &w : conv.windows) {
                 Value position = linalg::IndexOp::create(builder, l, w.tap);
                 if (number) {
                   Value extent = arith::ConstantIndexOp::create(
                       builder, l, conv.getFilterShape()[w.filterPosition]);
                   position = arith::AddIOp::create(
                       builder, l,
                       arith::MulIOp::create(builder, l, number, extent),
                       position);
                 }
                 number = position;
               }
               number =
                   arith::IndexCastOp::create(builder, l, numberType, number);
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
               Value won = arith::CmpIOp::create(
                   builder, l, arith::CmpIPredicate::eq, args[1], tap);
               Value zero = arith::ConstantOp::create(
                   builder, l, builder.getZeroAttr(type.getElementType()));
               Value part =
                   arith::SelectOp::create(builder, l, won, args[0], zero);
               linalg::YieldOp::create(
                   builder, l,
                   arith::AddFOp::create(builder, l, args[2], part)
                       .getResult());
             })
      .getResult(0);
}

static LogicalResult buildPoolingVJP(LinalgOp op, DerivativeContext &ctx) {
  FailureOr<Convolution> conv = matchConvolution(op);
  if (failed(conv))
    return op.emitError("expects a pooling with positive strides and dilations "
                        "where a gradient flows");
  if (getElementTypeOrSelf(conv->getInput().getType()) !=
      getElementTypeOrSelf(conv->getResult().getType()))
    return op.emitError("expects an input of the element type of the result "
                        "where a gradient flows, but got ")
           << conv->getInput().getType();
  if (ShapedType::isDynamicShape(conv->getFilterShape()))
    return op.emitError("expects a window of constant extents where a gradient "
                        "flows, but got ")
           << conv->getFilter().getType();
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
  if (ctx.isActive(conv->getInput())) {
    Value sum = ctx.accumulator(conv->getInput());
    if (!sum)
      return failure();
    SmallVector<OpFoldResult> outputSizes =
        tensor::getMixedSizes(b, loc, cotangent);
    forEachTap(*conv, [&](ArrayRef<int64_t> tap) {
      Slice slice = getWhole(b, loc, sum);
      for (auto [window, position] : llvm::zip_equal(conv->windows, tap)) {
        slice.offsets[window.inputPosition] =
            b.getIndexAttr(position * window.dilation);
        slice.sizes[window.inputPosition] = outputSizes[window.outputPosition];
        slice.strides[window.inputPosition] = b.getIndexAttr(window.stride);
      }
      Value part = tensor::ExtractSliceOp::create(b, loc, sum, slice.offsets,
                                                  slice.sizes, slice.strides);
      part = isSum ? buildAdd(b, loc, cotangent, part)
                   : buildAddWon(b, loc, cotangent, winners, part,
                                 getTapNumber(*conv, tap));
      sum = tensor::InsertSliceOp::create(b, loc, part, sum, slice.offsets,
                                          slice.sizes, slice.strides);
    });
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
                   buildAddWon(b, loc, cotangent, winners, sum, kInitWins));
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
