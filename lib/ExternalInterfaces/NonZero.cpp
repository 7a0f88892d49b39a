//===- NonZero.cpp - Which values are never zero --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows a value to what it is computed from: constants, exponentials, sums of
// what is positive. Elements that are moved keep what is known of them. Of a
// complex value the bounds are those of its absolute value.
//
//===----------------------------------------------------------------------===//

#include "NonZero.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"
#include <algorithm>
#include <cmath>
#include <complex>

using namespace mlir;
using namespace mlir::memrev;

/// Values are followed through this many operations.
static constexpr unsigned kMaxDepth = 16;

/// Zeros are filled in or moved, not computed.
static constexpr unsigned kMaxDepthOfZero = 4;

namespace {

/// What is known of the elements of a value: bounds of them.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  /// None is zero, even if the bounds do not say so.
  bool isNonZero = false;
  /// The least absolute value.
  double least = 0;

  static Bounds between(double low, double high, bool isNonZero = false) {
    Bounds bounds{low, high, isNonZero};
    if (low > 0 || high < 0) {
      bounds.isNonZero = true;
      bounds.least = std::min(std::abs(low), std::abs(high));
    }
    return bounds;
  }
};

} // namespace

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

static Bounds getBoundsOfNumber(const APFloat &number) {
  double value = number.convertToDouble();
  return std::isfinite(value) ? Bounds::between(value, value) : Bounds();
}

/// Of the absolute value of a complex number.
static Bounds getBoundsOfNumber(const std::complex<APFloat> &number) {
  double value = std::hypot(number.real().convertToDouble(),
                            number.imag().convertToDouble());
  return std::isfinite(value) ? Bounds::between(value, value) : Bounds();
}

/// Of all numbers in `dense`, which are of type `T`.
template <typename T>
static Bounds getBoundsOfNumbers(DenseElementsAttr dense) {
  if (dense.isSplat())
    return getBoundsOfNumber(dense.getSplatValue<T>());
  Bounds all{kInfinity, -kInfinity, /*isNonZero=*/true, kInfinity};
  for (const T &number : dense.getValues<T>()) {
    Bounds one = getBoundsOfNumber(number);
    all.low = std::min(all.low, one.low);
    all.high = std::max(all.high, one.high);
    all.isNonZero &= one.isNonZero;
    all.least = std::min(all.least, one.least);
  }
  return all;
}

static Bounds getConstantBounds(Attribute attribute) {
  if (auto number = dyn_cast<FloatAttr>(attribute))
    return getBoundsOfNumber(number.getValue());
  auto dense = dyn_cast<DenseElementsAttr>(attribute);
  if (!dense || dense.empty())
    return {};
  if (isa<FloatType>(dense.getElementType()))
    return getBoundsOfNumbers<APFloat>(dense);
  auto complexType = dyn_cast<ComplexType>(dense.getElementType());
  if (complexType && isa<FloatType>(complexType.getElementType()))
    return getBoundsOfNumbers<std::complex<APFloat>>(dense);
  return {};
}

/// The product of two numbers of which one may be a bound that is not there.
static double multiply(double a, double b) {
  return a == 0 || b == 0 ? 0 : a * b;
}

static Bounds multiply(const Bounds &a, const Bounds &b) {
  double corners[] = {multiply(a.low, b.low), multiply(a.low, b.high),
                      multiply(a.high, b.low), multiply(a.high, b.high)};
  Bounds product = Bounds::between(*std::min_element(corners, corners + 4),
                                   *std::max_element(corners, corners + 4),
                                   a.isNonZero && b.isNonZero);
  product.least = multiply(a.least, b.least);
  return product;
}

/// 1 / `bounds`, where that is not zero.
static Bounds invert(const Bounds &bounds) {
  if (!bounds.isNonZero)
    return {};
  Bounds inverse;
  if (bounds.low >= 0)
    inverse = Bounds::between(1 / bounds.high, 1 / bounds.least);
  else if (bounds.high <= 0)
    inverse = Bounds::between(-1 / bounds.least, 1 / bounds.low);
  inverse.isNonZero = true;
  inverse.least = 1 / std::max(std::abs(bounds.low), std::abs(bounds.high));
  return inverse;
}

/// The greatest absolute value.
static double getMost(const Bounds &bounds) {
  return std::max(std::abs(bounds.low), std::abs(bounds.high));
}

static Bounds getBounds(Value value, unsigned depth);

/// The bounds of the real part of the complex value `value`.
static Bounds getRealBounds(Value value, unsigned depth) {
  if (auto create = value.getDefiningOp<complex::CreateOp>())
    return getBounds(create.getReal(), depth);
  if (auto constant = value.getDefiningOp<complex::ConstantOp>())
    return getBoundsOfNumber(
        cast<FloatAttr>(constant.getValue()[0]).getValue());
  return {};
}

/// The bounds of the absolute value of what `op` computes, a complex number.
static Bounds getComplexBounds(Operation *op, unsigned depth) {
  auto of = [&](unsigned i) { return getBounds(op->getOperand(i), depth); };
  // The absolute value of two parts.
  auto join = [](const Bounds &re, const Bounds &im) {
    return Bounds::between(std::hypot(re.least, im.least),
                           std::hypot(getMost(re), getMost(im)),
                           re.isNonZero || im.isNonZero);
  };
  return llvm::TypeSwitch<Operation *, Bounds>(op)
      .Case([&](complex::ConstantOp constant) {
        auto part = [&](unsigned i) {
          return getBoundsOfNumber(
              cast<FloatAttr>(constant.getValue()[i]).getValue());
        };
        return join(part(0), part(1));
      })
      .Case([&](complex::CreateOp) { return join(of(0), of(1)); })
      .Case<complex::NegOp, complex::ConjOp>([&](Operation *) { return of(0); })
      .Case([&](complex::MulOp) { return multiply(of(0), of(1)); })
      .Case([&](complex::DivOp) { return multiply(of(0), invert(of(1))); })
      .Case([&](complex::ExpOp exp) {
        Bounds re = getRealBounds(exp.getComplex(), depth);
        return Bounds::between(std::exp(re.low), std::exp(re.high),
                               /*isNonZero=*/true);
      })
      .Default([](Operation *) { return Bounds(); });
}

/// Follows an element of a linalg operation to its operand.
static Bounds getArgumentBounds(BlockArgument argument, unsigned depth) {
  auto op =
      dyn_cast_if_present<linalg::LinalgOp>(argument.getOwner()->getParentOp());
  if (!op || !op.hasPureTensorSemantics())
    return {};
  OpOperand *operand = op.getMatchingOpOperand(argument);
  // What a reduction has folded so far is not what it started from.
  if (op.isDpsInit(operand) && op.getNumReductionLoops() != 0)
    return {};
  return getBounds(operand->get(), depth);
}

static Bounds getBounds(Value value, unsigned depth) {
  if (depth == 0 ||
      !isa<FloatType, ComplexType>(getElementTypeOrSelf(value.getType())))
    return {};
  --depth;
  if (auto argument = dyn_cast<BlockArgument>(value))
    return getArgumentBounds(argument, depth);
  Operation *op = value.getDefiningOp();
  auto of = [&](unsigned i) { return getBounds(op->getOperand(i), depth); };
  if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
    if (structured.getNumReductionLoops() != 0 ||
        !structured.hasPureTensorSemantics() ||
        !structured.getIndexingMapMatchingResult(cast<OpResult>(value))
             .isPermutation())
      return {};
    return getBounds(structured.getBlock()->getTerminator()->getOperand(
                         cast<OpResult>(value).getResultNumber()),
                     depth);
  }
  if (isa<complex::ComplexDialect>(op->getDialect()) &&
      isa<ComplexType>(value.getType()))
    return getComplexBounds(op, depth);
  return llvm::TypeSwitch<Operation *, Bounds>(op)
      .Case([&](arith::ConstantOp constant) {
        return getConstantBounds(constant.getValue());
      })
      .Case<tensor::SplatOp, tensor::CastOp, tensor::CollapseShapeOp,
            tensor::ExpandShapeOp, tensor::ExtractSliceOp, tensor::ExtractOp,
            arith::ExtFOp>([&](Operation *) { return of(0); })
      .Case([&](arith::NegFOp) {
        Bounds a = of(0);
        return Bounds{-a.high, -a.low, a.isNonZero, a.least};
      })
      .Case([&](arith::AddFOp) {
        Bounds a = of(0), b = of(1);
        return Bounds::between(a.low + b.low, a.high + b.high,
                               (a.low >= 0 && b.low >= 0) &&
                                   (a.isNonZero || b.isNonZero));
      })
      .Case([&](arith::SubFOp) {
        Bounds a = of(0), b = of(1);
        return Bounds::between(a.low - b.high, a.high - b.low);
      })
      .Case([&](arith::MulFOp) {
        if (op->getOperand(0) != op->getOperand(1))
          return multiply(of(0), of(1));
        Bounds a = of(0);
        double most = getMost(a);
        Bounds square =
            Bounds::between(a.least * a.least, most * most, a.isNonZero);
        return square;
      })
      .Case([&](arith::DivFOp) { return multiply(of(0), invert(of(1))); })
      .Case([&](arith::SelectOp) {
        Bounds a = of(1), b = of(2);
        return Bounds{std::min(a.low, b.low), std::max(a.high, b.high),
                      a.isNonZero && b.isNonZero, std::min(a.least, b.least)};
      })
      .Case([&](arith::MaximumFOp) {
        Bounds a = of(0), b = of(1);
        return Bounds::between(std::max(a.low, b.low),
                               std::max(a.high, b.high));
      })
      .Case([&](arith::MinimumFOp) {
        Bounds a = of(0), b = of(1);
        return Bounds::between(std::min(a.low, b.low),
                               std::min(a.high, b.high));
      })
      .Case([&](math::ExpOp) {
        Bounds a = of(0);
        return Bounds::between(std::exp(a.low), std::exp(a.high),
                               /*isNonZero=*/true);
      })
      .Case([&](math::Exp2Op) {
        Bounds a = of(0);
        return Bounds::between(std::exp2(a.low), std::exp2(a.high),
                               /*isNonZero=*/true);
      })
      .Case([&](math::CoshOp) { return Bounds::between(1, kInfinity); })
      .Case([&](math::AbsFOp) {
        Bounds a = of(0);
        return Bounds::between(a.least, getMost(a), a.isNonZero);
      })
      .Case([&](complex::AbsOp) {
        Bounds a = of(0);
        return Bounds::between(std::max(a.low, 0.0), a.high, a.isNonZero);
      })
      .Case<math::TanhOp, math::SinOp, math::CosOp, math::ErfOp>(
          [&](Operation *) { return Bounds::between(-1, 1); })
      .Case([&](math::AtanOp) { return Bounds::between(-M_PI_2, M_PI_2); })
      .Case([&](math::SqrtOp) {
        Bounds a = of(0);
        return Bounds::between(std::sqrt(std::max(a.low, 0.0)),
                               std::sqrt(std::max(a.high, 0.0)), a.isNonZero);
      })
      .Default([](Operation *) { return Bounds(); });
}

std::optional<Magnitude> memrev::getNonZeroMagnitude(Value value) {
  Bounds bounds = getBounds(value, kMaxDepth);
  if (!bounds.isNonZero)
    return std::nullopt;
  return Magnitude{bounds.least, getMost(bounds)};
}

std::optional<Magnitude> memrev::getPositiveMagnitude(Value value) {
  Bounds bounds = getBounds(value, kMaxDepth);
  if (!bounds.isNonZero || bounds.low < 0)
    return std::nullopt;
  return Magnitude{bounds.least, bounds.high};
}

bool memrev::isKnownZero(Value value) {
  Bounds bounds = getBounds(value, kMaxDepthOfZero);
  return bounds.low == 0 && bounds.high == 0;
}
