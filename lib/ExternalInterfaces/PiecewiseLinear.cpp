//===- PiecewiseLinear.cpp - Inverses of leaky rectifiers -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function that is p x where x is positive and n x elsewhere, with positive
// slopes p and n, keeps the sign and is undone by y / p and y / n: leaky and
// parametric rectifiers. Programs write it as several operations, of which the
// last one has the inverse:
//
//   select(x > 0, p x, n x)   maximum(p x, n x), p >= n   minimum(p x, n x),
//                                                         p <= n
//
// where a slope may be one, and no operation.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "NonZero.h"
#include "ScalarRules.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectRegistry.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <utility>

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// A multiple of a value: the product with a factor, or the quotient by it.
struct Multiple {
  /// Null if it is the value itself.
  Operation *op = nullptr;
  Value factor;
  /// Bounds of the slope, which is positive.
  double least = 1, greatest = 1;
};

/// The values of an operation that make it piecewise linear.
struct PiecewiseLinear {
  Value input;
  Multiple positive, negative;
  /// What compares the input with zero, if that is an operation.
  arith::CmpFOp sign;
};

} // namespace

//===----------------------------------------------------------------------===//
// Recognition
//===----------------------------------------------------------------------===//

/// `value` as a positive multiple of `input`, if it is one.
static std::optional<Multiple> getMultiple(Value value, Value input) {
  if (value == input)
    return Multiple();
  Operation *op = value.getDefiningOp();
  if (!isa_and_present<arith::MulFOp, arith::DivFOp>(op) || mayReassociate(op))
    return std::nullopt;
  Value factor = op->getOperand(1);
  if (isa<arith::MulFOp>(op) && factor == input)
    factor = op->getOperand(0);
  else if (op->getOperand(0) != input)
    return std::nullopt;
  std::optional<Magnitude> size = getPositiveMagnitude(factor);
  if (factor == input || !size)
    return std::nullopt;
  if (isa<arith::DivFOp>(op))
    return Multiple{op, factor, 1 / size->greatest, 1 / size->least};
  return Multiple{op, factor, size->least, size->greatest};
}

/// Both values as multiples of the same: of one of them, or of an operand of
/// both.
static std::optional<PiecewiseLinear> getMultiples(Value positive,
                                                   Value negative) {
  auto tryInput = [&](Value input) -> std::optional<PiecewiseLinear> {
    std::optional<Multiple> first = getMultiple(positive, input);
    std::optional<Multiple> second = getMultiple(negative, input);
    if (!first || !second)
      return std::nullopt;
    return PiecewiseLinear{input, *first, *second, {}};
  };
  for (Value input : {positive, negative})
    if (auto found = tryInput(input))
      return found;
  if (Operation *op = positive.getDefiningOp())
    for (Value input : op->getOperands())
      if (auto found = tryInput(input))
        return found;
  return std::nullopt;
}

/// The comparison of `select` as one of a value with zero, and whether it is
/// true where the value is positive. What it says of zero does not matter.
static std::optional<std::pair<Value, bool>> getSignTest(arith::CmpFOp test) {
  using P = arith::CmpFPredicate;
  bool isGreater;
  switch (test.getPredicate()) {
  case P::OGT:
  case P::OGE:
  case P::UGT:
  case P::UGE:
    isGreater = true;
    break;
  case P::OLT:
  case P::OLE:
  case P::ULT:
  case P::ULE:
    isGreater = false;
    break;
  default:
    return std::nullopt;
  }
  if (isKnownZero(test.getRhs()))
    return std::pair(test.getLhs(), isGreater);
  if (isKnownZero(test.getLhs()))
    return std::pair(test.getRhs(), !isGreater);
  return std::nullopt;
}

static std::optional<PiecewiseLinear> getPiecewiseLinear(arith::SelectOp op) {
  auto test = op.getCondition().getDefiningOp<arith::CmpFOp>();
  auto sign = test ? getSignTest(test) : std::nullopt;
  if (!sign)
    return std::nullopt;
  Value positive = op.getTrueValue(), negative = op.getFalseValue();
  if (!sign->second)
    std::swap(positive, negative);
  std::optional<Multiple> first = getMultiple(positive, sign->first);
  std::optional<Multiple> second = getMultiple(negative, sign->first);
  if (!first || !second)
    return std::nullopt;
  return PiecewiseLinear{sign->first, *first, *second, test};
}

/// Of a maximum, or a minimum, of two multiples.
static std::optional<PiecewiseLinear> getPiecewiseLinear(Operation *op,
                                                         bool isMaximum) {
  if (mayReassociate(op))
    return std::nullopt;
  auto found = getMultiples(op->getOperand(0), op->getOperand(1));
  if (!found)
    return std::nullopt;
  // Which of them it is has to be known of all elements.
  if (found->positive.least < found->negative.greatest)
    std::swap(found->positive, found->negative);
  if (found->positive.least < found->negative.greatest)
    return std::nullopt;
  if (!isMaximum)
    std::swap(found->positive, found->negative);
  return found;
}

static std::optional<PiecewiseLinear> getPiecewiseLinear(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<PiecewiseLinear>>(op)
      .Case([](arith::SelectOp select) { return getPiecewiseLinear(select); })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([](Operation *maximum) {
        return getPiecewiseLinear(maximum, /*isMaximum=*/true);
      })
      .Case<arith::MinimumFOp, arith::MinNumFOp>([](Operation *minimum) {
        return getPiecewiseLinear(minimum, /*isMaximum=*/false);
      })
      .Default([](Operation *) { return std::nullopt; });
}

//===----------------------------------------------------------------------===//
// Inverse
//===----------------------------------------------------------------------===//

/// Emits what `multiple` is a multiple of.
static Value buildUndone(OpBuilder &b, Location loc, const Multiple &multiple,
                         Value now, DerivativeContext &ctx) {
  if (!multiple.op)
    return now;
  Value factor = ctx.primal(multiple.factor);
  if (isa<arith::DivFOp>(multiple.op))
    return arith::MulFOp::create(b, loc, now, factor);
  return arith::DivFOp::create(b, loc, now, factor);
}

namespace {

template <typename OpTy>
struct PiecewiseLinearInverse
    : InvertibleOpInterface::ExternalModel<PiecewiseLinearInverse<OpTy>, OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    std::optional<PiecewiseLinear> found = getPiecewiseLinear(op);
    // The derivative of a value by itself is for others.
    if (!found || (!found->positive.op && !found->negative.op))
      return {};
    InverseEdge edge{{found->input}, {op->getResult(0)}};
    edge.kind = InverseKind::Conditioned;
    double gain = 1 / std::min(found->positive.least, found->negative.least);
    edge.gain = std::isfinite(gain) ? gain : 0;
    edge.determinant = Determinant::Diagonal;
    for (const Multiple &multiple : {found->positive, found->negative})
      if (multiple.op && !llvm::is_contained(edge.through, multiple.op)) {
        edge.from.push_back(multiple.factor);
        edge.through.push_back(multiple.op);
      }
    if (found->sign)
      edge.through.push_back(found->sign);
    return {edge};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    PiecewiseLinear found = *getPiecewiseLinear(op);
    // Ask first: a value that has to be made must not interrupt the formula.
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    for (const Multiple &multiple : {found.positive, found.negative})
      if (multiple.op && !ctx.primal(multiple.factor))
        return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    ScalarPoint point(b, op, [&](Value v) { return ctx.primal(v); });
    point.dy = result;
    Value isPositive = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                             result, point.constant(0.0));
    Value positive = buildUndone(b, loc, found.positive, result, ctx);
    Value negative = buildUndone(b, loc, found.negative, result, ctx);
    ctx.provide(found.input,
                arith::SelectOp::create(b, loc, isPositive, positive, negative),
                Precision::Rounded);
    return success();
  }
};

} // namespace

void memrev::registerPiecewiseLinearModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, arith::ArithDialect *) {
    using namespace arith;
    SelectOp::attachInterface<PiecewiseLinearInverse<SelectOp>>(*c);
    MaximumFOp::attachInterface<PiecewiseLinearInverse<MaximumFOp>>(*c);
    MaxNumFOp::attachInterface<PiecewiseLinearInverse<MaxNumFOp>>(*c);
    MinimumFOp::attachInterface<PiecewiseLinearInverse<MinimumFOp>>(*c);
    MinNumFOp::attachInterface<PiecewiseLinearInverse<MinNumFOp>>(*c);
  });
}
