//===- ScalarRules.cpp - Rules of elementwise operations ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarRules.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// ScalarPoint
//===----------------------------------------------------------------------===//

/// The scalar `constant` in every element of the shape of `like`.
static Value splat(ImplicitLocOpBuilder &b, Value constant, Value like) {
  auto shaped = dyn_cast<RankedTensorType>(like.getType());
  if (!shaped)
    return constant;
  SmallVector<Value> dynamic;
  for (auto [i, size] : llvm::enumerate(shaped.getShape()))
    if (ShapedType::isDynamic(size))
      dynamic.push_back(tensor::DimOp::create(b, like, i));
  return tensor::SplatOp::create(b, constant, shaped.clone(constant.getType()),
                                 dynamic);
}

/// `scalar` in every element of the shape of `like`, a scalar or a tensor.
static Value splat(ImplicitLocOpBuilder &b, TypedAttr scalar, Value like) {
  auto shaped = dyn_cast<RankedTensorType>(like.getType());
  if (!shaped)
    return arith::ConstantOp::create(b, scalar);
  RankedTensorType type = shaped.clone(scalar.getType());
  if (type.hasStaticShape())
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, scalar));
  return splat(b, arith::ConstantOp::create(b, scalar), like);
}

/// The type of `like` with elements of type `elementType`.
static Type withElements(Type like, Type elementType) {
  auto shaped = dyn_cast<ShapedType>(like);
  return shaped ? Type(shaped.clone(elementType)) : elementType;
}

Value ScalarPoint::constant(double value) {
  Type elementType = getElementTypeOrSelf(dy.getType());
  if (auto complexType = dyn_cast<ComplexType>(elementType)) {
    Attribute real = builder.getFloatAttr(complexType.getElementType(), value);
    Attribute zero = builder.getZeroAttr(complexType.getElementType());
    return splat(builder,
                 complex::ConstantOp::create(
                     builder, complexType, builder.getArrayAttr({real, zero})),
                 dy);
  }
  return splat(builder,
               builder.getFloatAttr(getElementTypeOrSelf(dy.getType()), value),
               dy);
}

Value ScalarPoint::convert(Value value) {
  Type elementType = getElementTypeOrSelf(type);
  Type result = withElements(value.getType(), elementType);
  unsigned from = getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  unsigned to = elementType.getIntOrFloatBitWidth();
  if (to < from)
    return arith::TruncFOp::create(builder, result, value);
  return arith::ExtFOp::create(builder, result, value);
}

Value ScalarPoint::toFloat(Value value) {
  Type elementType = getElementTypeOrSelf(value.getType());
  if (elementType.isIndex())
    value = arith::IndexCastOp::create(
        builder, withElements(value.getType(), builder.getI64Type()), value);
  return arith::SIToFPOp::create(
      builder,
      withElements(value.getType(), getElementTypeOrSelf(dy.getType())), value);
}

Value ScalarPoint::lowerPower(Value n) {
  Type elementType = getElementTypeOrSelf(n.getType());
  unsigned width =
      elementType.isIndex() ? 64 : elementType.getIntOrFloatBitWidth();
  if (width < 32) {
    elementType = builder.getI32Type();
    n = arith::ExtSIOp::create(builder, withElements(n.getType(), elementType),
                               n);
  }
  auto integer = [&](const APInt &value) {
    return splat(builder, builder.getIntegerAttr(elementType, value), n);
  };
  width = std::max(width, 32u);
  Value zero = integer(APInt::getZero(width));
  Value lowest = integer(APInt::getSignedMinValue(width));
  Value isZero =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, n, zero);
  Value isLowest =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, n, lowest);
  Value stays = arith::OrIOp::create(builder, isZero, isLowest);
  Value less = arith::SubIOp::create(builder, n, integer(APInt(width, 1)));
  return arith::SelectOp::create(builder, stays, n, less);
}

Value ScalarPoint::product(Value product) {
  if (!hasStrongZero)
    return product;
  Value zero = constant(0.0);
  Value isZero =
      arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ, dy, zero);
  return arith::SelectOp::create(builder, isZero, zero, product);
}

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

/// The result of `op` if it may stand for the one operand that is
/// differentiated: a relu's result is positive where its operand is, and the
/// next operation mostly needs it anyway. A function's argument is there at no
/// cost.
static Value getStandIn(const ScalarRule &rule, Operation *op,
                        function_ref<bool(Value)> isActive) {
  if (!rule.selects || llvm::count_if(op->getOperands(), isActive) != 1)
    return {};
  auto argument =
      dyn_cast<BlockArgument>(*llvm::find_if(op->getOperands(), isActive));
  if (argument && isa<FunctionOpInterface>(argument.getOwner()->getParentOp()))
    return {};
  return op->getResult(0);
}

void memrev::getScalarResiduals(const ScalarRule &rule, Operation *op,
                                function_ref<bool(Value)> isActive,
                                SmallVectorImpl<Residual> &residuals) {
  for (unsigned partial = 0, e = op->getNumOperands() * op->getNumResults();
       partial < e; ++partial) {
    if (!isActive(op->getOperand(partial % op->getNumOperands())))
      continue;
    Reads reads = rule.reads(partial);
    for (unsigned i : reads.operands) {
      Value operand = op->getOperand(i);
      Value standIn = getStandIn(rule, op, isActive);
      if (standIn && isActive(operand))
        residuals.push_back(Residual({operand, standIn}, reads.precision));
      else
        residuals.push_back(Residual(operand, reads.precision));
    }
    for (unsigned i : reads.results)
      residuals.push_back(Residual(op->getResult(i), reads.precision));
  }
}

LogicalResult memrev::buildScalarVJP(const ScalarRule &rule, Operation *op,
                                     DerivativeContext &ctx) {
  unsigned numOperands = op->getNumOperands();
  for (OpResult result : op->getResults()) {
    Value cotangent = ctx.cotangent(result);
    if (!cotangent)
      continue;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!ctx.isActive(operand.get()))
        continue;
      unsigned partial =
          result.getResultNumber() * numOperands + operand.getOperandNumber();
      Reads reads = rule.reads(partial);
      auto isActive = [&](Value v) { return ctx.isActive(v); };
      Value standIn = getStandIn(rule, op, isActive);
      if (standIn && (!ctx.isAvailable(standIn) || ctx.isRounded(standIn)))
        standIn = {};
      auto primal = [&](Value v) {
        return ctx.primal(standIn && v == operand.get() ? standIn : v,
                          reads.precision);
      };
      // Ask first: a value that has to be made must not interrupt the formula.
      for (unsigned i : reads.operands)
        if (!primal(op->getOperand(i)))
          return failure();
      for (unsigned i : reads.results)
        if (!primal(op->getResult(i)))
          return failure();
      ScalarPoint point(ctx.getBuilder(), op, primal);
      point.dy = cotangent;
      point.type = operand.get().getType();
      point.hasStrongZero = ctx.hasStrongZero();
      point.isValueActive = isActive;
      if (Value contribution = rule.emit(point, partial))
        ctx.accumulate(operand.get(), contribution);
    }
  }
  return success();
}

LogicalResult memrev::buildScalarJVP(const ScalarRule &rule, Operation *op,
                                     TangentContext &ctx) {
  unsigned numOperands = op->getNumOperands();
  for (OpOperand &operand : op->getOpOperands()) {
    Value tangent = ctx.tangent(operand.get());
    if (!tangent)
      continue;
    for (OpResult result : op->getResults()) {
      unsigned partial =
          result.getResultNumber() * numOperands + operand.getOperandNumber();
      auto primal = [](Value v) { return v; };
      auto isActive = [&](Value v) { return ctx.isActive(v); };
      ScalarPoint point(ctx.getBuilder(), op, primal);
      point.dy = tangent;
      point.type = result.getType();
      point.hasStrongZero = ctx.hasStrongZero();
      point.isValueActive = isActive;
      if (Value contribution = rule.emit(point, partial))
        ctx.addTangent(result, contribution);
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Inverses
//===----------------------------------------------------------------------===//

bool memrev::mayReassociate(Operation *op) {
  auto flagged = dyn_cast<arith::ArithFastMathInterface>(op);
  if (!flagged)
    return false;
  arith::FastMathFlagsAttr flags = flagged.getFastMathFlagsAttr();
  return flags &&
         bitEnumContainsAny(flags.getValue(), arith::FastMathFlags::reassoc);
}

namespace {
/// An inverse that `op` has in one of its operands.
struct Solvable {
  unsigned operand;
  Reads reads;
  InverseEdge edge;
};
} // namespace

/// The gain of an inverse of `op`, 0 if it has no bound. Nothing if the operand
/// that must not be zero may be.
static std::optional<double> getGain(const InverseQuality &quality,
                                     Operation *op) {
  if (!quality.gain)
    return quality.kind == InverseKind::Exact ? 1 : 0;
  std::optional<Magnitude> other =
      getNonZeroMagnitude(op->getOperand(quality.other));
  if (!other)
    return std::nullopt;
  double gain = quality.gain(*other);
  return std::isfinite(gain) ? gain : 0;
}

static SmallVector<Solvable> getSolvable(const ScalarInverse &inverse,
                                         Operation *op) {
  SmallVector<Solvable> all;
  if (mayReassociate(op))
    return all;
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    InverseQuality quality = inverse.quality(number);
    Solvable one{
        number, inverse.reads(number), {{operand.get()}, {}, quality.kind}};
    if (one.reads.results.empty())
      continue;
    for (unsigned i : one.reads.results)
      one.edge.from.push_back(op->getResult(i));
    for (unsigned i : one.reads.operands)
      one.edge.from.push_back(op->getOperand(i));
    // x + x gives x back too, but by another formula.
    if (llvm::is_contained(one.edge.from, operand.get()))
      continue;
    std::optional<double> gain = getGain(quality, op);
    if (!gain)
      continue;
    one.edge.gain = *gain;
    // What is exact is a sum, a difference, a negation or an extension.
    one.edge.determinant = quality.kind == InverseKind::Exact
                               ? Determinant::One
                               : Determinant::Diagonal;
    all.push_back(std::move(one));
  }
  return all;
}

SmallVector<InverseEdge>
memrev::getScalarInverseEdges(const ScalarInverse &inverse, Operation *op) {
  SmallVector<InverseEdge> edges;
  for (Solvable &one : getSolvable(inverse, op))
    edges.push_back(std::move(one.edge));
  return edges;
}

LogicalResult memrev::buildScalarInverse(const ScalarInverse &inverse,
                                         Operation *op, DerivativeContext &ctx,
                                         unsigned edge) {
  Solvable solvable = getSolvable(inverse, op)[edge];
  for (Value value : solvable.edge.from)
    if (!ctx.primal(value))
      return failure();
  auto primal = [&](Value v) { return ctx.primal(v); };
  ScalarPoint point(ctx.getBuilder(), op, primal);
  // Constants are of the result's type.
  point.dy = ctx.primal(op->getResult(0));
  point.type = op->getOperand(solvable.operand).getType();
  ctx.provide(op->getOperand(solvable.operand),
              inverse.solve(point, solvable.operand), Precision::Rounded);
  return success();
}
