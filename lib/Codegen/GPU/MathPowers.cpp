//===- MathPowers.cpp - Powers and roots ----------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::memrev;

/// |x|^y = exp(y log |x|), the product with twice the bits of the type.
static Value expandMagnitudeOfPow(MathBuilder &b, Value x, DoubleWord y) {
  Value magnitude = b.abs(x);
  DoubleWord log = expandPreciseLog(b, magnitude);
  DoubleWord product = b.twoProduct(y.high, log.high);
  product.low = b.fma(y.high, log.low, product.low);
  if (y.low)
    product.low = b.fma(y.low, log.high, product.low);
  // Where the low word is no number the result is 0 or infinite.
  Value isModerate =
      b.is(Predicate::OLT, b.abs(product.high), b.f(b.choose(800, 120)));
  product.low = b.select(isModerate, product.low, b.f(0));
  Value result = b.scale(expandScaledExp(b, product));
  // 1^y is 1 for infinite y too.
  return b.select(b.is(Predicate::OEQ, magnitude, b.f(1)), b.f(1), result);
}

/// Gives `magnitude` the sign of x if `isOdd`.
static Value copySignIfOdd(MathBuilder &b, Value magnitude, Value x,
                           Value isOdd) {
  return b.select(isOdd, b.copySign(magnitude, x), magnitude);
}

/// x^y with the special values of C's pow.
Value memrev::expandPow(MathBuilder &b, Value x, Value y) {
  Value result = expandMagnitudeOfPow(b, x, {y, nullptr});
  result = b.select(b.is(Predicate::UNO, y, y), y, result);

  Value isInteger = b.is(Predicate::OEQ, b.round(y), y);
  Value half = b.mul(y, b.f(0.5));
  Value isOdd = arith::AndIOp::create(
      b.builder(), isInteger, b.is(Predicate::UNE, b.round(half), half));
  result = copySignIfOdd(b, result, x, isOdd);

  // Negative numbers have no other powers than integer ones; infinity has.
  Value isNegative =
      arith::AndIOp::create(b.builder(), b.is(Predicate::OLT, x, b.f(0)),
                            b.is(Predicate::OGT, x, b.f(-kInfinity)));
  Value isFraction = b.is(Predicate::UNE, b.round(y), y);
  result = b.select(arith::AndIOp::create(b.builder(), isNegative, isFraction),
                    b.f(kNaN), result);
  Value isOne =
      arith::OrIOp::create(b.builder(), b.is(Predicate::OEQ, x, b.f(1)),
                           b.is(Predicate::OEQ, y, b.f(0)));
  return b.select(isOne, b.f(1), result);
}

Value memrev::expandIntegerPow(MathBuilder &b, Value x, Value n) {
  ImplicitLocOpBuilder &builder = b.builder();
  Type i64 = builder.getI64Type();
  if (n.getType().isIndex())
    n = arith::IndexCastOp::create(builder, i64, n);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(
        builder, builder.getIntegerAttr(n.getType(), value));
  };
  auto clamp = [&](int64_t bound) {
    n = arith::MinSIOp::create(builder, n, constant(bound));
    n = arith::MaxSIOp::create(builder, n, constant(-bound));
  };
  Value parity = arith::AndIOp::create(builder, n, constant(1));
  Value isOdd = b.is(IntPredicate::ne, parity, constant(0));
  Value isZero = b.is(IntPredicate::eq, n, constant(0));
  if (n.getType().getIntOrFloatBitWidth() > 64) {
    clamp(std::numeric_limits<int64_t>::max());
    n = arith::TruncIOp::create(builder, i64, n);
  } else if (n.getType() != i64) {
    n = arith::ExtSIOp::create(builder, i64, n);
  }

  // The exponent as the sum of two floats. In f32, all larger ones give 0, 1 or
  // infinity.
  int64_t lowBits = b.choose(32, 16);
  if (!b.isF64())
    clamp(int64_t(1) << 39);
  Value high = b.toFloat(arith::ShRSIOp::create(builder, n, constant(lowBits)));
  Value low = b.unsignedToFloat(
      arith::AndIOp::create(builder, n, constant((int64_t(1) << lowBits) - 1)));
  DoubleWord y = b.fastTwoSum(b.mul(high, b.f(b.choose(0x1p32, 0x1p16))), low);

  Value result = copySignIfOdd(b, expandMagnitudeOfPow(b, x, y), x, isOdd);
  return b.select(isZero, b.f(1), result);
}

/// A first value good to 5 bits, from a third of the exponent, is improved by
/// Halley's method and then by Newton's with the exact rest (W. Kahan,
/// "Computing a real cube root", 1991).
Value memrev::expandCbrt(MathBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  // The cubes below must neither overflow nor lose bits to underflow.
  Value isSmall = b.is(Predicate::OLT, magnitude, b.f(1));
  Value a = b.mul(magnitude, b.select(isSmall, b.f(b.choose(0x1p54, 0x1p24)),
                                      b.f(b.choose(0x1p-54, 0x1p-24))));
  // 2/3 of the bias, less what makes the largest error smallest.
  double bias = (b.exponentBias() * 2.0 / 3.0 - 0.03306235651) *
                static_cast<double>(int64_t(1) << b.significandBits());
  Value third = arith::DivUIOp::create(b.builder(), b.bits(a), b.i(3));
  Value t = b.fromBits(b.addi(third, b.i(static_cast<int64_t>(bias))));
  for (int step = 0, steps = b.choose(2, 1); step < steps; ++step) {
    Value cube = b.mul(b.mul(t, t), t);
    Value quotient = b.div(b.fma(a, b.f(2), cube), b.fma(cube, b.f(2), a));
    t = b.mul(t, quotient);
  }
  DoubleWord square = b.twoProduct(t, t);
  DoubleWord cube = b.twoProduct(square.high, t);
  Value rest = b.sub(b.sub(a, cube.high), b.fma(square.low, t, cube.low));
  Value result = b.add(t, b.div(rest, b.mul(square.high, b.f(3))));
  result = b.mul(result, b.select(isSmall, b.f(b.choose(0x1p-18, 0x1p-8)),
                                  b.f(b.choose(0x1p18, 0x1p8))));

  // 0, infinity and NaN are their own roots.
  Value isSpecial = b.is(Predicate::UEQ, b.mul(x, b.f(0)), x);
  return b.select(isSpecial, x, b.copySign(result, x));
}

/// By squaring, for each bit of the exponent. With a negative one the result is
/// the integer part of 1 / base^|exponent|.
Value memrev::expandIPow(ImplicitLocOpBuilder &b, Value base, Value exponent) {
  Type type = base.getType();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
  };
  auto is = [&](IntPredicate predicate, Value x, int64_t y) -> Value {
    return arith::CmpIOp::create(b, predicate, x, constant(y));
  };
  Value one = constant(1);
  Value isNegative = is(IntPredicate::slt, exponent, 0);
  Value left = arith::SelectOp::create(b, isNegative, constant(0), exponent);
  auto loop = scf::WhileOp::create(
      b, TypeRange{type, type, type}, ValueRange{one, base, left},
      [&](OpBuilder &builder, Location loc, ValueRange values) {
        Value goesOn = arith::CmpIOp::create(builder, loc, IntPredicate::ne,
                                             values[2], constant(0));
        scf::ConditionOp::create(builder, loc, goesOn, values);
      },
      [&](OpBuilder &builder, Location loc, ValueRange values) {
        Value product =
            arith::MulIOp::create(builder, loc, values[0], values[1]);
        Value bit = arith::AndIOp::create(builder, loc, values[2], one);
        Value isSet =
            arith::CmpIOp::create(builder, loc, IntPredicate::eq, bit, one);
        Value result =
            arith::SelectOp::create(builder, loc, isSet, product, values[0]);
        Value square =
            arith::MulIOp::create(builder, loc, values[1], values[1]);
        Value rest = arith::ShRUIOp::create(builder, loc, values[2], one);
        scf::YieldOp::create(builder, loc, ValueRange{result, square, rest});
      });
  // A power of 1 or -1 is its own reciprocal; other reciprocals are below 1.
  Value isOdd =
      is(IntPredicate::ne, arith::AndIOp::create(b, exponent, one), 0);
  Value ofMinusOne = arith::SelectOp::create(b, isOdd, base, one);
  Value reciprocal = arith::SelectOp::create(
      b, is(IntPredicate::eq, base, -1), ofMinusOne,
      arith::SelectOp::create(b, is(IntPredicate::eq, base, 1), one,
                              constant(0)));
  return arith::SelectOp::create(b, isNegative, reciprocal, loop.getResult(0));
}
