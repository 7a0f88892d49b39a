//===- RevDialect.cpp - The rev dialect -----------------------------------===//
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
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

#include "memrev/Dialect/Rev/IR/RevDialect.cpp.inc"
#include "memrev/Dialect/Rev/IR/RevEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "memrev/Dialect/Rev/IR/RevAttrs.cpp.inc"

void RevDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "memrev/Dialect/Rev/IR/RevOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "memrev/Dialect/Rev/IR/RevAttrs.cpp.inc"
      >();
}

/// Discardable attributes that mean something only on a function.
static LogicalResult verifyCustomRule(Operation *op, NamedAttribute attribute,
                                      bool hasRightKind, StringRef kind) {
  if (!isa<FunctionOpInterface>(op))
    return op->emitError("expects '")
           << attribute.getName().getValue() << "' on a function";
  if (!hasRightKind)
    return op->emitError("expects '")
           << attribute.getName().getValue() << "' to be " << kind
           << ", but got " << attribute.getValue();
  return success();
}

static LogicalResult verifyCheckpoint(Operation *op, NamedAttribute attribute) {
  if (!isa<scf::ForOp, scf::WhileOp>(op))
    return op->emitError("expects 'rev.checkpoint' on an scf.for or scf.while");
  if (!isa<PeriodicAttr, BinomialAttr>(attribute.getValue()))
    return op->emitError("expects 'rev.checkpoint' to be a #rev.periodic or "
                         "#rev.binomial, but got ")
           << attribute.getValue();
  return success();
}

/// A number that is at least `least`, or more than that.
static LogicalResult verifyNumber(Operation *op, NamedAttribute attribute,
                                  double least, bool isIncluded) {
  auto number = dyn_cast<FloatAttr>(attribute.getValue());
  if (number && number.getType().isF64()) {
    double value = number.getValueAsDouble();
    if (isIncluded ? value >= least : value > least)
      return success();
  }
  return op->emitError("expects '")
         << attribute.getName().getValue() << "' to be an f64 "
         << (isIncluded ? "of at least " : "above ") << int64_t(least)
         << ", but got " << attribute.getValue();
}

LogicalResult RevDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  if (attribute.getName() == kCustomVjpAttrName)
    return verifyCustomRule(op, attribute,
                            isa<CustomVjpAttr>(attribute.getValue()),
                            "a #rev.custom_vjp");
  if (attribute.getName() == kCustomJvpAttrName ||
      attribute.getName() == kInverseAttrName)
    return verifyCustomRule(op, attribute,
                            isa<FlatSymbolRefAttr>(attribute.getValue()),
                            "the name of a function");
  if (attribute.getName() == kCheckpointAttrName)
    return verifyCheckpoint(op, attribute);
  if (attribute.getName() == kDriftToleranceAttrName)
    return verifyNumber(op, attribute, 0, /*isIncluded=*/false);
  if (attribute.getName() == kCheckDriftAttrName &&
      !(isa<ModuleOp>(op) && isa<UnitAttr>(attribute.getValue())))
    return op->emitError("expects '")
           << kCheckDriftAttrName
           << "' to be a unit attribute of a module, but got "
           << attribute.getValue() << " on '" << op->getName() << "'";
  if (attribute.getName() == kGainAttrName)
    return verifyNumber(op, attribute, 1, /*isIncluded=*/true);
  return success();
}

/// Attributes of an argument or a result, which `what` says.
static LogicalResult verifyParameterAttribute(Operation *op, StringRef what,
                                              unsigned index,
                                              NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if ((name == kNameAttrName || name == kResidualAttrName) &&
      !isa<StringAttr>(attribute.getValue()))
    return op->emitError("expects '")
           << name << "' of " << what << " #" << index
           << " to be a string, but got " << attribute.getValue();
  return success();
}

LogicalResult RevDialect::verifyRegionArgAttribute(Operation *op,
                                                   unsigned /*regionIndex*/,
                                                   unsigned argIndex,
                                                   NamedAttribute attribute) {
  return verifyParameterAttribute(op, "argument", argIndex, attribute);
}

LogicalResult
RevDialect::verifyRegionResultAttribute(Operation *op, unsigned /*regionIndex*/,
                                        unsigned resultIndex,
                                        NamedAttribute attribute) {
  return verifyParameterAttribute(op, "result", resultIndex, attribute);
}

//===----------------------------------------------------------------------===//
// Checkpointing
//===----------------------------------------------------------------------===//

LogicalResult PeriodicAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t period) {
  if (period < 1)
    return emitError() << "expects a positive period, but got " << period;
  return success();
}

LogicalResult BinomialAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t slots) {
  if (slots < 1)
    return emitError() << "expects a positive number of slots, but got "
                       << slots;
  return success();
}

//===----------------------------------------------------------------------===//
// Differentiable types
//===----------------------------------------------------------------------===//

bool rev::isDifferentiable(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    type = tensor.getElementType();
  if (auto complex = dyn_cast<ComplexType>(type))
    type = complex.getElementType();
  return isa<FloatType>(type);
}

SmallVector<int64_t>
rev::getDifferentiated(std::optional<ArrayRef<int64_t>> indices,
                       TypeRange types) {
  if (indices)
    return SmallVector<int64_t>(*indices);
  SmallVector<int64_t> result;
  for (auto [i, type] : llvm::enumerate(types))
    if (isDifferentiable(type))
      result.push_back(i);
  return result;
}

//===----------------------------------------------------------------------===//
// AdditiveAttr
//===----------------------------------------------------------------------===//

unsigned AdditiveAttr::getNumParameters() const { return 1; }

Value AdditiveAttr::buildForward(OpBuilder &builder, Location loc, Value x,
                                 ValueRange parameters) const {
  return arith::AddFOp::create(builder, loc, x, parameters[0]);
}

Value AdditiveAttr::buildInverse(OpBuilder &builder, Location loc, Value y,
                                 ValueRange parameters) const {
  return arith::SubFOp::create(builder, loc, y, parameters[0]);
}

Value AdditiveAttr::buildLogDerivative(OpBuilder &, Location, Value,
                                       ValueRange) const {
  return {};
}

std::pair<Value, Value>
AdditiveAttr::buildTangent(OpBuilder &builder, Location loc, Value x,
                           ValueRange, ArrayRef<Value> tangents) const {
  Value one = arith::ConstantOp::create(builder, loc,
                                        builder.getFloatAttr(x.getType(), 1.0));
  return {one, tangents[0]};
}

//===----------------------------------------------------------------------===//
// AffineAttr
//===----------------------------------------------------------------------===//

LogicalResult AffineAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 Scale scale, FloatAttr alpha) {
  bool soft = scale == Scale::SoftTanh || scale == Scale::SoftAtan;
  if (soft && !alpha)
    return emitError() << "expects 'alpha' for the scale '"
                       << stringifyScale(scale) << "'";
  if (!soft && alpha)
    return emitError() << "expects no 'alpha' for the scale '"
                       << stringifyScale(scale) << "'";
  if (alpha && !(alpha.getValueAsDouble() > 0))
    return emitError() << "expects a positive 'alpha', but got "
                       << alpha.getValueAsDouble();
  return success();
}

unsigned AffineAttr::getNumParameters() const { return 2; }

static Value constant(OpBuilder &builder, Location loc, Type type,
                      double value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getFloatAttr(type, value));
}

/// Emits log s(a) for the scales that have one for every a.
static Value buildLogScale(OpBuilder &b, Location loc, AffineAttr kind,
                           Value a) {
  Type type = a.getType();
  double alpha = kind.getAlpha() ? kind.getAlpha().getValueAsDouble() : 1.0;
  switch (kind.getScale()) {
  case Scale::Exp:
    return a;
  case Scale::Sigmoid: {
    Value shifted = arith::AddFOp::create(b, loc, a, constant(b, loc, type, 2));
    // log s = -log1p(exp(-z)) = -((|z| - z) / 2 + log1p(exp(-|z|))): the second
    // form does not overflow, and has the right derivative at z = 0 too.
    Value magnitude = math::AbsFOp::create(b, loc, shifted);
    Value difference = arith::SubFOp::create(b, loc, magnitude, shifted);
    Value large =
        arith::MulFOp::create(b, loc, difference, constant(b, loc, type, 0.5));
    Value decay =
        math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, magnitude));
    Value softplus = arith::AddFOp::create(
        b, loc, large, math::Log1pOp::create(b, loc, decay));
    return arith::NegFOp::create(b, loc, softplus);
  }
  case Scale::SoftTanh: {
    Value scaled =
        arith::MulFOp::create(b, loc, a, constant(b, loc, type, 1 / alpha));
    Value squashed = math::TanhOp::create(b, loc, scaled);
    return arith::MulFOp::create(b, loc, squashed,
                                 constant(b, loc, type, alpha));
  }
  case Scale::SoftAtan: {
    Value squashed = math::AtanOp::create(b, loc, a);
    return arith::MulFOp::create(b, loc, squashed,
                                 constant(b, loc, type, 0.636 * alpha));
  }
  case Scale::Identity: {
    Value magnitude = math::AbsFOp::create(b, loc, a);
    return math::LogOp::create(b, loc, magnitude);
  }
  }
  llvm_unreachable("all scales are handled");
}

/// Emits s(a).
static Value buildScale(OpBuilder &b, Location loc, AffineAttr kind, Value a) {
  switch (kind.getScale()) {
  case Scale::Identity:
    return a;
  case Scale::Sigmoid: {
    Type type = a.getType();
    Value shifted = arith::AddFOp::create(b, loc, a, constant(b, loc, type, 2));
    Value one = constant(b, loc, type, 1);
    Value e =
        math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, shifted));
    return arith::DivFOp::create(b, loc, one,
                                 arith::AddFOp::create(b, loc, one, e));
  }
  case Scale::Exp:
  case Scale::SoftTanh:
  case Scale::SoftAtan:
    return math::ExpOp::create(b, loc, buildLogScale(b, loc, kind, a));
  }
  llvm_unreachable("all scales are handled");
}

Value AffineAttr::buildForward(OpBuilder &b, Location loc, Value x,
                               ValueRange parameters) const {
  Value s = buildScale(b, loc, *this, parameters[0]);
  Value scaled = arith::MulFOp::create(b, loc, x, s);
  return arith::AddFOp::create(b, loc, scaled, parameters[1]);
}

Value AffineAttr::buildInverse(OpBuilder &b, Location loc, Value y,
                               ValueRange parameters) const {
  // Dividing by the very s that the forward form multiplied by loses at most
  // the rounding of two operations; multiplying by exp(-a) would add that of
  // another exponential.
  Value s = buildScale(b, loc, *this, parameters[0]);
  Value shifted = arith::SubFOp::create(b, loc, y, parameters[1]);
  return arith::DivFOp::create(b, loc, shifted, s);
}

Value AffineAttr::buildLogDerivative(OpBuilder &b, Location loc, Value,
                                     ValueRange parameters) const {
  return buildLogScale(b, loc, *this, parameters[0]);
}

/// Emits d log s / d a, but for the scale a itself.
static Value buildLogScaleDerivative(OpBuilder &b, Location loc,
                                     AffineAttr kind, Value a, Value scale) {
  Type type = a.getType();
  Value one = constant(b, loc, type, 1.0);
  double alpha = kind.getAlpha() ? kind.getAlpha().getValueAsDouble() : 1.0;
  switch (kind.getScale()) {
  case Scale::Exp:
    return one;
  case Scale::Sigmoid:
    return arith::SubFOp::create(b, loc, one, scale);
  case Scale::SoftTanh: {
    Value squashed = math::TanhOp::create(
        b, loc,
        arith::MulFOp::create(b, loc, a, constant(b, loc, type, 1 / alpha)));
    return arith::SubFOp::create(
        b, loc, one, arith::MulFOp::create(b, loc, squashed, squashed));
  }
  case Scale::SoftAtan: {
    Value square = arith::MulFOp::create(b, loc, a, a);
    return arith::DivFOp::create(b, loc, constant(b, loc, type, 0.636 * alpha),
                                 arith::AddFOp::create(b, loc, one, square));
  }
  case Scale::Identity:
    break;
  }
  llvm_unreachable("the scale a has a derivative without a logarithm");
}

std::pair<Value, Value>
AffineAttr::buildTangent(OpBuilder &b, Location loc, Value x,
                         ValueRange parameters,
                         ArrayRef<Value> tangents) const {
  Value scale = buildScale(b, loc, *this, parameters[0]);
  Value shift = tangents[1];
  if (!tangents[0])
    return {scale, shift};
  Value change = tangents[0];
  if (getScale() != Scale::Identity) {
    Value rate = buildLogScaleDerivative(b, loc, *this, parameters[0], scale);
    change = arith::MulFOp::create(b, loc, change,
                                   arith::MulFOp::create(b, loc, rate, scale));
  }
  Value product = arith::MulFOp::create(b, loc, x, change);
  return {scale,
          shift ? arith::AddFOp::create(b, loc, product, shift) : product};
}
