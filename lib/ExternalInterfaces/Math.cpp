//===- Math.cpp - Rules of math operations --------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Math/IR/Math.h"
#include "Models.h"
#include "ScalarRules.h"
#include "mlir/IR/DialectRegistry.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// The context of a formula: `dy` times what it returns is the derivative.
#define MEMREV_UNARY_RULE(Name, Base, ...)                                     \
  struct Name : Base {                                                         \
    static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned) {      \
      Value dy = p.cotangent;                                                  \
      [[maybe_unused]] auto constant = [&](double value) {                     \
        return constantLike(b, dy, value);                                     \
      };                                                                       \
      [[maybe_unused]] auto mul = [&](Value l, Value r) -> Value {             \
        return arith::MulFOp::create(b, l, r);                                 \
      };                                                                       \
      [[maybe_unused]] auto div = [&](Value l, Value r) -> Value {             \
        return arith::DivFOp::create(b, l, r);                                 \
      };                                                                       \
      [[maybe_unused]] auto add = [&](Value l, Value r) -> Value {             \
        return arith::AddFOp::create(b, l, r);                                 \
      };                                                                       \
      [[maybe_unused]] auto sub = [&](Value l, Value r) -> Value {             \
        return arith::SubFOp::create(b, l, r);                                 \
      };                                                                       \
      [[maybe_unused]] auto neg = [&](Value v) -> Value {                      \
        return arith::NegFOp::create(b, v);                                    \
      };                                                                       \
      __VA_ARGS__                                                              \
    }                                                                          \
  }

// Rules that read the result.
MEMREV_UNARY_RULE(ExpRule, ResultRule, return mul(dy, p.result()););
MEMREV_UNARY_RULE(Exp2Rule, ResultRule,
                  return mul(dy, mul(p.result(), constant(M_LN2))););
MEMREV_UNARY_RULE(ExpM1Rule, ResultRule,
                  return mul(dy, add(p.result(), constant(1))););
MEMREV_UNARY_RULE(SqrtRule, ResultRule,
                  return div(mul(dy, constant(0.5)), p.result()););
MEMREV_UNARY_RULE(RsqrtRule, ResultRule, {
  Value y = p.result();
  return mul(mul(dy, constant(-0.5)), mul(y, mul(y, y)));
});
MEMREV_UNARY_RULE(CbrtRule, ResultRule, {
  Value y = p.result();
  return div(dy, mul(constant(3), mul(y, y)));
});
MEMREV_UNARY_RULE(TanhRule, ResultRule, {
  Value y = p.result();
  return sub(dy, mul(dy, mul(y, y)));
});
MEMREV_UNARY_RULE(TanRule, ResultRule, {
  Value y = p.result();
  return add(dy, mul(dy, mul(y, y)));
});

// Rules that read the operand.
MEMREV_UNARY_RULE(LogRule, OperandRule, return div(dy, p.operand(0)););
MEMREV_UNARY_RULE(Log2Rule, OperandRule,
                  return div(dy, mul(p.operand(0), constant(M_LN2))););
MEMREV_UNARY_RULE(Log10Rule, OperandRule,
                  return div(dy, mul(p.operand(0), constant(M_LN10))););
MEMREV_UNARY_RULE(Log1pRule, OperandRule,
                  return div(dy, add(p.operand(0), constant(1))););
MEMREV_UNARY_RULE(SinRule, OperandRule,
                  return mul(dy, math::CosOp::create(b, p.operand(0))););
MEMREV_UNARY_RULE(CosRule, OperandRule,
                  return neg(mul(dy, math::SinOp::create(b, p.operand(0)))););
MEMREV_UNARY_RULE(SinhRule, OperandRule,
                  return mul(dy, math::CoshOp::create(b, p.operand(0))););
MEMREV_UNARY_RULE(CoshRule, OperandRule,
                  return mul(dy, math::SinhOp::create(b, p.operand(0))););
MEMREV_UNARY_RULE(AtanRule, OperandRule, {
  Value x = p.operand(0);
  return div(dy, add(constant(1), mul(x, x)));
});
MEMREV_UNARY_RULE(ErfRule, OperandRule, {
  Value x = p.operand(0);
  Value density = math::ExpOp::create(b, neg(mul(x, x)));
  return mul(dy, mul(constant(M_2_SQRTPI), density));
});

#undef MEMREV_UNARY_RULE

/// The sign of x, 0 at 0. Copying the sign would give 1 there.
struct AbsRule {
  static Reads reads(Operation *, unsigned) {
    return {{0}, false, Precision::Exact};
  }
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned) {
    Value x = p.operand(0), zero = constantLike(b, p.cotangent, 0.0);
    Value negative = arith::NegFOp::create(b, p.cotangent);
    Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, zero);
    Value below = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, zero);
    Value rest = arith::SelectOp::create(b, below, negative, zero);
    return arith::SelectOp::create(b, above, p.cotangent, rest);
  }
};

/// y = a^b: da = dy b a^(b-1), db = dy y log a, and 0 where a <= 0. The form
/// b y / a would be NaN at a = 0.
struct PowRule {
  static Reads reads(Operation *, unsigned i) { return {{0, 1}, i == 1}; }
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned i) {
    Value base = p.operand(0), exponent = p.operand(1);
    if (i == 0) {
      Value less =
          arith::SubFOp::create(b, exponent, constantLike(b, p.cotangent, 1.0));
      Value power = math::PowFOp::create(b, base, less);
      Value d = arith::MulFOp::create(
          b, p.cotangent, arith::MulFOp::create(b, exponent, power));
      // a^0 is 1 for every a; the formula is 0 * inf at a = 0.
      Value zero = constantLike(b, p.cotangent, 0.0);
      Value constant =
          arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, exponent, zero);
      return arith::SelectOp::create(b, constant, zero, d);
    }
    Value zero = constantLike(b, p.cotangent, 0.0);
    Value positive =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, base, zero);
    Value log = math::LogOp::create(b, base);
    Value d = arith::MulFOp::create(b, p.cotangent,
                                    arith::MulFOp::create(b, p.result(), log));
    return arith::SelectOp::create(b, positive, d, zero);
  }
};

/// y = a * b + c.
struct FmaRule {
  static Reads reads(Operation *, unsigned i) {
    return i == 2 ? Reads{} : Reads{{1 - i}};
  }
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned i) {
    if (i == 2)
      return p.cotangent;
    return arith::MulFOp::create(b, p.cotangent, p.operand(1 - i));
  }
};

} // namespace

void memrev::registerMathModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, math::MathDialect *) {
    using namespace math;
    AbsFOp::attachInterface<ScalarModel<AbsFOp, AbsRule>,
                            ScalarTangentModel<AbsFOp, AbsRule>>(*c);
    AtanOp::attachInterface<ScalarModel<AtanOp, AtanRule>,
                            ScalarTangentModel<AtanOp, AtanRule>>(*c);
    CbrtOp::attachInterface<ScalarModel<CbrtOp, CbrtRule>,
                            ScalarTangentModel<CbrtOp, CbrtRule>>(*c);
    CosOp::attachInterface<ScalarModel<CosOp, CosRule>,
                           ScalarTangentModel<CosOp, CosRule>>(*c);
    CoshOp::attachInterface<ScalarModel<CoshOp, CoshRule>,
                            ScalarTangentModel<CoshOp, CoshRule>>(*c);
    ErfOp::attachInterface<ScalarModel<ErfOp, ErfRule>,
                           ScalarTangentModel<ErfOp, ErfRule>>(*c);
    Exp2Op::attachInterface<ScalarModel<Exp2Op, Exp2Rule>,
                            ScalarTangentModel<Exp2Op, Exp2Rule>>(*c);
    ExpM1Op::attachInterface<ScalarModel<ExpM1Op, ExpM1Rule>,
                             ScalarTangentModel<ExpM1Op, ExpM1Rule>>(*c);
    ExpOp::attachInterface<ScalarModel<ExpOp, ExpRule>,
                           ScalarTangentModel<ExpOp, ExpRule>>(*c);
    FmaOp::attachInterface<ScalarModel<FmaOp, FmaRule>,
                           ScalarTangentModel<FmaOp, FmaRule>>(*c);
    Log10Op::attachInterface<ScalarModel<Log10Op, Log10Rule>,
                             ScalarTangentModel<Log10Op, Log10Rule>>(*c);
    Log1pOp::attachInterface<ScalarModel<Log1pOp, Log1pRule>,
                             ScalarTangentModel<Log1pOp, Log1pRule>>(*c);
    Log2Op::attachInterface<ScalarModel<Log2Op, Log2Rule>,
                            ScalarTangentModel<Log2Op, Log2Rule>>(*c);
    LogOp::attachInterface<ScalarModel<LogOp, LogRule>,
                           ScalarTangentModel<LogOp, LogRule>>(*c);
    PowFOp::attachInterface<ScalarModel<PowFOp, PowRule>,
                            ScalarTangentModel<PowFOp, PowRule>>(*c);
    RsqrtOp::attachInterface<ScalarModel<RsqrtOp, RsqrtRule>,
                             ScalarTangentModel<RsqrtOp, RsqrtRule>>(*c);
    SinOp::attachInterface<ScalarModel<SinOp, SinRule>,
                           ScalarTangentModel<SinOp, SinRule>>(*c);
    SinhOp::attachInterface<ScalarModel<SinhOp, SinhRule>,
                            ScalarTangentModel<SinhOp, SinhRule>>(*c);
    SqrtOp::attachInterface<ScalarModel<SqrtOp, SqrtRule>,
                            ScalarTangentModel<SqrtOp, SqrtRule>>(*c);
    TanOp::attachInterface<ScalarModel<TanOp, TanRule>,
                           ScalarTangentModel<TanOp, TanRule>>(*c);
    TanhOp::attachInterface<ScalarModel<TanhOp, TanhRule>,
                            ScalarTangentModel<TanhOp, TanhRule>>(*c);
  });
}
