//===- FixedPointOp.cpp - rev.fixed_point ---------------------------------===//
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
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

LogicalResult rev::verifyFraction(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t fraction, FloatType type) {
  int64_t precision = type.getFPMantissaWidth();
  if (fraction < 0 || fraction >= precision)
    return emitError() << "expects a fraction of 0 to " << precision - 1
                       << " bits for " << type << ", but got " << fraction;
  return success();
}

LogicalResult FixedPointOp::verify() {
  // fixed_point_c2
  auto type = cast<FloatType>(getElementTypeOrSelf(getInput().getType()));
  return verifyFraction([&] { return emitOpError(); }, getFraction(), type);
}

/// `value` as a multiple of 2^-fraction.
static Value buildScalar(OpBuilder &b, Location loc, Value value,
                         int64_t fraction, bool isChecked) {
  auto type = cast<FloatType>(value.getType());
  auto constant = [&](double number) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, number));
  };
  // Powers of two scale without rounding, but for infinity: that is beyond the
  // bound, too.
  Value scaled = arith::MulFOp::create(b, loc, value,
                                       constant(std::ldexp(1.0, fraction)));
  Value whole = math::RoundEvenOp::create(b, loc, scaled);
  double bound = std::ldexp(1.0, type.getFPMantissaWidth());
  Value isRight = arith::CmpFOp::create(
      b, loc, arith::CmpFPredicate::OLE, math::AbsFOp::create(b, loc, whole),
      constant(bound));
  if (isChecked) {
    Value isWhole = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ,
                                          scaled, whole);
    isRight = arith::AndIOp::create(b, loc, isRight, isWhole);
  } else {
    value = arith::MulFOp::create(b, loc, whole,
                                  constant(std::ldexp(1.0, -fraction)));
  }
  Value nan = arith::ConstantOp::create(
      b, loc,
      FloatAttr::get(type, APFloat::getQNaN(type.getFloatSemantics())));
  return arith::SelectOp::create(b, loc, isRight, value, nan);
}

SmallVector<Value> FixedPointOp::decompose(RewriterBase &rewriter) {
  Location loc = getLoc();
  int64_t fraction = getFraction();
  bool isChecked = getChecked();
  auto type = dyn_cast<RankedTensorType>(getInput().getType());
  if (!type)
    return {buildScalar(rewriter, loc, getInput(), fraction, isChecked)};
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, getInput()),
      type.getElementType());
  AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> parallel(type.getRank(),
                                            utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      rewriter, loc, type, getInput(), empty,
      ArrayRef<AffineMap>{identity, identity}, parallel,
      [&](OpBuilder &b, Location, ValueRange args) {
        linalg::YieldOp::create(
            b, loc, buildScalar(b, loc, args[0], fraction, isChecked));
      });
  return {generic.getResult(0)};
}

LogicalResult FixedPointOp::buildVJP(DerivativeContext &ctx) {
  ctx.accumulate(getInput(), ctx.cotangent(getResult()));
  return success();
}

LogicalResult FixedPointOp::buildJVP(TangentContext &ctx) {
  ctx.setTangent(getResult(), ctx.tangentOrZero(getInput()));
  return success();
}

SmallVector<InverseEdge> FixedPointOp::getInverseEdges() {
  if (!getChecked())
    return {};
  return {{{getInput()}, {getResult()}}};
}

LogicalResult FixedPointOp::buildInverse(DerivativeContext &ctx, unsigned) {
  Value result = ctx.primal(getResult());
  if (!result)
    return failure();
  ctx.provide(getInput(), createAlias(ctx.getBuilder(), getLoc(), result),
              Precision::Rounded);
  return success();
}
