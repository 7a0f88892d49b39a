//===- Complex.cpp - Rules of complex operations --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A complex value is a pair of reals, and its cotangent is the pair of their
// cotangents. So the derivative of a holomorphic function y = f(z) is
//
//   z~ = conj(f'(z)) y~   and   y. = f'(z) z.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "Models.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// A point at which a derivative is evaluated.
struct ComplexPoint {
  Operation *op;
  function_ref<Value(Value)> primal;

  Value operand(unsigned i = 0) const { return primal(op->getOperand(i)); }
  Value result() const { return primal(op->getResult(0)); }
};

/// What a derivative with respect to an operand reads.
struct ComplexReads {
  SmallVector<unsigned, 2> operands;
  bool result = false;
};

} // namespace

static Value mul(ImplicitLocOpBuilder &b, Value x, Value y) {
  return complex::MulOp::create(b, x, y);
}

static Value div(ImplicitLocOpBuilder &b, Value x, Value y) {
  return complex::DivOp::create(b, x, y);
}

static Value neg(ImplicitLocOpBuilder &b, Value x) {
  return complex::NegOp::create(b, x);
}

static Value create(ImplicitLocOpBuilder &b, Value re, Value im) {
  return complex::CreateOp::create(b, ComplexType::get(re.getType()), re, im);
}

static Value re(ImplicitLocOpBuilder &b, Value z) {
  return complex::ReOp::create(b, z);
}

static Value im(ImplicitLocOpBuilder &b, Value z) {
  return complex::ImOp::create(b, z);
}

static Value zeroLike(ImplicitLocOpBuilder &b, Value real) {
  return arith::ConstantOp::create(b, b.getZeroAttr(real.getType()));
}

/// The real number `value` of the type of `like`.
static Value constant(ImplicitLocOpBuilder &b, Value like, double value) {
  Type type = like.getType();
  Attribute real =
      b.getFloatAttr(cast<ComplexType>(type).getElementType(), value);
  Attribute zero =
      b.getFloatAttr(cast<ComplexType>(type).getElementType(), 0.0);
  return complex::ConstantOp::create(b, type, b.getArrayAttr({real, zero}));
}

namespace {

//===----------------------------------------------------------------------===//
// Holomorphic functions
//===----------------------------------------------------------------------===//

/// The models of a holomorphic function. `Rule` has
///   static ComplexReads reads(unsigned i);
///   static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p,
///                      unsigned i, Value d);
/// which emits `d` times the derivative with respect to operand `i`. In reverse
/// mode the point has the conjugates of the primal values: conj commutes with
/// all that the rules are made of, so the result is the conjugate's multiple.
template <typename OpTy, typename Rule>
struct HolomorphicModel
    : DifferentiableOpInterface::ExternalModel<HolomorphicModel<OpTy, Rule>,
                                               OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)> isActive,
                    SmallVectorImpl<Residual> &residuals) const {
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      if (!isActive(operand))
        continue;
      ComplexReads reads = Rule::reads(i);
      for (unsigned k : reads.operands)
        residuals.push_back(op->getOperand(k));
      if (reads.result)
        residuals.push_back(op->getResult(0));
    }
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    Value cotangent = ctx.cotangent(op->getResult(0));
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      if (!ctx.isActive(operand))
        continue;
      ComplexReads reads = Rule::reads(i);
      for (unsigned k : reads.operands)
        if (!ctx.primal(op->getOperand(k)))
          return failure();
      if (reads.result && !ctx.primal(op->getResult(0)))
        return failure();
      ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
      auto primal = [&](Value v) -> Value {
        return complex::ConjOp::create(b, ctx.primal(v));
      };
      ctx.accumulate(operand,
                     Rule::apply(b, ComplexPoint{op, primal}, i, cotangent));
    }
    return success();
  }
};

template <typename OpTy, typename Rule>
struct HolomorphicTangentModel
    : ForwardDifferentiableOpInterface::ExternalModel<
          HolomorphicTangentModel<OpTy, Rule>, OpTy> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      Value tangent = ctx.tangent(operand);
      if (!tangent)
        continue;
      ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
      auto primal = [](Value v) { return v; };
      ctx.addTangent(op->getResult(0),
                     Rule::apply(b, ComplexPoint{op, primal}, i, tangent));
    }
    return success();
  }
};

struct AddRule {
  static ComplexReads reads(unsigned) { return {}; }
  static Value apply(ImplicitLocOpBuilder &, const ComplexPoint &, unsigned,
                     Value d) {
    return d;
  }
};

struct SubRule : AddRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &, unsigned i,
                     Value d) {
    return i == 0 ? d : neg(b, d);
  }
};

struct NegRule : AddRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &, unsigned,
                     Value d) {
    return neg(b, d);
  }
};

struct MulRule {
  static ComplexReads reads(unsigned i) { return {{1 - i}}; }
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned i,
                     Value d) {
    return mul(b, d, p.operand(1 - i));
  }
};

struct DivRule {
  static ComplexReads reads(unsigned i) { return {{1}, i == 1}; }
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned i,
                     Value d) {
    Value quotient = div(b, d, p.operand(1));
    return i == 0 ? quotient : neg(b, mul(b, quotient, p.result()));
  }
};

struct OperandRule {
  static ComplexReads reads(unsigned) { return {{0}}; }
};

struct ResultRule {
  static ComplexReads reads(unsigned) { return {{}, true}; }
};

struct ExpRule : ResultRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    return mul(b, d, p.result());
  }
};

struct Expm1Rule : OperandRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    return mul(b, d, complex::ExpOp::create(b, p.operand()));
  }
};

struct LogRule : OperandRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    return div(b, d, p.operand());
  }
};

struct Log1pRule : OperandRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    Value z = p.operand();
    return div(b, d, complex::AddOp::create(b, constant(b, z, 1.0), z));
  }
};

struct SqrtRule : ResultRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    Value y = p.result();
    return div(b, mul(b, d, constant(b, y, 0.5)), y);
  }
};

/// y = 1 / sqrt(z): dy = -y dz / 2z.
struct RsqrtRule {
  static ComplexReads reads(unsigned) { return {{0}, true}; }
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    Value y = p.result();
    return div(b, mul(b, mul(b, d, constant(b, y, -0.5)), y), p.operand());
  }
};

struct SinRule : OperandRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    return mul(b, d, complex::CosOp::create(b, p.operand()));
  }
};

struct CosRule : OperandRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    return neg(b, mul(b, d, complex::SinOp::create(b, p.operand())));
  }
};

struct TanhRule : ResultRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    Value y = p.result();
    return complex::SubOp::create(b, d, mul(b, mul(b, d, y), y));
  }
};

struct TanRule : ResultRule {
  static Value apply(ImplicitLocOpBuilder &b, const ComplexPoint &p, unsigned,
                     Value d) {
    Value y = p.result();
    return complex::AddOp::create(b, d, mul(b, mul(b, d, y), y));
  }
};

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// An operation that is linear over the reals: its tangent is the same
/// operation on tangents.
template <typename OpTy>
struct RealLinearTangentModel : ForwardDifferentiableOpInterface::ExternalModel<
                                    RealLinearTangentModel<OpTy>, OpTy> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    IRMapping tangents;
    for (Value operand : op->getOperands())
      tangents.map(operand, ctx.tangentOrZero(operand));
    ctx.setTangent(op->getResult(0),
                   ctx.getBuilder().clone(*op, tangents)->getResult(0));
    return success();
  }
};

struct CreateModel
    : DifferentiableOpInterface::ExternalModel<CreateModel, complex::CreateOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
    Value cotangent = ctx.cotangent(op->getResult(0));
    if (ctx.isActive(op->getOperand(0)))
      ctx.accumulate(op->getOperand(0), re(b, cotangent));
    if (ctx.isActive(op->getOperand(1)))
      ctx.accumulate(op->getOperand(1), im(b, cotangent));
    return success();
  }
};

struct ReModel
    : DifferentiableOpInterface::ExternalModel<ReModel, complex::ReOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
    Value cotangent = ctx.cotangent(op->getResult(0));
    ctx.accumulate(op->getOperand(0),
                   create(b, cotangent, zeroLike(b, cotangent)));
    return success();
  }
};

struct ImModel
    : DifferentiableOpInterface::ExternalModel<ImModel, complex::ImOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
    Value cotangent = ctx.cotangent(op->getResult(0));
    ctx.accumulate(op->getOperand(0),
                   create(b, zeroLike(b, cotangent), cotangent));
    return success();
  }
};

struct ConjModel
    : DifferentiableOpInterface::ExternalModel<ConjModel, complex::ConjOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
    ctx.accumulate(op->getOperand(0),
                   complex::ConjOp::create(b, ctx.cotangent(op->getResult(0))));
    return success();
  }
};

/// A real function of a complex number. `Rule::gradient` emits the pair of its
/// partial derivatives at z as a complex number; it reads z and the value y.
template <typename OpTy, typename Rule>
struct RealModel
    : DifferentiableOpInterface::ExternalModel<RealModel<OpTy, Rule>, OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    residuals.push_back(op->getOperand(0));
    if (Rule::readsResult)
      residuals.push_back(op->getResult(0));
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    Value z = ctx.primal(op->getOperand(0)), y;
    if (Rule::readsResult)
      y = ctx.primal(op->getResult(0));
    if (!z || (Rule::readsResult && !y))
      return failure();
    ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
    Value gradient = Rule::gradient(b, z, y);
    Value cotangent = ctx.cotangent(op->getResult(0));
    Value real = arith::MulFOp::create(b, cotangent, re(b, gradient));
    Value imaginary = arith::MulFOp::create(b, cotangent, im(b, gradient));
    ctx.accumulate(op->getOperand(0), create(b, real, imaginary));
    return success();
  }
};

template <typename OpTy, typename Rule>
struct RealTangentModel : ForwardDifferentiableOpInterface::ExternalModel<
                              RealTangentModel<OpTy, Rule>, OpTy> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    ImplicitLocOpBuilder b(op->getLoc(), ctx.getBuilder());
    Value gradient = Rule::gradient(b, op->getOperand(0), op->getResult(0));
    Value tangent = ctx.tangent(op->getOperand(0));
    Value real = arith::MulFOp::create(b, re(b, gradient), re(b, tangent));
    Value imaginary = arith::MulFOp::create(b, im(b, gradient), im(b, tangent));
    ctx.setTangent(op->getResult(0), arith::AddFOp::create(b, real, imaginary));
    return success();
  }
};

/// z / |z|, and 0 where z is.
struct AbsRule {
  static constexpr bool readsResult = true;
  static Value gradient(ImplicitLocOpBuilder &b, Value z, Value y) {
    Value zero = zeroLike(b, y);
    Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, y, zero);
    Value one = arith::ConstantOp::create(b, b.getFloatAttr(y.getType(), 1.0));
    Value divisor = arith::SelectOp::create(b, isZero, one, y);
    return create(b, arith::DivFOp::create(b, re(b, z), divisor),
                  arith::DivFOp::create(b, im(b, z), divisor));
  }
};

/// i z / |z|^2 = i / conj(z).
struct AngleRule {
  static constexpr bool readsResult = false;
  static Value gradient(ImplicitLocOpBuilder &b, Value z, Value) {
    Attribute zero =
        b.getZeroAttr(cast<ComplexType>(z.getType()).getElementType());
    Attribute one =
        b.getFloatAttr(cast<ComplexType>(z.getType()).getElementType(), 1.0);
    Value i = complex::ConstantOp::create(b, z.getType(),
                                          b.getArrayAttr({zero, one}));
    return div(b, i, complex::ConjOp::create(b, z));
  }
};

} // namespace

template <typename OpTy, typename Rule>
static void attach(MLIRContext *c) {
  OpTy::template attachInterface<HolomorphicModel<OpTy, Rule>,
                                 HolomorphicTangentModel<OpTy, Rule>>(*c);
}

void memrev::registerComplexModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, complex::ComplexDialect *) {
    using namespace complex;
    attach<AddOp, AddRule>(c);
    attach<SubOp, SubRule>(c);
    attach<NegOp, NegRule>(c);
    attach<MulOp, MulRule>(c);
    attach<DivOp, DivRule>(c);
    attach<ExpOp, ExpRule>(c);
    attach<Expm1Op, Expm1Rule>(c);
    attach<LogOp, LogRule>(c);
    attach<Log1pOp, Log1pRule>(c);
    attach<SqrtOp, SqrtRule>(c);
    attach<RsqrtOp, RsqrtRule>(c);
    attach<SinOp, SinRule>(c);
    attach<CosOp, CosRule>(c);
    attach<TanhOp, TanhRule>(c);
    attach<TanOp, TanRule>(c);
    CreateOp::attachInterface<CreateModel, RealLinearTangentModel<CreateOp>>(
        *c);
    ReOp::attachInterface<ReModel, RealLinearTangentModel<ReOp>>(*c);
    ImOp::attachInterface<ImModel, RealLinearTangentModel<ImOp>>(*c);
    ConjOp::attachInterface<ConjModel, RealLinearTangentModel<ConjOp>>(*c);
    AbsOp::attachInterface<RealModel<AbsOp, AbsRule>,
                           RealTangentModel<AbsOp, AbsRule>>(*c);
    AngleOp::attachInterface<RealModel<AngleOp, AngleRule>,
                             RealTangentModel<AngleOp, AngleRule>>(*c);
  });
}
