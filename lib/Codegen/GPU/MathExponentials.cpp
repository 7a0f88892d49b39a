//===- MathExponentials.cpp - Exponentials and their kin ------------------===//
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

/// Takes k ln 2 off x, where k is the integer next to x / ln 2. The first part
/// of ln 2 ends in zeros, so that its product with k is exact (W. Cody,
/// W. Waite, "Software manual for the elementary functions", 1980).
static Value reduceByLn2(MathBuilder &b, Value x, Value k) {
  Value minus = b.neg(k);
  Value r = b.fma(minus, b.f(b.choose(0x1.62e42feep-1, 0x1.62e4p-1)), x);
  return b.fma(minus,
               b.f(b.choose(0x1.a39ef35793c76p-33, 0x1.7f7d1cf79abcap-20)), r);
}

/// exp(r) - 1 for |r| <= ln(2) / 2.
static Value expandSmallExpM1(MathBuilder &b, Value r) {
  return b.fma(b.mul(r, r), b.polynomial(r, kExpF64, kExpF32), r);
}

/// Beyond these bounds exp(x) is infinite or 0 all the same.
static Value clampExponent(MathBuilder &b, Value x) {
  return b.atLeast(b.atMost(x, b.choose(720, 95)), b.choose(-760, -110));
}

/// exp(x) = 2^k exp(r).
Scaled memrev::expandScaledExp(MathBuilder &b, DoubleWord x) {
  Value high = clampExponent(b, x.high);
  auto [k, exponent] = b.roundProduct(high, kLog2E);
  Value r = reduceByLn2(b, high, k);
  if (x.low)
    r = b.add(r, x.low);
  return {b.add(b.f(1), expandSmallExpM1(b, r)), exponent};
}

Value memrev::expandExp(MathBuilder &b, Value x) {
  return b.scale(expandScaledExp(b, {x, nullptr}));
}

/// 2^x = 2^k exp(r ln 2), with k the integer next to x.
Value memrev::expandExp2(MathBuilder &b, Value x) {
  x = b.atLeast(b.atMost(x, b.choose(1100, 140)), b.choose(-1100, -160));
  auto [k, exponent] = b.roundProduct(x, 1);
  Value r = b.mul(b.sub(x, k), b.f(0x1.62e42fefa39efp-1));
  return b.scale({b.add(b.f(1), expandSmallExpM1(b, r)), exponent});
}

/// (exp(x) - 1) / 2^shift = 2^(k - shift) ((exp(r) - 1) + (1 - 2^-k)).
static Value expandShiftedExpM1(MathBuilder &b, Value x, int64_t shift) {
  x = clampExponent(b, b.atLeast(x, -60));
  auto [k, exponent] = b.roundProduct(x, kLog2E);
  Value small = expandSmallExpM1(b, reduceByLn2(b, x, k));
  // 1 - 2^-100 is 1 already.
  Value bounded = arith::MinSIOp::create(b.builder(), exponent, b.i(100));
  Value rest = b.sub(b.f(1), b.powerOfTwo(b.subi(b.i(0), bounded)));
  Value result = b.scale({b.add(small, rest), b.subi(exponent, b.i(shift))});
  return b.copySign(result, x);
}

Value memrev::expandExpM1(MathBuilder &b, Value x) {
  return expandShiftedExpM1(b, x, 0);
}

/// sinh(x) = h + h / (2 h + 1) with h = (exp(|x|) - 1) / 2.
Value memrev::expandSinh(MathBuilder &b, Value x) {
  Value h = expandShiftedExpM1(b, b.abs(x), 1);
  // The quotient of larger ones is 1/2 as well.
  Value bounded = b.atMost(h, 0x1p60);
  Value quotient = b.div(bounded, b.fma(bounded, b.f(2), b.f(1)));
  return b.copySign(b.add(h, quotient), x);
}

/// cosh(x) = e + 1 / (4 e) with e = exp(|x|) / 2.
Value memrev::expandCosh(MathBuilder &b, Value x) {
  Scaled e = expandScaledExp(b, {b.abs(x), nullptr});
  Value half = b.scale({e.significand, b.subi(e.exponent, b.i(1))});
  return b.add(half, b.div(b.f(0.25), half));
}

/// tanh(x) = t / (t + 2) with t = exp(2 |x|) - 1, and 1 beyond 22.
Value memrev::expandTanh(MathBuilder &b, Value x) {
  Value magnitude = b.atMost(b.abs(x), 22);
  Value t = expandExpM1(b, b.add(magnitude, magnitude));
  return b.copySign(b.div(t, b.add(t, b.f(2))), x);
}

/// erfc(x) for x >= 1/2, from a polynomial that is (1 + 2 x) exp(x^2) erfc(x).
static Value expandUpperErfc(MathBuilder &b, Value x) {
  // Beyond this bound the result is 0 all the same.
  x = b.atMost(x, b.choose(28.0, 10.5));
  Value t = b.div(b.sub(x, b.f(kErfcCenter)), b.add(x, b.f(kErfcCenter)));
  Value factor = b.polynomial(t, kErfcF64, kErfcF32);
  DoubleWord square = b.twoProduct(x, x);
  Scaled e = expandScaledExp(b, {b.neg(square.high), b.neg(square.low)});
  Value significand =
      b.div(b.mul(e.significand, factor), b.fma(x, b.f(2), b.f(1)));
  return b.scale({significand, e.exponent});
}

/// erf(x) for |x| <= 3/4.
static Value expandSmallErf(MathBuilder &b, Value x) {
  return b.fma(x, b.polynomial(b.mul(x, x), kErfF64, kErfF32), x);
}

/// erfc(x) as 1 - erf(x) near 0.
Value memrev::expandErfc(MathBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  Value upper = expandUpperErfc(b, magnitude);
  Value isNegative = b.is(Predicate::OLT, x, b.f(0));
  Value result = b.select(isNegative, b.sub(b.f(2), upper), upper);
  Value near = b.sub(b.f(1), expandSmallErf(b, x));
  return b.select(b.is(Predicate::OLT, magnitude, b.f(0.5)), near, result);
}

/// erf(x) as 1 - erfc(x) away from 0.
Value memrev::expandErf(MathBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  Value upper = expandUpperErfc(b, magnitude);
  Value far = b.copySign(b.sub(b.f(1), upper), x);
  return b.select(b.is(Predicate::OLT, magnitude, b.f(0.75)),
                  expandSmallErf(b, x), far);
}
