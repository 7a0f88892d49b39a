//===- TangentRules.cpp - Forward mode of rev operations ------------------===//
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

static Value buildEmptyLike(ImplicitLocOpBuilder &b, Value like) {
  return tensor::EmptyOp::create(b, tensor::getMixedSizes(b, b.getLoc(), like),
                                 getElementTypeOrSelf(like.getType()));
}

//===----------------------------------------------------------------------===//
// CouplingOp
//===----------------------------------------------------------------------===//

namespace {

/// Emits what a coupling of tangents is made of. With y = f(x; p),
///
///   y. = df/dx x. + df/dp p.
///
/// is a bijection of x. with the parameters df/dx and df/dp p., which a region
/// computes from F's tangent: so tangents too are had back by inversion. They
/// are computed before y takes the place of x. Tangents of auxiliary results
/// are auxiliary results of it.
class CouplingTangent {
public:
  CouplingTangent(CouplingOp op, TangentContext &ctx)
      : op(op), ctx(ctx), loc(op.getLoc()) {}

  LogicalResult emit();

private:
  /// Emits the parameters of y.'s bijection.
  SmallVector<Value> buildParameters();

  CouplingOp op;
  TangentContext &ctx;
  Location loc;
};

} // namespace

SmallVector<Value> CouplingTangent::buildParameters() {
  SmallVector<Value> parameters(op.getParameters()), tangents;
  ImplicitLocOpBuilder b(loc, ctx.getBuilder());
  auto type = cast<RankedTensorType>(op.getCoupled().getType());
  SmallVector<Value> inputs{op.getCoupled()};
  llvm::append_range(inputs, parameters);
  for (Value parameter : parameters) {
    tangents.push_back(ctx.tangent(parameter));
    if (tangents.back())
      inputs.push_back(tangents.back());
  }
  unsigned count = op.getKind().getTangentKind().getNumParameters();
  SmallVector<Value> inits;
  for (unsigned i = 0; i < count; ++i)
    inits.push_back(buildEmptyLike(b, op.getCoupled()));
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  auto generic = linalg::GenericOp::create(
      b, SmallVector<Type>(count, type), inputs, inits,
      SmallVector<AffineMap>(inputs.size() + count, identity),
      SmallVector<IteratorType>(type.getRank(), IteratorType::parallel),
      [&](OpBuilder &builder, Location l, ValueRange args) {
        SmallVector<Value> scalarTangents;
        unsigned next = 1 + parameters.size();
        for (Value tangent : tangents)
          scalarTangents.push_back(tangent ? args[next++] : Value());
        SmallVector<Value> scalars = op.getKind().buildTangent(
            builder, l, args[0], args.slice(1, parameters.size()),
            scalarTangents);
        for (Value &scalar : scalars)
          if (!scalar)
            scalar = arith::ConstantOp::create(
                builder, l, builder.getZeroAttr(type.getElementType()));
        linalg::YieldOp::create(builder, l, scalars);
      });
  // Tangents that are parameters as they are need no copy.
  SmallVector<Value> results;
  Block *body = generic.getBody();
  for (Value scalar : body->getTerminator()->getOperands()) {
    auto argument = dyn_cast<BlockArgument>(scalar);
    if (!argument || argument.getOwner() != body)
      return SmallVector<Value>(generic.getResults());
    results.push_back(inputs[argument.getArgNumber()]);
  }
  generic.erase();
  return results;
}

LogicalResult CouplingTangent::emit() {
  OpBuilder &b = ctx.getBuilder();
  OpBuilder::InsertionGuard guard(b);
  // A copy takes the place of the operation: the region that is differentiated
  // has to be that which the activity analysis has seen.
  auto primal = cast<CouplingOp>(b.clone(*op));
  b.setInsertionPoint(primal);
  Value coupled = ctx.tangentOrZero(op.getCoupled());
  Block &body = op.getBody().front();
  for (auto [given, argument] :
       llvm::zip_equal(op.getGiven(), body.getArguments()))
    ctx.setTangent(argument, ctx.tangent(given));
  if (failed(ctx.differentiate(body)))
    return failure();
  b.setInsertionPoint(body.getTerminator());
  SmallVector<Value> yields = buildParameters(), active;
  SmallVector<Type> types;
  for (auto [result, yielded] :
       llvm::zip_equal(primal.getAuxiliary(), op.getYieldedAuxiliary()))
    if (Value tangentOfYielded = ctx.tangent(yielded)) {
      active.push_back(result);
      yields.push_back(tangentOfYielded);
      types.push_back(tangentOfYielded.getType());
    }
  body.getTerminator()->setOperands(yields);

  b.setInsertionPoint(primal);
  auto tangent = CouplingOp::create(b, loc, coupled.getType(), Type(), types,
                                    op.getKind().getTangentKind(), coupled,
                                    op.getGiven());
  tangent->setAttr(kOfTangentsAttrName, b.getUnitAttr());
  tangent.getBody().takeBody(op.getBody());
  ctx.replace(op, primal->getResults());
  ctx.setTangent(primal.getResult(), tangent.getResult());
  for (auto [result, itsTangent] :
       llvm::zip_equal(active, tangent.getAuxiliary()))
    ctx.setTangent(result, itsTangent);
  return success();
}

LogicalResult CouplingOp::buildJVP(TangentContext &ctx) {
  return CouplingTangent(*this, ctx).emit();
}

//===----------------------------------------------------------------------===//
// BatchNormOp
//===----------------------------------------------------------------------===//

/// With d = x - mean, r = 1 / sqrt(variance + epsilon) and averages over the
/// elements of a channel:
///   mean. = average x., variance. = 2 average(d x.)
///   y. = a x. + c d + e, where a = scale r,
///   c = scale. r - a r^2 variance. / 2 and e = offset. - a mean.
LogicalResult BatchNormOp::buildJVP(TangentContext &ctx) {
  ImplicitLocOpBuilder b(getLoc(), ctx.getBuilder());
  auto type = cast<RankedTensorType>(getInput().getType());
  auto statType = cast<RankedTensorType>(getMean().getType());
  Type elementType = type.getElementType();
  unsigned rank = type.getRank();
  int64_t channel = getChannelDimension();
  double epsilon = getEpsilon().convertToDouble();
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  AffineMap perChannel = AffineMap::get(rank, 0, b.getAffineDimExpr(channel));
  AffineMap vector = b.getMultiDimIdentityMap(1);
  Value tx = ctx.tangent(getInput()), tScale = ctx.tangent(getScale());
  Value tOffset = ctx.tangent(getOffset());

  Value tMean, tVariance;
  if (tx) {
    Value zeroSum = ctx.zero(statType, getMean(), getLoc());
    Value zeroMoment = ctx.zero(statType, getMean(), getLoc());
    if (!zeroSum || !zeroMoment)
      return failure();
    ResultRange sums = buildMoments(b, getInput(), tx, getMean(),
                                    {zeroSum, zeroMoment});
    Value one = arith::ConstantOp::create(b, b.getFloatAttr(elementType, 1.0));
    Value inverseCount =
        arith::DivFOp::create(b, one, buildCount(b, getInput()));
    auto averages = linalg::GenericOp::create(
        b, TypeRange{statType, statType}, sums,
        ValueRange{buildEmptyLike(b, getMean()), buildEmptyLike(b, getMean())},
        SmallVector<AffineMap>(4, vector),
        ArrayRef<IteratorType>{IteratorType::parallel},
        [&](OpBuilder &builder, Location loc, ValueRange args) {
          ImplicitLocOpBuilder sb(loc, builder);
          Value two =
              arith::ConstantOp::create(sb, sb.getFloatAttr(elementType, 2.0));
          Value mean = arith::MulFOp::create(sb, args[0], inverseCount);
          Value moment = arith::MulFOp::create(sb, args[1], inverseCount);
          linalg::YieldOp::create(
              sb, ValueRange{mean, arith::MulFOp::create(sb, two, moment)});
        });
    tMean = averages.getResult(0);
    tVariance = averages.getResult(1);
    ctx.setTangent(getMean(), tMean);
    ctx.setTangent(getVariance(), tVariance);
  }

  SmallVector<Value> inputs{getScale(), getVariance()};
  for (Value tangent : {tMean, tVariance, tScale, tOffset})
    if (tangent)
      inputs.push_back(tangent);
  auto coefficients = linalg::GenericOp::create(
      b, SmallVector<Type>(3, statType), inputs,
      ValueRange{buildEmptyLike(b, getMean()), buildEmptyLike(b, getMean()),
                 buildEmptyLike(b, getMean())},
      SmallVector<AffineMap>(inputs.size() + 3, vector),
      ArrayRef<IteratorType>{IteratorType::parallel},
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        auto mul = [&](Value l, Value r) -> Value {
          return arith::MulFOp::create(sb, l, r);
        };
        auto constant = [&](double value) -> Value {
          return arith::ConstantOp::create(sb,
                                           sb.getFloatAttr(elementType, value));
        };
        unsigned next = 2;
        auto scalar = [&](Value tangent) {
          return tangent ? args[next++] : Value();
        };
        Value mean = scalar(tMean), variance = scalar(tVariance);
        Value scale = scalar(tScale), offset = scalar(tOffset);
        Value rstd = math::RsqrtOp::create(
            sb, arith::AddFOp::create(sb, args[1], constant(epsilon)));
        Value a = mul(args[0], rstd);
        Value c = scale ? mul(scale, rstd) : constant(0.0);
        Value e = offset ? offset : constant(0.0);
        if (tx) {
          Value spread =
              mul(mul(constant(0.5), a), mul(mul(rstd, rstd), variance));
          c = arith::SubFOp::create(sb, c, spread);
          e = arith::SubFOp::create(sb, e, mul(a, mean));
        }
        linalg::YieldOp::create(sb, ValueRange{a, c, e});
      });

  SmallVector<Value> reads{getInput(), getMean(), coefficients.getResult(1),
                           coefficients.getResult(2)};
  SmallVector<AffineMap> maps{identity, perChannel, perChannel, perChannel};
  if (tx) {
    reads.append({coefficients.getResult(0), tx});
    maps.append({perChannel, identity});
  }
  maps.push_back(identity);
  auto result = linalg::GenericOp::create(
      b, TypeRange{type}, reads, ValueRange{buildEmptyLike(b, getInput())},
      maps, SmallVector<IteratorType>(rank, IteratorType::parallel),
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        Value d = arith::SubFOp::create(sb, args[0], args[1]);
        Value sum = arith::AddFOp::create(
            sb, arith::MulFOp::create(sb, d, args[2]), args[3]);
        if (tx)
          sum = arith::AddFOp::create(
              sb, sum, arith::MulFOp::create(sb, args[4], args[5]));
        linalg::YieldOp::create(sb, sum);
      });
  ctx.setTangent(getResult(), result.getResult(0));
  return success();
}

//===----------------------------------------------------------------------===//
// SoftmaxCrossEntropyOp
//===----------------------------------------------------------------------===//

/// log_sum_exp. = sum(softmax(logits) logits.) and loss. = log_sum_exp. less
/// the tangent of the label's logit, in one pass.
LogicalResult SoftmaxCrossEntropyOp::buildJVP(TangentContext &ctx) {
  ImplicitLocOpBuilder b(getLoc(), ctx.getBuilder());
  Value tangent = ctx.tangent(getLogits());
  auto rowType = cast<RankedTensorType>(getLoss().getType());
  Type elementType = rowType.getElementType();
  AffineMap identity = b.getMultiDimIdentityMap(2);
  AffineMap row = AffineMap::get(2, 0, b.getAffineDimExpr(0));
  AffineMap vector = b.getMultiDimIdentityMap(1);
  auto sums = linalg::GenericOp::create(
      b, TypeRange{rowType, rowType},
      ValueRange{getLogits(), tangent, getLabels(), getLogSumExp()},
      ValueRange{ctx.zero(rowType, getLoss(), getLoc()),
                 ctx.zero(rowType, getLoss(), getLoc())},
      ArrayRef<AffineMap>{identity, identity, row, row, row, row},
      ArrayRef<IteratorType>{IteratorType::parallel, IteratorType::reduction},
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder sb(loc, builder);
        Value softmax = math::ExpOp::create(
            sb, arith::SubFOp::create(sb, args[0], args[3]));
        Value sum = arith::AddFOp::create(
            sb, args[4], arith::MulFOp::create(sb, softmax, args[1]));
        Value column = linalg::IndexOp::create(sb, 1);
        if (!args[2].getType().isIndex())
          column = arith::IndexCastOp::create(sb, args[2].getType(), column);
        Value hit = arith::CmpIOp::create(sb, arith::CmpIPredicate::eq, column,
                                          args[2]);
        Value zero = arith::ConstantOp::create(sb, sb.getZeroAttr(elementType));
        Value picked = arith::SelectOp::create(sb, hit, args[1], zero);
        linalg::YieldOp::create(
            sb, ValueRange{sum, arith::AddFOp::create(sb, args[5], picked)});
      });
  auto loss = linalg::GenericOp::create(
      b, TypeRange{rowType}, sums.getResults(),
      ValueRange{buildEmptyLike(b, getLoss())},
      ArrayRef<AffineMap>{vector, vector, vector},
      ArrayRef<IteratorType>{IteratorType::parallel},
      [](OpBuilder &builder, Location loc, ValueRange args) {
        Value difference =
            arith::SubFOp::create(builder, loc, args[0], args[1]);
        linalg::YieldOp::create(builder, loc, difference);
      });
  ctx.setTangent(getLoss(), loss.getResult(0));
  ctx.setTangent(getLogSumExp(), sums.getResult(0));
  return success();
}
