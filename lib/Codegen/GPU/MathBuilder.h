//===- MathBuilder.h - Arithmetic in short notation -------------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_MATHBUILDER_H
#define MEMREV_LIB_CODEGEN_GPU_MATHBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include <limits>

namespace mlir::memrev {

using Predicate = arith::CmpFPredicate;
using IntPredicate = arith::CmpIPredicate;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLog2E = 0x1.71547652b82fep+0;

/// A number as the sum of two of the type, the second of which is at most half
/// a unit in the last place of the first, or no more than a few.
struct DoubleWord {
  Value high, low;
};

/// A number times a power of two.
struct Scaled {
  Value significand, exponent;
};

/// Emits arithmetic on floats of one type, f32 or f64, and on integers of the
/// same width, in short notation.
class MathBuilder {
public:
  MathBuilder(Location loc, OpBuilder &builder, Type type)
      : b(loc, builder), type(type),
        intType(b.getIntegerType(type.getIntOrFloatBitWidth())) {}

  ImplicitLocOpBuilder &builder() { return b; }
  Type floatType() const { return type; }
  Type integerType() const { return intType; }
  bool isF64() const { return type.isF64(); }
  /// Returns the value for the type of the two.
  template <typename T>
  T choose(T forF64, T forF32) const {
    return isF64() ? forF64 : forF32;
  }

  Value f(double value) {
    return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
  }
  Value i(int64_t value) {
    return arith::ConstantOp::create(b, b.getIntegerAttr(intType, value));
  }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value neg(Value x) { return arith::NegFOp::create(b, x); }
  Value fma(Value x, Value y, Value z) {
    return math::FmaOp::create(b, x, y, z);
  }
  Value sqrt(Value x) { return math::SqrtOp::create(b, x); }
  Value abs(Value x) { return math::AbsFOp::create(b, x); }
  Value round(Value x) { return math::RoundEvenOp::create(b, x); }
  Value copySign(Value x, Value sign) {
    return math::CopySignOp::create(b, x, sign);
  }
  Value is(Predicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, predicate, x, y);
  }
  Value addi(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value subi(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value muli(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  Value andi(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value ori(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value xori(Value x, Value y) { return arith::XOrIOp::create(b, x, y); }
  Value shl(Value x, Value n) { return arith::ShLIOp::create(b, x, n); }
  Value shl(Value x, int64_t n) { return shl(x, i(n)); }
  Value shrSigned(Value x, int64_t n) {
    return arith::ShRSIOp::create(b, x, i(n));
  }
  Value shr(Value x, Value n) { return arith::ShRUIOp::create(b, x, n); }
  Value shr(Value x, int64_t n) { return shr(x, i(n)); }
  Value is(IntPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(b, predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  Value bits(Value x) { return arith::BitcastOp::create(b, intType, x); }
  Value fromBits(Value x) { return arith::BitcastOp::create(b, type, x); }
  Value toFloat(Value x) { return arith::SIToFPOp::create(b, type, x); }
  Value unsignedToFloat(Value x) { return arith::UIToFPOp::create(b, type, x); }

  /// The smaller of `x` and the bound, or the larger; NaN stays.
  Value atMost(Value x, double bound) {
    return select(is(Predicate::OGT, x, f(bound)), f(bound), x);
  }
  Value atLeast(Value x, double bound) {
    return select(is(Predicate::OLT, x, f(bound)), f(bound), x);
  }

  /// The bits of a significand after the point.
  int64_t significandBits() const { return isF64() ? 52 : 23; }
  int64_t exponentBias() const { return isF64() ? 1023 : 127; }
  double smallestNormal() const { return isF64() ? 0x1p-1022 : 0x1p-126; }

  /// 2^k as a float, for k of normal numbers.
  Value powerOfTwo(Value k) {
    return fromBits(shl(addi(k, i(exponentBias())), significandBits()));
  }
  /// The value of `x`, rounded once; right for exponents up to twice those of
  /// normal numbers.
  Value scale(Scaled x);
  /// x * factor, rounded to an integer, as a float and as an integer. It has to
  /// be below 2^50 in f64, and below 2^21 in f32; otherwise, the integer is
  /// any, but not poison.
  std::pair<Value, Value> roundProduct(Value x, double factor);

  /// Evaluates a polynomial of `x` with the coefficients for the type, the
  /// constant one first.
  Value polynomial(Value x, ArrayRef<double> forF64, ArrayRef<double> forF32);

  // Double-word arithmetic after T. Dekker, "A floating-point technique for
  // extending the available precision", Numerische Mathematik 18, 1971, with
  // products by fused multiplication and addition.

  /// The constant high + low.
  DoubleWord constant(double high, double low);
  /// The exact sum of `x` and `y`, of which `x` is the larger one or zero.
  DoubleWord fastTwoSum(Value x, Value y);
  /// The exact sum of two numbers (Knuth).
  DoubleWord twoSum(Value x, Value y);
  /// The exact product of two numbers.
  DoubleWord twoProduct(Value x, Value y);

private:
  ImplicitLocOpBuilder b;
  Type type, intType;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_MATHBUILDER_H
