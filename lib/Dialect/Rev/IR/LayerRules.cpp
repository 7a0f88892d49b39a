//===- LayerRules.cpp - Derivatives of layers -----------------------------===//
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

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

using utils::IteratorType;

//===----------------------------------------------------------------------===//
// BatchNormOp
//===----------------------------------------------------------------------===//

void BatchNormOp::getResiduals(function_ref<bool(Value)>,
                               SmallVectorImpl<Residual> &residuals) {
  llvm::append_range(residuals, ArrayRef<Residual>{getInput(), getScale(),
                                                   getMean(), getVariance()});
}

LogicalResult
BatchNormOp::getRecomputationOperands(OpResult result,
                                      SmallVectorImpl<Value> &values) {
  if (result != getResult())
    return failure();
  values.append(
      {getInput(), getScale(), getOffset(), getMean(), getVariance()});
  return success();
}

Value BatchNormOp::recomputeResult(DerivativeContext &ctx, OpResult) {
  SmallVector<Value> operands;
  for (Value value :
       {getInput(), getScale(), getOffset(), getMean(), getVariance()}) {
    Value now = ctx.primal(value);
    if (!now)
      return {};
    operands.push_back(now);
  }
  return BatchNormInferenceOp::create(
      ctx.getBuilder(), getLoc(), getResult().getType(), operands[0],
      operands[1], operands[2], operands[3], operands[4], getEpsilonAttr(),
      getChannelDimAttr());
}

/// With d = x - mean, r = 1 / sqrt(variance + epsilon) and sums over the n
/// elements of a channel (Ioffe, Szegedy, section 3):
///   d offset = sum dy, d scale = r sum(dy d)
///   dx = scale r (dy - sum(dy) / n - d r^2 sum(dy d) / n)
/// and, for cotangents of the statistics, + d mean / n + 2 d variance d / n.
LogicalResult BatchNormOp::buildVJP(DerivativeContext &ctx) {
  Value x = ctx.primal(getInput()), scale = ctx.primal(getScale());
  Value mean = ctx.primal(getMean()), variance = ctx.primal(getVariance());
  if (!x || !scale || !mean || !variance)
    return failure();
  ImplicitLocOpBuilder b(getLoc(), ctx.getBuilder());
  auto type = cast<RankedTensorType>(getInput().getType());
  auto statType = cast<RankedTensorType>(getMean().getType());
  Type elementType = type.getElementType();
  unsigned rank = type.getRank();
  int64_t channel = getChannelDimension();
  double epsilon = getEpsilon().convertToDouble();

  auto cotangent = [&](Value value) {
    Value c = ctx.cotangent(value);
    return c ? c : ctx.zero(value.getType(), value, getLoc());
  };
  Value dy = cotangent(getResult());
  if (!dy)
    return failure();

  AffineMap identity = b.getMultiDimIdentityMap(rank);
  AffineMap perChannel = AffineMap::get(rank, 0, b.getAffineDimExpr(channel));
  AffineMap vector = b.getMultiDimIdentityMap(1);
  Value zeroSum = ctx.zero(statType, getMean(), getLoc());
  Value zeroMoment = ctx.zero(statType, getMean(), getLoc());
  if (!zeroSum || !zeroMoment)
    return failure();
  ResultRange sums = buildMoments(b, x, dy, mean, {zeroSum, zeroMoment});
  Value sum = sums[0], moment = sums[1];

  Value count = buildCount(b, x);
  Value one = arith::ConstantOp::create(b, b.getFloatAttr(elementType, 1.0));
  Value inverseCount = arith::DivFOp::create(b, one, count);

  // dx = a dy + c d + e, with coefficients per channel.
  SmallVector<Value> inputs{scale, variance, sum, moment};
  bool hasStatistics = ctx.cotangent(getMean()) || ctx.cotangent(getVariance());
  if (hasStatistics) {
    inputs.push_back(cotangent(getMean()));
    inputs.push_back(cotangent(getVariance()));
  }
  SmallVector<Value> empties;
  for (int i = 0; i < 4; ++i)
    empties.push_back(tensor::EmptyOp::create(
        b, tensor::getMixedSizes(b, getLoc(), mean), elementType));
  auto coefficients = linalg::GenericOp::create(
      b, SmallVector<Type>(4, statType), inputs, empties,
      SmallVector<AffineMap>(inputs.size() + 4, vector),
      ArrayRef<IteratorType>{IteratorType::parallel},
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        auto mul = [&](Value l, Value r) -> Value {
          return arith::MulFOp::create(sb, l, r);
        };
        Value eps = arith::ConstantOp::create(
            sb, sb.getFloatAttr(elementType, epsilon));
        Value rstd =
            math::RsqrtOp::create(sb, arith::AddFOp::create(sb, args[1], eps));
        Value dScale = mul(args[3], rstd);
        Value a = mul(args[0], rstd);
        Value aOverN = mul(a, inverseCount);
        Value c = arith::NegFOp::create(sb, mul(aOverN, mul(rstd, dScale)));
        Value e = arith::NegFOp::create(sb, mul(aOverN, args[2]));
        if (hasStatistics) {
          Value two =
              arith::ConstantOp::create(sb, sb.getFloatAttr(elementType, 2.0));
          e = arith::AddFOp::create(sb, e, mul(args[4], inverseCount));
          c = arith::AddFOp::create(sb, c,
                                    mul(two, mul(args[5], inverseCount)));
        }
        linalg::YieldOp::create(sb, ValueRange{dScale, a, c, e});
      });
  ctx.accumulate(getOffset(), sum);
  ctx.accumulate(getScale(), coefficients.getResult(0));
  if (!ctx.isActive(getInput()))
    return success();

  Value empty = tensor::EmptyOp::create(
      b, tensor::getMixedSizes(b, getLoc(), x), elementType);
  auto dx = linalg::GenericOp::create(
      b, TypeRange{type},
      ValueRange{x, dy, mean, coefficients.getResult(1),
                 coefficients.getResult(2), coefficients.getResult(3)},
      ValueRange{empty},
      ArrayRef<AffineMap>{identity, identity, perChannel, perChannel,
                          perChannel, perChannel, identity},
      SmallVector<IteratorType>(rank, IteratorType::parallel),
      [](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        Value d = arith::SubFOp::create(sb, args[0], args[2]);
        Value first = arith::MulFOp::create(sb, args[1], args[3]);
        Value second = arith::MulFOp::create(sb, d, args[4]);
        Value rest = arith::AddFOp::create(sb, second, args[5]);
        Value total = arith::AddFOp::create(sb, first, rest);
        linalg::YieldOp::create(sb, total);
      });
  ctx.accumulate(getInput(), dx.getResult(0));
  return success();
}

//===----------------------------------------------------------------------===//
// RunningAverageOp
//===----------------------------------------------------------------------===//

bool RunningAverageOp::isInactive() { return true; }

bool RunningAverageOp::isNeverActive() { return true; }

LogicalResult RunningAverageOp::buildVJP(DerivativeContext &) {
  return success();
}

LogicalResult RunningAverageOp::buildJVP(TangentContext &) { return success(); }

//===----------------------------------------------------------------------===//
// SoftmaxCrossEntropyOp
//===----------------------------------------------------------------------===//

void SoftmaxCrossEntropyOp::getResiduals(function_ref<bool(Value)>,
                                         SmallVectorImpl<Residual> &residuals) {
  llvm::append_range(
      residuals, ArrayRef<Residual>{getLogits(), getLabels(), getLogSumExp()});
}

/// d logits = (d loss + d log_sum_exp) softmax(logits) - d loss onehot(labels).
LogicalResult SoftmaxCrossEntropyOp::buildVJP(DerivativeContext &ctx) {
  Value logits = ctx.primal(getLogits()), labels = ctx.primal(getLabels());
  Value logSumExp = ctx.primal(getLogSumExp());
  if (!logits || !labels || !logSumExp)
    return failure();
  ImplicitLocOpBuilder b(getLoc(), ctx.getBuilder());
  auto type = cast<RankedTensorType>(getLogits().getType());
  Type elementType = type.getElementType();
  auto cotangent = [&](Value value) {
    Value c = ctx.cotangent(value);
    return c ? c : ctx.zero(value.getType(), value, getLoc());
  };
  Value dLoss = cotangent(getLoss()), dLogSumExp = cotangent(getLogSumExp());
  if (!dLoss || !dLogSumExp)
    return failure();
  AffineMap identity = b.getMultiDimIdentityMap(2);
  AffineMap row = AffineMap::get(2, 0, b.getAffineDimExpr(0));
  Value empty = tensor::EmptyOp::create(
      b, tensor::getMixedSizes(b, getLoc(), logits), elementType);
  auto gradient = linalg::GenericOp::create(
      b, TypeRange{type},
      ValueRange{logits, labels, logSumExp, dLoss, dLogSumExp},
      ValueRange{empty},
      ArrayRef<AffineMap>{identity, row, row, row, row, identity},
      SmallVector<IteratorType>(2, IteratorType::parallel),
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        Value softmax = math::ExpOp::create(
            sb, arith::SubFOp::create(sb, args[0], args[2]));
        Value both = arith::AddFOp::create(sb, args[3], args[4]);
        Value spread = arith::MulFOp::create(sb, both, softmax);
        Value column = linalg::IndexOp::create(sb, 1);
        if (!args[1].getType().isIndex())
          column = arith::IndexCastOp::create(sb, args[1].getType(), column);
        Value hit = arith::CmpIOp::create(sb, arith::CmpIPredicate::eq, column,
                                          args[1]);
        Value zero = arith::ConstantOp::create(sb, sb.getZeroAttr(elementType));
        Value picked = arith::SelectOp::create(sb, hit, args[3], zero);
        Value total = arith::SubFOp::create(sb, spread, picked);
        linalg::YieldOp::create(sb, total);
      });
  ctx.accumulate(getLogits(), gradient.getResult(0));
  return success();
}
