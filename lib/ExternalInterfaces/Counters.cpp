//===- Counters.cpp - Inverses of integer arithmetic ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop that counts by itself, as an scf.while does, carries an integer, and
// one that mixes its own random numbers carries bits: with these inverses it
// runs backwards like the rest of the state. They are exact.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;

/// Declares what the edge of `op` in operand number `operand` gives back.
static LogicalResult provideOperand(Operation *op, DerivativeContext &ctx,
                                    unsigned operand, Value solved) {
  ctx.provide(op->getOperand(operand), solved,
              ctx.isRounded(op->getResult(0)) ? Precision::Rounded
                                              : Precision::Exact);
  return success();
}

namespace {

/// Edge number i gives operand i back.
template <typename OpTy>
struct IntegerInverse
    : InvertibleOpInterface::ExternalModel<IntegerInverse<OpTy>, OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto sum = cast<OpTy>(op);
    Value lhs = sum.getLhs(), rhs = sum.getRhs(), result = sum.getResult();
    if (lhs == rhs)
      return {};
    return {InverseEdge{{lhs}, {result, rhs}},
            InverseEdge{{rhs}, {result, lhs}}};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned edge) const {
    Value result = ctx.primal(op->getResult(0));
    Value other = ctx.primal(op->getOperand(1 - edge));
    if (!result || !other)
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value solved;
    if (isa<arith::XOrIOp>(op))
      solved = arith::XOrIOp::create(b, loc, result, other);
    else if (isa<arith::AddIOp>(op))
      solved = arith::SubIOp::create(b, loc, result, other);
    else if (edge == 0)
      solved = arith::AddIOp::create(b, loc, result, other);
    else
      solved = arith::SubIOp::create(b, loc, other, result);
    return provideOperand(op, ctx, edge, solved);
  }

  // Nothing flows through integers.
  LogicalResult buildInverseAndVJP(Operation *op, DerivativeContext &ctx,
                                   unsigned edge) const {
    return buildInverse(op, ctx, edge);
  }
};

/// What is extended by a sign or by zeros is cut off again.
template <typename OpTy>
struct ExtensionInverse
    : InvertibleOpInterface::ExternalModel<ExtensionInverse<OpTy>, OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    return {InverseEdge{{op->getOperand(0)}, {op->getResult(0)}}};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    return provideOperand(
        op, ctx, 0,
        arith::TruncIOp::create(ctx.getBuilder(), op->getLoc(),
                                op->getOperand(0).getType(), result));
  }

  // Nothing flows through integers.
  LogicalResult buildInverseAndVJP(Operation *op, DerivativeContext &ctx,
                                   unsigned edge) const {
    return buildInverse(op, ctx, edge);
  }
};

} // namespace

void memrev::registerCounterModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, arith::ArithDialect *) {
    arith::AddIOp::attachInterface<IntegerInverse<arith::AddIOp>>(*c);
    arith::SubIOp::attachInterface<IntegerInverse<arith::SubIOp>>(*c);
    arith::XOrIOp::attachInterface<IntegerInverse<arith::XOrIOp>>(*c);
    arith::ExtSIOp::attachInterface<ExtensionInverse<arith::ExtSIOp>>(*c);
    arith::ExtUIOp::attachInterface<ExtensionInverse<arith::ExtUIOp>>(*c);
  });
}
