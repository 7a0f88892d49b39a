//===- Arith.cpp - Rules of arith operations ------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "ScalarRules.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

struct AddRule : LinearRule {
  static Value vjp(ImplicitLocOpBuilder &, ScalarPoint &p, unsigned) {
    return p.cotangent;
  }
};

struct SubRule : LinearRule {
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned i) {
    return i == 0 ? p.cotangent : arith::NegFOp::create(b, p.cotangent);
  }
};

struct NegRule : LinearRule {
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned) {
    return arith::NegFOp::create(b, p.cotangent);
  }
};

struct MulRule {
  static Reads reads(Operation *, unsigned i) { return {{1 - i}}; }
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned i) {
    return arith::MulFOp::create(b, p.cotangent, p.operand(1 - i));
  }
};

/// y = a / b: da = dy / b, db = -da * y. Reading y avoids b * b, which
/// overflows where the derivative does not.
struct DivRule {
  static Reads reads(Operation *, unsigned i) { return {{1}, i == 1}; }
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned i) {
    Value quotient = arith::DivFOp::create(b, p.cotangent, p.operand(1));
    if (i == 0)
      return quotient;
    return arith::NegFOp::create(
        b, arith::MulFOp::create(b, quotient, p.result()));
  }
};

/// The larger (or smaller) operand gets the cotangent. Two operands that are
/// both differentiated share it where they tie; against a constant the operand
/// gets nothing there, so that max(x, 0) has the derivative of a relu.
template <arith::CmpFPredicate predicate>
struct ExtremumRule {
  static Reads reads(Operation *, unsigned) {
    return {{0, 1}, false, Precision::Exact};
  }
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned i) {
    Value mine = p.operand(i), other = p.operand(1 - i);
    Value zero = constantLike(b, p.cotangent, 0.0);
    Value wins = arith::CmpFOp::create(b, predicate, mine, other);
    Value won = arith::SelectOp::create(b, wins, p.cotangent, zero);
    if (!p.isActive(p.op->getOperand(1 - i)))
      return won;
    Value ties =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, mine, other);
    Value half = arith::MulFOp::create(b, p.cotangent,
                                       constantLike(b, p.cotangent, 0.5));
    return arith::SelectOp::create(b, ties, half, won);
  }
};

/// Selects the cotangent rather than multiplying by a mask: 0 * NaN is NaN.
struct SelectRule {
  static Reads reads(Operation *, unsigned) {
    return {{0}, false, Precision::Exact};
  }
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned i) {
    Value zero = constantLike(b, p.cotangent, 0.0);
    return i == 1 ? arith::SelectOp::create(b, p.operand(0), p.cotangent, zero)
                  : arith::SelectOp::create(b, p.operand(0), zero, p.cotangent);
  }
};

struct ExtendRule : LinearRule {
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned) {
    return arith::TruncFOp::create(b, p.op->getOperand(0).getType(),
                                   p.cotangent);
  }
};

struct TruncateRule : LinearRule {
  static Value vjp(ImplicitLocOpBuilder &b, ScalarPoint &p, unsigned) {
    return arith::ExtFOp::create(b, p.op->getOperand(0).getType(), p.cotangent);
  }
};

//===----------------------------------------------------------------------===//
// Inverses
//===----------------------------------------------------------------------===//

/// An operation with an inverse edge for each operand. `Solve` has
///   static Value solve(OpBuilder &b, Location loc, unsigned i, Value result,
///                      Value other);
template <typename OpTy, typename Solve>
struct SolvableModel
    : InvertibleOpInterface::ExternalModel<SolvableModel<OpTy, Solve>, OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    Value result = op->getResult(0);
    if (op->getNumOperands() == 1)
      return {{{op->getOperand(0)}, {result}}};
    Value lhs = op->getOperand(0), rhs = op->getOperand(1);
    // x + x gives x back too, but by another formula.
    if (lhs == rhs)
      return {};
    return {{{lhs}, {result, rhs}}, {{rhs}, {result, lhs}}};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned edge) const {
    Value result = ctx.primal(op->getResult(0)), other;
    if (!result)
      return failure();
    if (op->getNumOperands() == 2) {
      other = ctx.primal(op->getOperand(1 - edge));
      if (!other)
        return failure();
    }
    ctx.provide(
        op->getOperand(edge),
        Solve::solve(ctx.getBuilder(), op->getLoc(), edge, result, other),
        Precision::Rounded);
    return success();
  }
};

struct SolveAdd {
  static Value solve(OpBuilder &b, Location loc, unsigned, Value result,
                     Value other) {
    return arith::SubFOp::create(b, loc, result, other);
  }
};

struct SolveSub {
  static Value solve(OpBuilder &b, Location loc, unsigned i, Value result,
                     Value other) {
    return i == 0 ? arith::AddFOp::create(b, loc, result, other).getResult()
                  : arith::SubFOp::create(b, loc, other, result).getResult();
  }
};

struct SolveNeg {
  static Value solve(OpBuilder &b, Location loc, unsigned, Value result,
                     Value) {
    return arith::NegFOp::create(b, loc, result);
  }
};

} // namespace

void memrev::registerArithModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, arith::ArithDialect *) {
    using Predicate = arith::CmpFPredicate;
    using Larger = ExtremumRule<Predicate::OGT>;
    using Smaller = ExtremumRule<Predicate::OLT>;
    using namespace arith;
    AddFOp::attachInterface<ScalarModel<AddFOp, AddRule>,
                            ScalarTangentModel<AddFOp, AddRule>,
                            SolvableModel<AddFOp, SolveAdd>>(*c);
    SubFOp::attachInterface<ScalarModel<SubFOp, SubRule>,
                            ScalarTangentModel<SubFOp, SubRule>,
                            SolvableModel<SubFOp, SolveSub>>(*c);
    NegFOp::attachInterface<ScalarModel<NegFOp, NegRule>,
                            ScalarTangentModel<NegFOp, NegRule>,
                            SolvableModel<NegFOp, SolveNeg>>(*c);
    MulFOp::attachInterface<ScalarModel<MulFOp, MulRule>,
                            ScalarTangentModel<MulFOp, MulRule>>(*c);
    DivFOp::attachInterface<ScalarModel<DivFOp, DivRule>,
                            ScalarTangentModel<DivFOp, DivRule>>(*c);
    MaximumFOp::attachInterface<ScalarModel<MaximumFOp, Larger>,
                                ScalarTangentModel<MaximumFOp, Larger>>(*c);
    MaxNumFOp::attachInterface<ScalarModel<MaxNumFOp, Larger>,
                               ScalarTangentModel<MaxNumFOp, Larger>>(*c);
    MinimumFOp::attachInterface<ScalarModel<MinimumFOp, Smaller>,
                                ScalarTangentModel<MinimumFOp, Smaller>>(*c);
    MinNumFOp::attachInterface<ScalarModel<MinNumFOp, Smaller>,
                               ScalarTangentModel<MinNumFOp, Smaller>>(*c);
    SelectOp::attachInterface<ScalarModel<SelectOp, SelectRule>,
                              ScalarTangentModel<SelectOp, SelectRule>>(*c);
    ExtFOp::attachInterface<ScalarModel<ExtFOp, ExtendRule>>(*c);
    TruncFOp::attachInterface<ScalarModel<TruncFOp, TruncateRule>>(*c);
  });
}
