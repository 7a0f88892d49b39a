//===- ExpandMath.cpp - Expand math functions in kernels ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/GPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <cmath>
#include <limits>

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUEXPANDMATH
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using Predicate = arith::CmpFPredicate;

/// ln 2 in two parts; the first ends in zeros, so that its product with an
/// exponent is exact.
static constexpr double kLn2High = 0x1.62e42feep-1;
static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
static constexpr double kLn2 = 0x1.62e42fefa39efp-1;
static constexpr double kLog2E = 0x1.71547652b82fep+0;
static constexpr double kSqrt2 = 0x1.6a09e667f3bcdp+0;
static constexpr double kHalfPi = 0x1.921fb54442d18p+0;
static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

namespace {
/// Emits arithmetic on floats of one type in short notation.
class FloatBuilder {
public:
  FloatBuilder(Location loc, OpBuilder &builder, Type type)
      : b(loc, builder), type(type) {}

  Value f(double value) {
    return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
  }
  Value i(int64_t value) {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
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
  Value copySign(Value x, Value sign) {
    return math::CopySignOp::create(b, x, sign);
  }
  Value addi(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value subi(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value andi(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value ori(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value shl(Value x, int64_t n) { return arith::ShLIOp::create(b, x, i(n)); }
  Value shr(Value x, int64_t n) { return arith::ShRSIOp::create(b, x, i(n)); }
  Value is(Predicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  Value bits(Value x) { return arith::BitcastOp::create(b, b.getI64Type(), x); }
  Value fromBits(Value x) { return arith::BitcastOp::create(b, type, x); }
  Value toInteger(Value x) {
    return arith::FPToSIOp::create(b, b.getI64Type(), x);
  }
  Value toFloat(Value x) { return arith::SIToFPOp::create(b, type, x); }
  Value round(Value x) { return math::RoundEvenOp::create(b, x); }

  /// Evaluates a polynomial of `x`, the constant coefficient first.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value result = f(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      result = fma(result, x, f(coefficient));
    return result;
  }

private:
  ImplicitLocOpBuilder b;
  Type type;
};
} // namespace

/// exp(x) = 2^k exp(r) with k the integer next to x / ln 2.
static Value expandExp(FloatBuilder &b, Value x) {
  // Beyond these bounds the result is 0 or infinite all the same.
  Value y = b.select(b.is(Predicate::OGT, x, b.f(720)), b.f(720), x);
  y = b.select(b.is(Predicate::OLT, x, b.f(-760)), b.f(-760), y);
  Value k = b.round(b.mul(y, b.f(kLog2E)));
  Value r = b.fma(b.neg(k), b.f(kLn2High), y);
  r = b.fma(b.neg(k), b.f(kLn2Low), r);

  // Taylor's series, to the term that is below 1e-17 at ln 2 / 2.
  SmallVector<double> coefficients = {1.0};
  for (int n = 1; n <= 13; ++n)
    coefficients.push_back(coefficients.back() / n);
  Value result = b.polynomial(r, coefficients);

  // Two factors, because 2^k alone may be out of range. NaN has no integer,
  // and r carries it to the result already.
  Value isNaN = b.is(Predicate::UNO, x, x);
  Value exponent = b.toInteger(b.select(isNaN, b.f(0), k));
  Value half = b.shr(exponent, 1);
  Value rest = b.subi(exponent, half);
  result = b.mul(result, b.fromBits(b.shl(b.addi(half, b.i(1023)), 52)));
  return b.mul(result, b.fromBits(b.shl(b.addi(rest, b.i(1023)), 52)));
}

/// log(x) = e ln 2 + log(1 + f) with 1 + f between sqrt(1/2) and sqrt(2).
static Value expandLog(FloatBuilder &b, Value x) {
  Value isTiny = b.is(Predicate::OLT, x, b.f(0x1p-1022));
  Value bits = b.bits(b.select(isTiny, b.mul(x, b.f(0x1p54)), x));
  Value exponent =
      b.subi(b.shr(bits, 52), b.select(isTiny, b.i(1023 + 54), b.i(1023)));
  Value m = b.fromBits(
      b.ori(b.andi(bits, b.i(0x000fffffffffffff)), b.i(0x3ff0000000000000)));
  Value isLarge = b.is(Predicate::OGT, m, b.f(kSqrt2));
  m = b.select(isLarge, b.mul(m, b.f(0.5)), m);
  exponent = b.addi(exponent, b.select(isLarge, b.i(1), b.i(0)));
  Value e = b.toFloat(exponent);

  // log(1 + f) = 2 atanh(s) with s = f / (2 + f). The term f of its series is
  // exact and added last.
  Value f = b.sub(m, b.f(1));
  Value s = b.div(f, b.add(f, b.f(2)));
  Value z = b.mul(s, s);
  SmallVector<double> coefficients;
  for (int n = 3; n <= 25; n += 2)
    coefficients.push_back(2.0 / n);
  Value series = b.mul(z, b.polynomial(z, coefficients));
  Value halfSquare = b.mul(b.f(0.5), b.mul(f, f));
  Value low = b.fma(e, b.f(kLn2Low), b.mul(s, b.add(halfSquare, series)));
  Value result = b.fma(e, b.f(kLn2High), b.sub(f, b.sub(halfSquare, low)));

  result = b.select(b.is(Predicate::UEQ, x, b.f(kInfinity)), x, result);
  result = b.select(b.is(Predicate::OEQ, x, b.f(0)), b.f(-kInfinity), result);
  return b.select(b.is(Predicate::OLT, x, b.f(0)), b.f(kNaN), result);
}

/// log(1 + x) from the logarithm of u, which is 1 + x rounded: what rounding
/// took away is put back by the factor x / (u - 1).
static Value expandLog1p(FloatBuilder &b, Value x) {
  Value u = b.add(x, b.f(1));
  Value result = b.mul(expandLog(b, u), b.div(x, b.sub(u, b.f(1))));
  result = b.select(b.is(Predicate::OEQ, u, b.f(1)), x, result);
  return b.select(b.is(Predicate::OEQ, u, b.f(kInfinity)), u, result);
}

/// exp(x) - 1 from u, which is exp(x) rounded, in the same way.
static Value expandExpM1(FloatBuilder &b, Value x) {
  Value u = expandExp(b, x);
  Value difference = b.sub(u, b.f(1));
  Value result = b.mul(difference, b.div(x, expandLog(b, u)));
  result = b.select(b.is(Predicate::OEQ, u, b.f(1)), x, result);
  result =
      b.select(b.is(Predicate::OEQ, difference, b.f(-1)), difference, result);
  return b.select(b.is(Predicate::OEQ, u, b.f(kInfinity)), u, result);
}

/// tanh(x) = t / (t + 2) with t = exp(2 |x|) - 1, and 1 beyond 20.
static Value expandTanh(FloatBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  Value large = b.is(Predicate::OGT, magnitude, b.f(20));
  magnitude = b.select(large, b.f(20), magnitude);
  Value t = expandExpM1(b, b.mul(magnitude, b.f(2)));
  return b.copySign(b.div(t, b.add(t, b.f(2))), x);
}

/// atan(x) by halving the angle twice, then by its series.
static Value expandAtan(FloatBuilder &b, Value x) {
  Value magnitude = b.abs(x);
  Value large = b.is(Predicate::OGT, magnitude, b.f(1));
  Value y = b.select(large, b.div(b.f(1), magnitude), magnitude);
  for (int halving = 0; halving < 2; ++halving)
    y = b.div(y, b.add(b.f(1), b.sqrt(b.fma(y, y, b.f(1)))));
  // The angle is now below pi / 16 and the term left out below 1e-18.
  SmallVector<double> coefficients;
  for (int n = 1; n <= 25; n += 2)
    coefficients.push_back((n % 4 == 1 ? 4.0 : -4.0) / n);
  Value result = b.mul(y, b.polynomial(b.mul(y, y), coefficients));
  result = b.select(large, b.sub(b.f(kHalfPi), result), result);
  return b.copySign(result, x);
}

static Value expandLog2(FloatBuilder &b, Value x) {
  return b.mul(expandLog(b, x), b.f(kLog2E));
}

static Value expandLog10(FloatBuilder &b, Value x) {
  constexpr double log10E = 0x1.bcb7b1526e50ep-2;
  return b.mul(expandLog(b, x), b.f(log10E));
}

static Value expandExp2(FloatBuilder &b, Value x) {
  return expandExp(b, b.mul(x, b.f(kLn2)));
}

namespace {
/// Expands a function of one operand of type f64 with `Expand`, and one of type
/// f32 too if `WithF32`.
template <typename OpTy, Value (*Expand)(FloatBuilder &, Value),
          bool WithF32 = false>
struct FloatExpansion : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF64() && !(WithF32 && op.getType().isF32()))
      return rewriter.notifyMatchFailure(op, "of a type expanded elsewhere");
    FloatBuilder builder(op.getLoc(), rewriter, op.getType());
    rewriter.replaceOp(op, Expand(builder, op.getOperand()));
    return success();
  }
};

/// Expands a clamp to min(max(value, low), high). Upstream's expansion takes
/// the bounds the wrong way round.
struct ClampExpansion : OpRewritePattern<math::ClampFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ClampFOp op,
                                PatternRewriter &rewriter) const override {
    Value raised = arith::MaximumFOp::create(rewriter, op.getLoc(),
                                             op.getValue(), op.getMin());
    rewriter.replaceOpWithNewOp<arith::MinimumFOp>(op, raised, op.getMax());
    return success();
  }
};

/// Expands a sincos, for which upstream has no expansion.
struct SincosExpansion : OpRewritePattern<math::SincosOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::SincosOp op,
                                PatternRewriter &rewriter) const override {
    Value sine = math::SinOp::create(rewriter, op.getLoc(), op.getOperand());
    Value cosine = math::CosOp::create(rewriter, op.getLoc(), op.getOperand());
    rewriter.replaceOp(op, {sine, cosine});
    return success();
  }
};

struct GPUExpandMath : memrev::impl::GPUExpandMathBase<GPUExpandMath> {
  void runOnOperation() override {
    // Upstream's approximations are for f32, and good to a few units in the
    // last place but for atan.
    RewritePatternSet patterns(&getContext());
    patterns.add<FloatExpansion<math::ExpOp, expandExp>,
                 FloatExpansion<math::Exp2Op, expandExp2>,
                 FloatExpansion<math::ExpM1Op, expandExpM1>,
                 FloatExpansion<math::LogOp, expandLog>,
                 FloatExpansion<math::Log2Op, expandLog2>,
                 FloatExpansion<math::Log10Op, expandLog10>,
                 FloatExpansion<math::Log1pOp, expandLog1p>,
                 FloatExpansion<math::TanhOp, expandTanh>,
                 FloatExpansion<math::AtanOp, expandAtan, true>>(&getContext(),
                                                                 /*benefit=*/2);
    auto all = [](StringRef) { return true; };
    patterns.add<ClampExpansion, SincosExpansion>(&getContext());
    populateMathF32ExpansionPatterns(patterns, all);
    populateMathPolynomialApproximationPatterns(patterns, all);
    math::populateExpansionPatterns(patterns, {"sinh", "cosh", "tan", "asinh",
                                               "acosh", "atanh", "exp2", "powf",
                                               "fpowi", "ipowi"});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();

    WalkResult result = getOperation().walk([](Operation *op) {
      if (!isa<math::MathDialect>(op->getDialect()) || hasInstruction(op))
        return WalkResult::advance();
      op->emitOpError("expects a function that can be expanded for the GPU, "
                      "but got one on ")
          << op->getResult(0).getType();
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  /// Returns true if the backend has instructions for `op`.
  static bool hasInstruction(Operation *op) {
    return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
               math::CountLeadingZerosOp, math::CountTrailingZerosOp,
               math::CtPopOp, math::FloorOp, math::FmaOp, math::IsFiniteOp,
               math::IsInfOp, math::IsNaNOp, math::IsNormalOp,
               math::RoundEvenOp, math::RoundOp, math::RsqrtOp, math::SqrtOp,
               math::TruncOp>(op);
  }
};
} // namespace
