//===- LayerOps.cpp - Layers with an adjoint of their own -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

using utils::IteratorType;

//===----------------------------------------------------------------------===//
// Batch normalisation
//===----------------------------------------------------------------------===//

/// Verifies what both forms of batch normalisation share.
template <typename OpTy>
static LogicalResult verifyBatchNorm(OpTy op) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  // batch_norm_c1
  if (!isa<FloatType>(type.getElementType()))
    return op.emitOpError("expects an input tensor of floats, but got ")
           << type;
  // batch_norm_c3
  int64_t channel = op.getChannelDimension();
  if (channel < 0 || channel >= type.getRank())
    return op.emitOpError("expects 'channel_dim' to be a dimension of ")
           << type << ", but got " << channel;
  // batch_norm_c2
  auto expected =
      RankedTensorType::get({type.getDimSize(channel)}, type.getElementType());
  if (op.getScale().getType() != expected)
    return op.emitOpError("expects a scale of type ")
           << expected << ", but got " << op.getScale().getType();
  // batch_norm_c4
  if (!(op.getEpsilon().convertToDouble() >= 0))
    return op.emitOpError("expects an 'epsilon' that is not negative, but got ")
           << op.getEpsilon().convertToDouble();
  return success();
}

int64_t BatchNormOp::getChannelDimension() {
  return getChannelDim().value_or(
      cast<RankedTensorType>(getInput().getType()).getRank() - 1);
}

int64_t BatchNormInferenceOp::getChannelDimension() {
  return getChannelDim().value_or(
      cast<RankedTensorType>(getInput().getType()).getRank() - 1);
}

LogicalResult BatchNormOp::verify() { return verifyBatchNorm(*this); }

LogicalResult BatchNormInferenceOp::verify() { return verifyBatchNorm(*this); }

/// Emits (input - mean) * factor + offset, with the factor scale *
/// rsqrt(variance + epsilon) evaluated once per channel.
static Value buildNormalize(ImplicitLocOpBuilder &b, Value input, Value scale,
                            Value offset, Value mean, Value variance,
                            double epsilon, int64_t channel) {
  auto type = cast<RankedTensorType>(input.getType());
  auto statType = cast<RankedTensorType>(scale.getType());
  Type elementType = type.getElementType();
  unsigned rank = type.getRank();
  AffineMap vector = b.getMultiDimIdentityMap(1);
  Value emptyFactor = tensor::EmptyOp::create(
      b, tensor::getMixedSizes(b, b.getLoc(), scale), elementType);
  Value factor =
      linalg::GenericOp::create(
          b, TypeRange{statType}, ValueRange{scale, variance},
          ValueRange{emptyFactor}, ArrayRef<AffineMap>{vector, vector, vector},
          ArrayRef<IteratorType>{IteratorType::parallel},
          [&](OpBuilder &builder, Location loc, ValueRange args) {
            ImplicitLocOpBuilder sb(loc, builder);
            Value eps = arith::ConstantOp::create(
                sb, sb.getFloatAttr(elementType, epsilon));
            Value rstd = math::RsqrtOp::create(
                sb, arith::AddFOp::create(sb, args[1], eps));
            Value product = arith::MulFOp::create(sb, args[0], rstd);
            linalg::YieldOp::create(sb, product);
          })
          .getResult(0);

  AffineMap identity = b.getMultiDimIdentityMap(rank);
  AffineMap perChannel = AffineMap::get(rank, 0, b.getAffineDimExpr(channel));
  Value empty = tensor::EmptyOp::create(
      b, tensor::getMixedSizes(b, b.getLoc(), input), elementType);
  return linalg::GenericOp::create(
             b, TypeRange{type}, ValueRange{input, mean, factor, offset},
             ValueRange{empty},
             ArrayRef<AffineMap>{identity, perChannel, perChannel, perChannel,
                                 identity},
             SmallVector<IteratorType>(rank, IteratorType::parallel),
             [&](OpBuilder &builder, Location loc, ValueRange args) {
               ImplicitLocOpBuilder sb(loc, builder);
               Value centred = arith::SubFOp::create(sb, args[0], args[1]);
               Value scaled = arith::MulFOp::create(sb, centred, args[2]);
               Value y = arith::AddFOp::create(sb, scaled, args[3]);
               linalg::YieldOp::create(sb, y);
             })
      .getResult(0);
}

ResultRange BatchNormOp::buildMoments(ImplicitLocOpBuilder &b, Value input,
                                      Value v, Value mean, ValueRange inits) {
  unsigned rank = cast<RankedTensorType>(input.getType()).getRank();
  int64_t channel = getChannelDimension();
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  AffineMap perChannel = AffineMap::get(rank, 0, b.getAffineDimExpr(channel));
  SmallVector<IteratorType> reduction(rank, IteratorType::reduction);
  reduction[channel] = IteratorType::parallel;
  return linalg::GenericOp::create(
             b, inits.getTypes(), ValueRange{input, v, mean}, inits,
             ArrayRef<AffineMap>{identity, identity, perChannel, perChannel,
                                 perChannel},
             reduction,
             [](OpBuilder &builder, Location loc, ValueRange args) {
               ImplicitLocOpBuilder sb(loc, builder);
               Value d = arith::SubFOp::create(sb, args[0], args[2]);
               Value product = arith::MulFOp::create(sb, args[1], d);
               linalg::YieldOp::create(
                   sb, ValueRange{arith::AddFOp::create(sb, args[3], args[1]),
                                  arith::AddFOp::create(sb, args[4], product)});
             })
      .getResults();
}

Value BatchNormOp::buildCount(ImplicitLocOpBuilder &b, Value input) {
  auto type = cast<RankedTensorType>(input.getType());
  int64_t channel = getChannelDimension();
  Type elementType = type.getElementType();
  if (type.hasStaticShape()) {
    double count = 1;
    for (auto [i, size] : llvm::enumerate(type.getShape()))
      if (static_cast<int64_t>(i) != channel)
        count *= static_cast<double>(size);
    return arith::ConstantOp::create(b, b.getFloatAttr(elementType, count));
  }
  Value count = arith::ConstantIndexOp::create(b, 1);
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (i != channel)
      count =
          arith::MulIOp::create(b, count, tensor::DimOp::create(b, input, i));
  Value integer = arith::IndexCastOp::create(b, b.getI64Type(), count);
  return arith::SIToFPOp::create(b, elementType, integer);
}

/// Emits the mean and the biased variance of each channel in one pass over
/// `input`: the sums of d and d^2 for d = input - shift. Subtracting the first
/// element of each channel first keeps the difference of the two moments from
/// cancelling when the mean is large against the deviation.
static std::pair<Value, Value> buildStatistics(ImplicitLocOpBuilder &b,
                                               BatchNormOp op) {
  Value input = op.getInput();
  int64_t channel = op.getChannelDimension();
  auto type = cast<RankedTensorType>(input.getType());
  unsigned rank = type.getRank();
  Type elementType = type.getElementType();
  auto statType =
      RankedTensorType::get({type.getDimSize(channel)}, elementType);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, b.getLoc(), input);

  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
  SmallVector<OpFoldResult> firstSizes(rank, b.getIndexAttr(1));
  firstSizes[channel] = sizes[channel];
  Value shift = tensor::ExtractSliceOp::create(b, statType, input, offsets,
                                               firstSizes, strides);

  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(elementType));
  auto zeros = [&]() -> Value {
    Value empty = tensor::EmptyOp::create(
        b, ArrayRef<OpFoldResult>{sizes[channel]}, elementType);
    return linalg::FillOp::create(b, zero, empty).getResult(0);
  };
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  AffineMap perChannel = AffineMap::get(rank, 0, b.getAffineDimExpr(channel));
  SmallVector<IteratorType> iterators(rank, IteratorType::reduction);
  iterators[channel] = IteratorType::parallel;
  auto sums = linalg::GenericOp::create(
      b, TypeRange{statType, statType}, ValueRange{input, shift},
      ValueRange{zeros(), zeros()},
      ArrayRef<AffineMap>{identity, perChannel, perChannel, perChannel},
      iterators, [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        Value d = arith::SubFOp::create(sb, args[0], args[1]);
        Value sum = arith::AddFOp::create(sb, args[2], d);
        Value square = arith::MulFOp::create(sb, d, d);
        Value squares = arith::AddFOp::create(sb, args[3], square);
        linalg::YieldOp::create(sb, ValueRange{sum, squares});
      });

  Value count = op.buildCount(b, input);
  Value one = arith::ConstantOp::create(b, b.getFloatAttr(elementType, 1.0));
  Value inverseCount = arith::DivFOp::create(b, one, count);
  AffineMap vector = b.getMultiDimIdentityMap(1);
  auto stats = linalg::GenericOp::create(
      b, TypeRange{statType, statType}, ValueRange{shift},
      ValueRange{sums.getResult(0), sums.getResult(1)},
      ArrayRef<AffineMap>{vector, vector, vector},
      ArrayRef<IteratorType>{IteratorType::parallel},
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        Value meanShift = arith::MulFOp::create(sb, args[1], inverseCount);
        Value meanSquare = arith::MulFOp::create(sb, args[2], inverseCount);
        Value mean = arith::AddFOp::create(sb, args[0], meanShift);
        Value correction = arith::MulFOp::create(sb, meanShift, meanShift);
        Value variance = arith::SubFOp::create(sb, meanSquare, correction);
        // Rounding can make the variance of a constant channel negative.
        Value zeroVariance =
            arith::ConstantOp::create(sb, sb.getZeroAttr(elementType));
        variance = arith::MaximumFOp::create(sb, variance, zeroVariance);
        linalg::YieldOp::create(sb, ValueRange{mean, variance});
      });
  return {stats.getResult(0), stats.getResult(1)};
}

SmallVector<Value> BatchNormOp::decompose(RewriterBase &rewriter) {
  ImplicitLocOpBuilder b(getLoc(), rewriter);
  int64_t channel = getChannelDimension();
  auto [mean, variance] = buildStatistics(b, *this);
  Value result =
      buildNormalize(b, getInput(), getScale(), getOffset(), mean, variance,
                     getEpsilon().convertToDouble(), channel);
  return {result, mean, variance};
}

SmallVector<Value> BatchNormInferenceOp::decompose(RewriterBase &rewriter) {
  ImplicitLocOpBuilder b(getLoc(), rewriter);
  return {buildNormalize(b, getInput(), getScale(), getOffset(), getMean(),
                         getVariance(), getEpsilon().convertToDouble(),
                         getChannelDimension())};
}

//===----------------------------------------------------------------------===//
// RunningAverageOp
//===----------------------------------------------------------------------===//

LogicalResult RunningAverageOp::verify() {
  // running_average_c1
  if (!isa<FloatType>(getElementTypeOrSelf(getRunning().getType())))
    return emitOpError("expects running averages that are floats, but got ")
           << getRunning().getType();
  // running_average_c2
  double momentum = getMomentum().convertToDouble();
  if (!(momentum >= 0 && momentum <= 1))
    return emitOpError("expects a 'momentum' in [0, 1], but got ") << momentum;
  return success();
}

SmallVector<Value> RunningAverageOp::decompose(RewriterBase &rewriter) {
  auto type = cast<RankedTensorType>(getRunning().getType());
  Type elementType = type.getElementType();
  double momentum = getMomentum().convertToDouble();
  AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
  return {linalg::GenericOp::create(
              rewriter, getLoc(), TypeRange{type}, ValueRange{getStatistic()},
              ValueRange{getRunning()}, ArrayRef<AffineMap>{identity, identity},
              SmallVector<IteratorType>(type.getRank(), IteratorType::parallel),
              [&](OpBuilder &builder, Location loc, ValueRange args) {
                ImplicitLocOpBuilder sb(loc, builder);
                auto scale = [&](Value value, double factor) -> Value {
                  Value constant = arith::ConstantOp::create(
                      sb, sb.getFloatAttr(elementType, factor));
                  return arith::MulFOp::create(sb, value, constant);
                };
                Value sum = arith::AddFOp::create(
                    sb, scale(args[1], 1 - momentum), scale(args[0], momentum));
                linalg::YieldOp::create(sb, sum);
              })
              .getResult(0)};
}

//===----------------------------------------------------------------------===//
// SoftmaxCrossEntropyOp
//===----------------------------------------------------------------------===//

LogicalResult SoftmaxCrossEntropyOp::verify() {
  // softmax_cross_entropy_c1
  auto logits = cast<RankedTensorType>(getLogits().getType());
  if (logits.getRank() != 2 || !isa<FloatType>(logits.getElementType()))
    return emitOpError("expects logits that are a tensor of floats of rank 2, "
                       "but got ")
           << logits;
  // softmax_cross_entropy_c2
  auto labels = cast<RankedTensorType>(getLabels().getType());
  if (labels.getRank() != 1 ||
      !labels.getElementType().isSignlessIntOrIndex() ||
      labels.getDimSize(0) != logits.getDimSize(0))
    return emitOpError("expects labels that are a tensor of ")
           << logits.getDimSize(0) << " integers, but got " << labels;
  // softmax_cross_entropy_c3
  auto expected =
      RankedTensorType::get({logits.getDimSize(0)}, logits.getElementType());
  if (getLoss().getType() != expected)
    return emitOpError("expects a loss of type ")
           << expected << ", but got " << getLoss().getType();
  return success();
}

SmallVector<Value> SoftmaxCrossEntropyOp::decompose(RewriterBase &rewriter) {
  ImplicitLocOpBuilder b(getLoc(), rewriter);
  auto type = cast<RankedTensorType>(getLogits().getType());
  Type elementType = type.getElementType();
  auto rowType = cast<RankedTensorType>(getLoss().getType());
  OpFoldResult rows = tensor::getMixedSize(b, getLoc(), getLogits(), 0);

  AffineMap identity = b.getMultiDimIdentityMap(2);
  AffineMap row = AffineMap::get(2, 0, b.getAffineDimExpr(0));
  AffineMap vector = b.getMultiDimIdentityMap(1);
  SmallVector<IteratorType> rowReduction{IteratorType::parallel,
                                         IteratorType::reduction};
  auto filled = [&](TypedAttr value) -> Value {
    Value constant = arith::ConstantOp::create(b, value);
    Value empty =
        tensor::EmptyOp::create(b, ArrayRef<OpFoldResult>{rows}, elementType);
    return linalg::FillOp::create(b, constant, empty).getResult(0);
  };
  const llvm::fltSemantics &semantics =
      cast<FloatType>(elementType).getFloatSemantics();
  Value lowest = filled(b.getFloatAttr(
      elementType, APFloat::getInf(semantics, /*Negative=*/true)));
  Value maximum =
      linalg::GenericOp::create(
          b, TypeRange{rowType}, ValueRange{getLogits()}, ValueRange{lowest},
          ArrayRef<AffineMap>{identity, row}, rowReduction,
          [](OpBuilder &builder, Location loc, ValueRange args) {
            Value m = arith::MaximumFOp::create(builder, loc, args[1], args[0]);
            linalg::YieldOp::create(builder, loc, m);
          })
          .getResult(0);
  Value zeros = filled(b.getZeroAttr(elementType));
  Value moreZeros = filled(b.getZeroAttr(elementType));
  // The sum of exponentials and the logit of the label, in one pass.
  auto sums = linalg::GenericOp::create(
      b, TypeRange{rowType, rowType},
      ValueRange{getLogits(), maximum, getLabels()},
      ValueRange{zeros, moreZeros},
      ArrayRef<AffineMap>{identity, row, row, row, row}, rowReduction,
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        Value e = math::ExpOp::create(
            sb, arith::SubFOp::create(sb, args[0], args[1]));
        Value sum = arith::AddFOp::create(sb, args[3], e);
        Value column = linalg::IndexOp::create(sb, 1);
        Value label = args[2];
        if (!label.getType().isIndex())
          column = arith::IndexCastOp::create(sb, label.getType(), column);
        Value hit =
            arith::CmpIOp::create(sb, arith::CmpIPredicate::eq, column, label);
        Value zero = arith::ConstantOp::create(sb, sb.getZeroAttr(elementType));
        Value picked = arith::SelectOp::create(sb, hit, args[0], zero);
        Value pick = arith::AddFOp::create(sb, args[4], picked);
        linalg::YieldOp::create(sb, ValueRange{sum, pick});
      });
  auto outputs = linalg::GenericOp::create(
      b, TypeRange{rowType, rowType}, ValueRange{maximum},
      ValueRange{sums.getResult(1), sums.getResult(0)},
      ArrayRef<AffineMap>{vector, vector, vector},
      ArrayRef<IteratorType>{IteratorType::parallel},
      [](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        Value lse = arith::AddFOp::create(sb, args[0],
                                          math::LogOp::create(sb, args[2]));
        Value loss = arith::SubFOp::create(sb, lse, args[1]);
        linalg::YieldOp::create(sb, ValueRange{loss, lse});
      });
  return {outputs.getResult(0), outputs.getResult(1)};
}
