//===- MathLogarithms.cpp - Logarithms and their kin ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"
#include "MathPolynomials.h"

using namespace mlir;
using namespace mlir::memrev;

/// Splits a positive number into 2^k m, with m between sqrt(1/2) and sqrt(2).
static Scaled splitExponent(MathBuilder &b, Value x) {
  double up = b.choose(0x1p54, 0x1p25);
  Value isTiny = b.is(Predicate::OLT, x, b.f(b.smallestNormal()));
  Value bits = b.bits(b.select(isTiny, b.mul(x, b.f(up)), x));
  // What is above the bits of sqrt(1/2) carries into the exponent.
  int64_t root = b.choose<int64_t>(0x3fe6a09e667f3bcd, 0x3f3504f3);
  Value above = b.subi(bits, b.i(root));
  Value exponent = b.shrSigned(above, b.significandBits());
  Value m = b.fromBits(b.subi(bits, b.shl(exponent, b.significandBits())));
  Value correction = b.select(isTiny, b.i(b.choose(54, 25)), b.i(0));
  return {m, b.subi(exponent, correction)};
}

/// log(1 + f) - f for sqrt(1/2) <= 1 + f <= sqrt(2), as in W. Kahan and K. Ng's
/// fdlibm: log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R(s^2)) with s = f / (2 +
/// f). Returns f^2 / 2, and the other term.
static std::pair<Value, Value> expandLogSeries(MathBuilder &b, Value f) {
  Value s = b.div(f, b.add(f, b.f(2)));
  Value z = b.mul(s, s);
  Value halfSquare = b.mul(b.f(0.5), b.mul(f, f));
  Value series = b.fma(z, b.polynomial(z, kLogF64, kLogF32), halfSquare);
  return {halfSquare, b.mul(s, series)};
}

/// k ln 2 + log(1 + f) + correction. The first part of ln 2 ends in zeros, so
/// that its product with an exponent is exact.
static Value expandLogSum(MathBuilder &b, Value k, Value f, Value correction) {
  auto [halfSquare, series] = expandLogSeries(b, f);
  Value low = b.fma(
      k, b.f(b.choose(0x1.a39ef35793c76p-33, 0x1.7f7d1cf79abcap-20)), series);
  if (correction)
    low = b.add(low, correction);
  return b.fma(k, b.f(b.choose(0x1.62e42feep-1, 0x1.62e4p-1)),
               b.sub(f, b.sub(halfSquare, low)));
}

/// Puts in what logarithms are of 0, of infinity and of negative numbers.
static Value selectLogLimits(MathBuilder &b, Value x, Value result) {
  result = b.select(b.is(Predicate::UEQ, x, b.f(kInfinity)), x, result);
  result = b.select(b.is(Predicate::OEQ, x, b.f(0)), b.f(-kInfinity), result);
  return b.select(b.is(Predicate::OLT, x, b.f(0)), b.f(kNaN), result);
}

Value memrev::expandLog(MathBuilder &b, Value x) {
  Scaled split = splitExponent(b, x);
  Value f = b.sub(split.significand, b.f(1));
  Value result = expandLogSum(b, b.toFloat(split.exponent), f, nullptr);
  return selectLogLimits(b, x, result);
}

/// k `ofTwo` + log(1 + f) `factor`, a logarithm of another base. The first part
/// of `ofTwo` ends in zeros, so that its product with an exponent is exact.
static Value expandLogOfBase(MathBuilder &b, Value x, DoubleWord factor,
                             DoubleWord ofTwo) {
  Scaled split = splitExponent(b, x);
  Value k = b.toFloat(split.exponent);
  Value f = b.sub(split.significand, b.f(1));
  auto [halfSquare, series] = expandLogSeries(b, f);
  Value high = b.sub(f, halfSquare);
  Value low = b.add(b.sub(b.sub(f, high), halfSquare), series);
  DoubleWord product = b.twoProduct(high, factor.high);
  low = b.fma(low, factor.high, b.fma(high, factor.low, product.low));
  DoubleWord sum = b.fastTwoSum(b.mul(k, ofTwo.high), product.high);
  low = b.add(b.fma(k, ofTwo.low, low), sum.low);
  return selectLogLimits(b, x, b.add(sum.high, low));
}

Value memrev::expandLog2(MathBuilder &b, Value x) {
  DoubleWord factor = b.constant(kLog2E, 0x1.777d0ffda0d24p-56);
  return expandLogOfBase(b, x, factor, {b.f(1), b.f(0)});
}

Value memrev::expandLog10(MathBuilder &b, Value x) {
  DoubleWord factor = b.constant(0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57);
  DoubleWord ofTwo = {
      b.f(b.choose(0x1.34413509p-2, 0x1.344p-2)),
      b.f(b.choose(0x1.ef3fde623e256p-35, 0x1.3509f79fef312p-18))};
  return expandLogOfBase(b, x, factor, ofTwo);
}

/// log(1 + x) from the logarithm of u, which is 1 + x rounded, plus c / u,
/// where c is what rounding took away.
Value memrev::expandLog1p(MathBuilder &b, Value x) {
  Value u = b.add(x, b.f(1));
  Value isLarge = b.is(Predicate::OGT, x, b.f(1));
  Value c =
      b.select(isLarge, b.sub(b.f(1), b.sub(u, x)), b.sub(x, b.sub(u, b.f(1))));
  Scaled split = splitExponent(b, u);
  // Without an exponent 1 + x need not be rounded.
  Value isNear = b.is(IntPredicate::eq, split.exponent, b.i(0));
  Value f = b.select(isNear, x, b.sub(split.significand, b.f(1)));
  Value correction = b.select(isNear, b.f(0), b.div(c, u));
  Value result = expandLogSum(b, b.toFloat(split.exponent), f, correction);
  return b.copySign(selectLogLimits(b, u, result), x);
}

/// The argument whose log1p, plus ln 2 if |x| is large, is the result: there,
/// asinh(x) and acosh(x) are log(2 x).
static Value expandLog1pOrDouble(MathBuilder &b, Value magnitude,
                                 Value argument) {
  Value isLarge =
      b.is(Predicate::OGT, magnitude, b.f(b.choose(0x1p60, 0x1p30)));
  Value result = expandLog1p(b, b.select(isLarge, magnitude, argument));
  Value addend = b.select(isLarge, b.f(0x1.62e42fefa39efp-1), b.f(0));
  return b.add(result, addend);
}

/// asinh(x) = log1p(|x| + x^2 / (1 + sqrt(x^2 + 1))).
Value memrev::expandAsinh(MathBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  Value square = b.mul(x, x);
  Value root = b.sqrt(b.add(square, b.f(1)));
  Value argument = b.add(magnitude, b.div(square, b.add(root, b.f(1))));
  return b.copySign(expandLog1pOrDouble(b, magnitude, argument), x);
}

/// acosh(x) = log1p(t + sqrt(t (t + 2))) with t = x - 1.
Value memrev::expandAcosh(MathBuilder &b, Value x) {
  Value t = b.sub(x, b.f(1));
  Value argument = b.add(t, b.sqrt(b.mul(t, b.add(t, b.f(2)))));
  Value result = expandLog1pOrDouble(b, x, argument);
  return b.select(b.is(Predicate::OLT, x, b.f(1)), b.f(kNaN), result);
}

/// atanh(x) = log1p(2 x / (1 - x)) / 2.
Value memrev::expandAtanh(MathBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  Value twice = b.add(magnitude, magnitude);
  Value argument = b.div(twice, b.sub(b.f(1), magnitude));
  return b.copySign(b.mul(b.f(0.5), expandLog1p(b, argument)), x);
}

/// log(2^k (1 + f)) = k ln 2 + 2 (s + s z (1/3 + z Q(z))), with s = f / (2 + f)
/// and z = s^2 as double words, and Q as a polynomial (the scheme of SLEEF's
/// logk: N. Shibata, F. Petrogalli, "SLEEF: a portable vectorized library of C
/// standard mathematical functions", 2020).
DoubleWord memrev::expandPreciseLog(MathBuilder &b, Value x) {
  Scaled split = splitExponent(b, x);
  Value k = b.toFloat(split.exponent);
  Value f = b.sub(split.significand, b.f(1));
  DoubleWord divisor = b.twoSum(f, b.f(2));
  Value reciprocal = b.div(b.f(1), divisor.high);
  Value s = b.mul(f, reciprocal);
  Value rest = b.fma(b.neg(s), divisor.high, f);
  Value sLow = b.mul(b.fma(b.neg(s), divisor.low, rest), reciprocal);

  DoubleWord z = b.twoProduct(s, s);
  z.low = b.fma(b.add(s, s), sLow, z.low);
  DoubleWord third = b.constant(0x1.5555555555555p-2, 0x1.5555555555555p-56);
  DoubleWord series = b.fastTwoSum(
      third.high,
      b.mul(z.high, b.polynomial(z.high, kLogTailF64, kLogTailF32)));
  series.low = b.add(series.low, third.low);
  DoubleWord w = b.twoProduct(z.high, series.high);
  w.low = b.fma(z.high, series.low, b.fma(z.low, series.high, w.low));
  DoubleWord t = b.twoProduct(s, w.high);
  t.low = b.fma(s, w.low, b.fma(sLow, w.high, t.low));
  DoubleWord half = b.fastTwoSum(s, t.high);
  half.low = b.add(half.low, b.add(t.low, sLow));

  Value high = b.mul(k, b.f(b.choose(0x1.62e42feep-1, 0x1.62e4p-1)));
  Value low =
      b.mul(k, b.f(b.choose(0x1.a39ef35793c76p-33, 0x1.7f7d1cf79abcap-20)));
  DoubleWord sum = b.fastTwoSum(high, b.add(half.high, half.high));
  low = b.add(sum.low, b.fma(half.low, b.f(2), low));
  DoubleWord result = b.fastTwoSum(sum.high, low);
  return {selectLogLimits(b, x, result.high), result.low};
}
