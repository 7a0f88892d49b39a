//===- MathAngles.cpp - Functions of angles and their inverses ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"
#include "MathPolynomials.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::memrev;

/// pi / 2 as the sum of three doubles.
static constexpr double kHalfPi[] = {
    0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};

/// 64 zero bits, then the first 1216 bits of 2 / pi.
static constexpr uint64_t kTwoOverPi[] = {0,
                                          0xa2f9836e4e441529,
                                          0xfc2757d1f534ddc0,
                                          0xdb6295993c439041,
                                          0xfe5163abdebbc561,
                                          0xb7246e3a424dd2e0,
                                          0x06492eea09d1921c,
                                          0xfe1deb1cb129a73e,
                                          0xe88235f52ebb4484,
                                          0xe99c7026b45f7e41,
                                          0x3991d639835339f4,
                                          0x9c845f8bbdf9283b,
                                          0x1ff897ffde05980f,
                                          0xef2f118b5a0a6d1f,
                                          0x6d367ecf27cb09b7,
                                          0x4f463f669e5fea2d,
                                          0x7527bac7ebe5f17b,
                                          0x3d0739f78a5292ea,
                                          0x6bfb5fb11f8d5d08,
                                          0x56033046fc7b6bab};

//===----------------------------------------------------------------------===//
// Reduction to |r| <= pi / 4
//===----------------------------------------------------------------------===//

namespace {
/// An angle as `quadrant` pi / 2 + `rest`.
struct ReducedAngle {
  DoubleWord rest;
  Value quadrant;
};
} // namespace

/// Takes multiples of pi / 2 off, which is the sum of three numbers (W. Cody,
/// W. Waite, "Software manual for the elementary functions", 1980). The first
/// difference is exact, because it is a multiple of the last bit of pi / 2.
static ReducedAngle reduceModerateAngle(MathBuilder &b, Value x) {
  double first = kHalfPi[0], second = kHalfPi[1], third = kHalfPi[2];
  if (!b.isF64()) {
    first = static_cast<float>(kHalfPi[0]);
    double rest = (kHalfPi[0] - first) + kHalfPi[1];
    second = static_cast<float>(rest);
    third = static_cast<float>(rest - second);
  }
  auto [k, quadrant] = b.roundProduct(x, 0x1.45f306dc9c883p-1);
  Value rest = b.fma(b.neg(k), b.f(first), x);
  DoubleWord product = b.twoProduct(k, b.f(second));
  DoubleWord sum = b.twoSum(rest, b.neg(product.high));
  sum.low = b.sub(sum.low, b.fma(k, b.f(third), product.low));
  return {sum, quadrant};
}

/// Declares the bits of 2 / pi in constant memory of the kernel's module, once.
static LLVM::GlobalOp declareTwoOverPi(OpBuilder &builder, Location loc) {
  StringRef name = "__memrev_two_over_pi";
  auto module = builder.getInsertionBlock()
                    ->getParent()
                    ->getParentOfType<gpu::GPUModuleOp>();
  if (auto global = module.lookupSymbol<LLVM::GlobalOp>(name))
    return global;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(module.getBody());
  auto words = DenseElementsAttr::get(
      RankedTensorType::get(std::size(kTwoOverPi), builder.getI64Type()),
      ArrayRef<uint64_t>(kTwoOverPi));
  return LLVM::GlobalOp::create(
      builder, loc,
      LLVM::LLVMArrayType::get(builder.getI64Type(), std::size(kTwoOverPi)),
      /*isConstant=*/true, LLVM::Linkage::Internal, name, words,
      /*alignment=*/8, static_cast<unsigned>(NVVM::NVVMMemorySpace::Constant));
}

/// Multiplies the bits of an f64 that is at least 2^16 by those bits of 2 / pi
/// that matter for the quadrant and for what is left (M. Payne, R. Hanek,
/// "Radian reduction for trigonometric functions", 1983).
static ReducedAngle reduceLargeAngle(MathBuilder &b, Value x, Value table) {
  ImplicitLocOpBuilder &builder = b.builder();
  Type i64 = b.integerType();
  Value bits = b.bits(x);
  Value exponent = b.andi(b.shr(bits, 52), b.i(0x7ff));
  Value significand =
      b.ori(b.andi(bits, b.i(0xfffffffffffff)), b.i(int64_t(1) << 52));

  // x is the significand times 2^(exponent - 1075), so that bits of 2 / pi of
  // 2^(1077 - exponent) and more give multiples of 4 quadrants.
  Value first = b.subi(exponent, b.i(1075 + 2 - 64));
  Value word = b.shr(first, 6), shift = b.andi(first, b.i(63));
  SmallVector<Value> words;
  for (int64_t n = 0; n < 4; ++n) {
    Value address =
        LLVM::GEPOp::create(builder, table.getType(), i64, table,
                            ArrayRef<LLVM::GEPArg>{b.addi(word, b.i(n))});
    words.push_back(LLVM::LoadOp::create(builder, i64, address, 8));
  }
  // The 64 bits of two words from `n` on, for n < 64.
  auto funnel = [&](Value upper, Value lower, Value n) {
    Value rest = b.shr(b.shr(lower, 1), b.subi(b.i(63), n));
    return b.ori(b.shl(upper, n), rest);
  };
  Value window[] = {funnel(words[0], words[1], shift),
                    funnel(words[1], words[2], shift),
                    funnel(words[2], words[3], shift)};

  // The lower 192 bits of the product, in units of 2^-190 quadrants.
  auto lowest = arith::MulUIExtendedOp::create(builder, significand, window[2]);
  auto middle = arith::MulUIExtendedOp::create(builder, significand, window[1]);
  Value p1 = b.addi(middle.getLow(), lowest.getHigh());
  Value carry = arith::ExtUIOp::create(
      builder, i64, b.is(IntPredicate::ult, p1, lowest.getHigh()));
  Value p0 =
      b.addi(b.muli(significand, window[0]), b.addi(middle.getHigh(), carry));

  // To the nearest quadrant, and the magnitude of the rest. That the complement
  // is one unit of 2^-128 off does not matter.
  Value quadrant = b.shr(p0, 62);
  Value high = funnel(p0, p1, b.i(2));
  Value low = funnel(p1, lowest.getLow(), b.i(2));
  Value isUpper = b.shrSigned(high, 63);
  quadrant = b.subi(quadrant, isUpper);
  high = b.xori(high, isUpper);
  low = b.xori(low, isUpper);

  Value zeros = arith::MinUIOp::create(
      builder, math::CountLeadingZerosOp::create(builder, high), b.i(63));
  high = funnel(high, low, zeros);
  low = b.shl(low, zeros);
  Value unit = b.powerOfTwo(b.subi(b.i(-53), zeros));
  Value restHigh = b.mul(b.toFloat(b.shr(high, 11)), unit);
  Value restLow = b.mul(
      b.mul(b.unsignedToFloat(b.ori(b.shl(high, 53), b.shr(low, 11))), unit),
      b.f(0x1p-64));

  DoubleWord halfPi = b.constant(kHalfPi[0], kHalfPi[1]);
  DoubleWord rest = b.twoProduct(restHigh, halfPi.high);
  rest.low = b.fma(restLow, halfPi.high, b.fma(restHigh, halfPi.low, rest.low));

  Value sign = b.shrSigned(bits, 63);
  Value flip = b.shl(b.xori(sign, isUpper), 63);
  rest.high = b.fromBits(b.xori(b.bits(rest.high), flip));
  rest.low = b.fromBits(b.xori(b.bits(rest.low), flip));
  return {rest, b.subi(b.xori(quadrant, sign), sign)};
}

/// The same for an f32, by way of f64.
static ReducedAngle reduceLargeSingle(MathBuilder &b, Value x, Value table) {
  ImplicitLocOpBuilder &builder = b.builder();
  MathBuilder wide(builder.getLoc(), builder, builder.getF64Type());
  ReducedAngle reduced = reduceLargeAngle(
      wide, arith::ExtFOp::create(builder, wide.floatType(), x), table);
  auto narrow = [&](Value value) -> Value {
    return arith::TruncFOp::create(builder, b.floatType(), value);
  };
  Value high = narrow(reduced.rest.high);
  Value restored = arith::ExtFOp::create(builder, wide.floatType(), high);
  Value low = narrow(wide.sub(reduced.rest.high, restored));
  Value quadrant =
      arith::TruncIOp::create(builder, b.integerType(), reduced.quadrant);
  return {{high, low}, quadrant};
}

static ReducedAngle reduceAngle(MathBuilder &b, Value x) {
  ImplicitLocOpBuilder &builder = b.builder();
  ReducedAngle moderate = reduceModerateAngle(b, x);
  // NaN comes of infinity in the moderate way.
  Value magnitude = b.abs(x);
  Value isLarge = arith::AndIOp::create(
      builder, b.is(Predicate::OGT, magnitude, b.f(b.choose(0x1p30, 0x1p16))),
      b.is(Predicate::OLT, magnitude, b.f(kInfinity)));
  Value table = LLVM::AddressOfOp::create(
      builder, declareTwoOverPi(builder, builder.getLoc()));
  auto branch = scf::IfOp::create(
      builder, isLarge,
      [&](OpBuilder &inner, Location loc) {
        MathBuilder nested(loc, inner, b.floatType());
        ReducedAngle reduced = b.isF64() ? reduceLargeAngle(nested, x, table)
                                         : reduceLargeSingle(nested, x, table);
        scf::YieldOp::create(
            inner, loc,
            {reduced.rest.high, reduced.rest.low, reduced.quadrant});
      },
      [&](OpBuilder &inner, Location loc) {
        scf::YieldOp::create(
            inner, loc,
            {moderate.rest.high, moderate.rest.low, moderate.quadrant});
      });
  return {{branch.getResult(0), branch.getResult(1)}, branch.getResult(2)};
}

//===----------------------------------------------------------------------===//
// Sine, cosine, tangent
//===----------------------------------------------------------------------===//

/// sin(r) = r + r^3 P(r^2), with the first term of the derivative times what r
/// leaves over.
static Value expandSmallSin(MathBuilder &b, DoubleWord r) {
  Value z = b.mul(r.high, r.high);
  Value cube = b.mul(z, r.high);
  Value low = b.fma(b.mul(b.f(-0.5), z), r.low, r.low);
  Value series = b.polynomial(z, kSinF64, kSinF32);
  return b.add(r.high, b.fma(cube, series, low));
}

/// cos(r) = 1 - r^2 / 2 + r^4 P(r^2), in the same way.
static Value expandSmallCos(MathBuilder &b, DoubleWord r) {
  Value z = b.mul(r.high, r.high);
  Value half = b.mul(b.f(0.5), z);
  DoubleWord sum = b.fastTwoSum(b.f(1), b.neg(half));
  Value series = b.polynomial(z, kCosF64, kCosF32);
  Value low = b.fma(b.mul(z, z), series, b.neg(b.mul(r.high, r.low)));
  return b.add(sum.high, b.add(sum.low, low));
}

/// Negates `x` if the second bit of `quadrant` is set.
static Value negateInLowerHalf(MathBuilder &b, Value x, Value quadrant) {
  int64_t width = b.integerType().getIntOrFloatBitWidth();
  Value sign = b.shl(b.andi(quadrant, b.i(2)), width - 2);
  return b.fromBits(b.xori(b.bits(x), sign));
}

std::pair<Value, Value> memrev::expandSincos(MathBuilder &b, Value x) {
  ReducedAngle angle = reduceAngle(b, x);
  Value sine = expandSmallSin(b, angle.rest);
  Value cosine = expandSmallCos(b, angle.rest);
  Value isOdd = b.is(IntPredicate::ne, b.andi(angle.quadrant, b.i(1)), b.i(0));
  Value first =
      negateInLowerHalf(b, b.select(isOdd, cosine, sine), angle.quadrant);
  Value second = negateInLowerHalf(b, b.select(isOdd, sine, cosine),
                                   b.addi(angle.quadrant, b.i(1)));
  // For the sign of zero.
  first = b.select(b.is(Predicate::OEQ, x, b.f(0)), x, first);
  return {first, second};
}

Value memrev::expandTan(MathBuilder &b, Value x) {
  ReducedAngle angle = reduceAngle(b, x);
  Value sine = expandSmallSin(b, angle.rest);
  Value cosine = expandSmallCos(b, angle.rest);
  Value isOdd = b.is(IntPredicate::ne, b.andi(angle.quadrant, b.i(1)), b.i(0));
  Value quotient = b.div(b.select(isOdd, b.neg(cosine), sine),
                         b.select(isOdd, sine, cosine));
  return b.select(b.is(Predicate::OEQ, x, b.f(0)), x, quotient);
}

//===----------------------------------------------------------------------===//
// Inverse functions
//===----------------------------------------------------------------------===//

/// n pi / `denominator` + rest, for a small integer n.
static Value addAngle(MathBuilder &b, Value n, double denominator, Value rest) {
  DoubleWord unit =
      b.constant(kHalfPi[0] * 2 / denominator, kHalfPi[1] * 2 / denominator);
  return b.fma(n, unit.high, b.fma(n, unit.low, rest));
}

/// The angle of a point in the first quadrant, of which at least one coordinate
/// is not 0 and at most one infinite. If `isMirrored`, that of its mirror image
/// in the second quadrant.
static Value expandAngle(MathBuilder &b, Value y, Value x, Value isMirrored) {
  Value isSteep = b.is(Predicate::OGT, y, x);
  Value small = b.select(isSteep, x, y), large = b.select(isSteep, y, x);
  // The rest of the angle to 0 or to pi / 4, whichever is below pi / 8.
  Value isDiagonal =
      b.is(Predicate::OGT, small, b.mul(large, b.f(0x1.a827999fcef32p-2)));
  Value numerator = b.select(isDiagonal, b.sub(small, large), small);
  Value denominator = b.select(isDiagonal, b.add(small, large), large);
  Value q = b.div(numerator, denominator);
  Value z = b.mul(q, q);
  Value rest = b.fma(b.mul(q, z), b.polynomial(z, kAtanF64, kAtanF32), q);

  Value n = b.select(isDiagonal, b.f(1), b.f(0));
  n = b.select(isSteep, b.sub(b.f(2), n), n);
  Value isReversed = isSteep;
  if (isMirrored) {
    n = b.select(isMirrored, b.sub(b.f(4), n), n);
    isReversed = arith::XOrIOp::create(b.builder(), isSteep, isMirrored);
  }
  return addAngle(b, n, 4, b.select(isReversed, b.neg(rest), rest));
}

Value memrev::expandAtan(MathBuilder &b, Value x) {
  return b.copySign(expandAngle(b, b.abs(x), b.f(1), nullptr), x);
}

Value memrev::expandAtan2(MathBuilder &b, Value y, Value x) {
  Value height = b.abs(y), width = b.abs(x);
  Value isMirrored = b.is(IntPredicate::slt, b.bits(x), b.i(0));
  // Where both are infinite the angle is that of ones, and where both are zero,
  // that of a point on the axis.
  Value areInfinite = b.is(
      Predicate::OEQ, arith::MinimumFOp::create(b.builder(), height, width),
      b.f(kInfinity));
  height = b.select(areInfinite, b.f(1), height);
  width = b.select(areInfinite, b.f(1), width);
  Value areZero =
      b.is(Predicate::OEQ,
           arith::MaximumFOp::create(b.builder(), height, width), b.f(0));
  width = b.select(areZero, b.f(1), width);
  // Their sum must not overflow.
  Value largest = arith::MaximumFOp::create(b.builder(), height, width);
  Value isHuge =
      b.is(Predicate::OGT, largest, b.f(b.choose(0x1p1000, 0x1p120)));
  Value factor = b.select(isHuge, b.f(0.25), b.f(1));
  Value angle =
      expandAngle(b, b.mul(height, factor), b.mul(width, factor), isMirrored);
  return b.copySign(angle, y);
}

/// asin(|x|) for |x| <= 1/2, and asin(sqrt((1 - |x|) / 2)) beyond, which is
/// half of acos(|x|).
static Value expandSmallAsin(MathBuilder &b, Value magnitude, Value isLarge) {
  Value half = b.mul(b.sub(b.f(1), magnitude), b.f(0.5));
  Value z = b.select(isLarge, half, b.mul(magnitude, magnitude));
  Value s = b.select(isLarge, b.sqrt(half), magnitude);
  return b.fma(b.mul(s, z), b.polynomial(z, kAsinF64, kAsinF32), s);
}

Value memrev::expandAsin(MathBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  Value isLarge = b.is(Predicate::OGT, magnitude, b.f(0.5));
  Value t = expandSmallAsin(b, magnitude, isLarge);
  Value large = addAngle(b, b.f(1), 2, b.mul(t, b.f(-2)));
  return b.copySign(b.select(isLarge, large, t), x);
}

Value memrev::expandAcos(MathBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  Value isLarge = b.is(Predicate::OGT, magnitude, b.f(0.5));
  Value isNegative = b.is(Predicate::OLT, x, b.f(0));
  Value t = expandSmallAsin(b, magnitude, isLarge);
  // 2 t, pi - 2 t, or pi / 2 -+ t.
  Value n = b.select(isLarge, b.select(isNegative, b.f(2), b.f(0)), b.f(1));
  Value rest = b.select(isLarge, b.add(t, t), b.neg(t));
  return addAngle(b, n, 2, b.select(isNegative, b.neg(rest), rest));
}
