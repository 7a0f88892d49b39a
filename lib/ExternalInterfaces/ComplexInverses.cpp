//===- ComplexInverses.cpp - Inverses of complex operations ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The arithmetic of complex values is undone as that of floats is, by a factor
// whose absolute value is known not to be zero. A complex value gives the parts
// back that it was made of, and both parts give the value back. An exponential
// has no inverse: it has a period.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "ScalarRules.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/IR/DialectRegistry.h"
#include <limits>

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static Reads readResult(unsigned) { return {{}, {0}}; }

static Reads readResultAndOther(unsigned operand) {
  return {{1 - operand}, {0}};
}

static InverseQuality isExact(unsigned) { return {}; }

static InverseQuality losesDigits(unsigned) {
  return {InverseKind::Conditioned};
}

static double getInverseOfLeast(const Magnitude &other) {
  return 1 / other.least;
}

static double getGreatest(const Magnitude &other) { return other.greatest; }

static double getNoBound(const Magnitude &) {
  return std::numeric_limits<double>::infinity();
}

static InverseQuality getQualityOfMul(unsigned operand) {
  return {InverseKind::Conditioned, 1 - operand, getInverseOfLeast};
}

static InverseQuality getQualityOfDiv(unsigned operand) {
  return {InverseKind::Conditioned, 1 - operand,
          operand == 0 ? getGreatest : getNoBound};
}

static Value solveAdd(ScalarPoint &p, unsigned operand) {
  return complex::SubOp::create(p.builder, p.result(0), p.operand(1 - operand));
}

static Value solveSub(ScalarPoint &p, unsigned operand) {
  if (operand == 0)
    return complex::AddOp::create(p.builder, p.result(0), p.operand(1));
  return complex::SubOp::create(p.builder, p.operand(0), p.result(0));
}

static Value solveMul(ScalarPoint &p, unsigned operand) {
  return complex::DivOp::create(p.builder, p.result(0), p.operand(1 - operand));
}

static Value solveDiv(ScalarPoint &p, unsigned operand) {
  if (operand == 0)
    return complex::MulOp::create(p.builder, p.result(0), p.operand(1));
  return complex::DivOp::create(p.builder, p.operand(0), p.result(0));
}

/// The inverse `OpTy` of a function.
template <typename OpTy>
static Value solveBy(ScalarPoint &p, unsigned) {
  return OpTy::create(p.builder, p.result(0));
}

static Value solveSqrt(ScalarPoint &p, unsigned) {
  Value y = p.result(0);
  return complex::MulOp::create(p.builder, y, y);
}

static Value solveRsqrt(ScalarPoint &p, unsigned operand) {
  return complex::DivOp::create(p.builder, p.constant(1.0),
                                solveSqrt(p, operand));
}

static constexpr ScalarInverse addInverse{readResultAndOther, solveAdd,
                                          isExact};
static constexpr ScalarInverse subInverse{readResultAndOther, solveSub,
                                          isExact};
static constexpr ScalarInverse mulInverse{readResultAndOther, solveMul,
                                          getQualityOfMul};
static constexpr ScalarInverse divInverse{readResultAndOther, solveDiv,
                                          getQualityOfDiv};
static constexpr ScalarInverse negInverse{readResult, solveBy<complex::NegOp>,
                                          isExact};
static constexpr ScalarInverse conjInverse{readResult, solveBy<complex::ConjOp>,
                                           isExact};
static constexpr ScalarInverse logInverse{readResult, solveBy<complex::ExpOp>,
                                          losesDigits};
static constexpr ScalarInverse log1pInverse{
    readResult, solveBy<complex::Expm1Op>, losesDigits};
static constexpr ScalarInverse sqrtInverse{readResult, solveSqrt, losesDigits};
static constexpr ScalarInverse rsqrtInverse{readResult, solveRsqrt,
                                            losesDigits};

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

namespace {

/// A complex value gives both parts back; a body that solves for one of them
/// asks for that one.
struct CreateInverse
    : InvertibleOpInterface::ExternalModel<CreateInverse, complex::CreateOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    Value re = op->getOperand(0), im = op->getOperand(1);
    Value result = op->getResult(0);
    SmallVector<InverseEdge> edges;
    if (re != im)
      edges.push_back(InverseEdge::moving({re, im}, {result}));
    edges.push_back(InverseEdge{{re}, {result}});
    if (re != im)
      edges.push_back(InverseEdge{{im}, {result}});
    return edges;
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned edge) const {
    InverseEdge asked = getInverseEdges(op)[edge];
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    OpBuilder &b = ctx.getBuilder();
    for (Value part : asked.solved) {
      Value now;
      if (part == op->getOperand(0))
        now = complex::ReOp::create(b, op->getLoc(), result);
      else
        now = complex::ImOp::create(b, op->getLoc(), result);
      provideMoved(ctx, part, now, op->getResult(0));
    }
    return success();
  }
};

/// Both parts of a value give it back.
template <typename OpTy>
struct PartInverse
    : InvertibleOpInterface::ExternalModel<PartInverse<OpTy>, OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    Operation *other = getOtherPart(op);
    if (!other)
      return {};
    return {InverseEdge::moving({op->getOperand(0)},
                                {op->getResult(0), other->getResult(0)})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    Operation *re = op, *im = getOtherPart(op);
    if (isa<complex::ImOp>(op))
      std::swap(re, im);
    Value reNow = ctx.primal(re->getResult(0));
    Value imNow = ctx.primal(im->getResult(0));
    if (!reNow || !imNow)
      return failure();
    bool isRounded =
        ctx.isRounded(re->getResult(0)) || ctx.isRounded(im->getResult(0));
    ctx.provide(op->getOperand(0),
                complex::CreateOp::create(ctx.getBuilder(), op->getLoc(),
                                          op->getOperand(0).getType(), reNow,
                                          imNow),
                isRounded ? Precision::Rounded : Precision::Exact);
    return success();
  }

private:
  /// The first operation next to `op` that takes the other part of its operand,
  /// or null.
  static Operation *getOtherPart(Operation *op) {
    Operation *first = nullptr;
    for (Operation *user : op->getOperand(0).getUsers())
      if (isa<complex::ReOp, complex::ImOp>(user) &&
          user->getName() != op->getName() &&
          user->getBlock() == op->getBlock() &&
          (!first || user->isBeforeInBlock(first)))
        first = user;
    return first;
  }
};

} // namespace

void memrev::registerComplexInverses(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, complex::ComplexDialect *) {
    using namespace complex;
    AddOp::attachInterface<ScalarInverseModel<AddOp, addInverse>>(*c);
    SubOp::attachInterface<ScalarInverseModel<SubOp, subInverse>>(*c);
    MulOp::attachInterface<ScalarInverseModel<MulOp, mulInverse>>(*c);
    DivOp::attachInterface<ScalarInverseModel<DivOp, divInverse>>(*c);
    NegOp::attachInterface<ScalarInverseModel<NegOp, negInverse>>(*c);
    ConjOp::attachInterface<ScalarInverseModel<ConjOp, conjInverse>>(*c);
    LogOp::attachInterface<ScalarInverseModel<LogOp, logInverse>>(*c);
    Log1pOp::attachInterface<ScalarInverseModel<Log1pOp, log1pInverse>>(*c);
    SqrtOp::attachInterface<ScalarInverseModel<SqrtOp, sqrtInverse>>(*c);
    RsqrtOp::attachInterface<ScalarInverseModel<RsqrtOp, rsqrtInverse>>(*c);
    CreateOp::attachInterface<CreateInverse>(*c);
    ReOp::attachInterface<PartInverse<ReOp>>(*c);
    ImOp::attachInterface<PartInverse<ImOp>>(*c);
  });
}
