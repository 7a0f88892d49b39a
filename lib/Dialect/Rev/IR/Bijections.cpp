//===- Bijections.cpp - The bijections of couplings -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

//===----------------------------------------------------------------------===//
// Syntax
//===----------------------------------------------------------------------===//

ParseResult rev::parseBijection(AsmParser &parser,
                                BijectionAttrInterface &kind) {
  Attribute attr;
  SMLoc loc = parser.getCurrentLocation();
  OptionalParseResult foreign = parser.parseOptionalAttribute(attr);
  if (foreign.has_value()) {
    if (failed(*foreign))
      return failure();
  } else {
    StringRef mnemonic;
    if (failed(parser.parseKeyword(&mnemonic)))
      return failure();
    if (mnemonic == AdditiveAttr::getMnemonic())
      attr = AdditiveAttr::parse(parser, {});
    else if (mnemonic == AffineAttr::getMnemonic())
      attr = AffineAttr::parse(parser, {});
    else if (mnemonic == InverseOfAttr::getMnemonic())
      attr = InverseOfAttr::parse(parser, {});
    else
      return parser.emitError(loc, "expects a bijection, but got '")
             << mnemonic << "'";
    if (!attr)
      return failure();
  }
  kind = dyn_cast<BijectionAttrInterface>(attr);
  if (!kind)
    return parser.emitError(loc, "expects a bijection, but got ") << attr;
  return success();
}

void rev::printBijection(AsmPrinter &printer, BijectionAttrInterface kind) {
  if (auto additive = dyn_cast<AdditiveAttr>(kind)) {
    printer << AdditiveAttr::getMnemonic();
    additive.print(printer);
    return;
  }
  if (auto affine = dyn_cast<AffineAttr>(kind)) {
    printer << AffineAttr::getMnemonic();
    affine.print(printer);
    return;
  }
  if (auto inverse = dyn_cast<InverseOfAttr>(kind)) {
    printer << InverseOfAttr::getMnemonic();
    inverse.print(printer);
    return;
  }
  printer << Attribute(kind);
}

//===----------------------------------------------------------------------===//
// AdditiveAttr
//===----------------------------------------------------------------------===//

bool AdditiveAttr::preservesVolume() const { return true; }

unsigned AdditiveAttr::getNumParameters() const { return 1; }

bool AdditiveAttr::isExact() const { return getFraction().has_value(); }

LogicalResult AdditiveAttr::verifyElementType(
    function_ref<InFlightDiagnostic()> emitError, FloatType type) const {
  return getFraction() ? verifyFraction(emitError, *getFraction(), type)
                       : success();
}

Value AdditiveAttr::buildForward(OpBuilder &b, Location loc, Value x,
                                 ValueRange parameters) const {
  Value t = parameters[0];
  if (!getFraction())
    return arith::AddFOp::create(b, loc, x, t);
  // The sum of what is too fine may round to what is not.
  x = FixedPointOp::create(b, loc, x, *getFraction(), /*checked=*/true);
  t = FixedPointOp::create(b, loc, t, *getFraction(), /*checked=*/false);
  Value sum = arith::AddFOp::create(b, loc, x, t);
  return FixedPointOp::create(b, loc, sum, *getFraction(), /*checked=*/true);
}

Value AdditiveAttr::buildInverse(OpBuilder &b, Location loc, Value y,
                                 ValueRange parameters) const {
  Value t = parameters[0];
  if (getFraction())
    t = FixedPointOp::create(b, loc, t, *getFraction(), /*checked=*/false);
  return arith::SubFOp::create(b, loc, y, t);
}

Value AdditiveAttr::buildLogDerivative(OpBuilder &, Location, Value,
                                       ValueRange) const {
  return {};
}

BijectionAttrInterface AdditiveAttr::getTangentKind() const {
  return get(getContext());
}

SmallVector<Value> AdditiveAttr::buildTangent(OpBuilder &, Location, Value,
                                              ValueRange,
                                              ArrayRef<Value> tangents) const {
  return {tangents[0]};
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

bool AffineAttr::preservesVolume() const { return false; }

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

BijectionAttrInterface AffineAttr::getTangentKind() const {
  return AffineAttr::get(getContext(), Scale::Identity, FloatAttr());
}

SmallVector<Value> AffineAttr::buildTangent(OpBuilder &b, Location loc, Value x,
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

//===----------------------------------------------------------------------===//
// InverseOfAttr
//===----------------------------------------------------------------------===//

BijectionAttrInterface InverseOfAttr::invert(BijectionAttrInterface kind) {
  if (auto inverse = dyn_cast<InverseOfAttr>(kind))
    return inverse.getKind();
  return InverseOfAttr::get(kind.getContext(), kind);
}

Attribute InverseOfAttr::parse(AsmParser &parser, Type) {
  BijectionAttrInterface kind;
  if (parser.parseLess() || parseBijection(parser, kind) ||
      parser.parseGreater())
    return {};
  return invert(kind);
}

void InverseOfAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printBijection(printer, getKind());
  printer << '>';
}

bool InverseOfAttr::isExact() const { return getKind().isExact(); }

LogicalResult InverseOfAttr::verifyElementType(
    function_ref<InFlightDiagnostic()> emitError, FloatType type) const {
  return getKind().verifyElementType(emitError, type);
}

bool InverseOfAttr::preservesVolume() const {
  return getKind().preservesVolume();
}

unsigned InverseOfAttr::getNumParameters() const {
  return getKind().getNumParameters();
}

Value InverseOfAttr::buildForward(OpBuilder &builder, Location loc, Value x,
                                  ValueRange parameters) const {
  return getKind().buildInverse(builder, loc, x, parameters);
}

Value InverseOfAttr::buildInverse(OpBuilder &builder, Location loc, Value y,
                                  ValueRange parameters) const {
  return getKind().buildForward(builder, loc, y, parameters);
}

Value InverseOfAttr::buildLogDerivative(OpBuilder &builder, Location loc,
                                        Value x, ValueRange parameters) const {
  Value y = buildForward(builder, loc, x, parameters);
  Value log = getKind().buildLogDerivative(builder, loc, y, parameters);
  return log ? arith::NegFOp::create(builder, loc, log) : Value();
}

BijectionAttrInterface InverseOfAttr::getTangentKind() const {
  return invert(getKind().getTangentKind());
}

SmallVector<Value> InverseOfAttr::buildTangent(OpBuilder &builder, Location loc,
                                               Value x, ValueRange parameters,
                                               ArrayRef<Value> tangents) const {
  // x = g(y; p): the tangent map of y is the inverse of that of g, at y.
  Value y = buildForward(builder, loc, x, parameters);
  return getKind().buildTangent(builder, loc, y, parameters, tangents);
}
