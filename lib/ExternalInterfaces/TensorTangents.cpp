//===- TensorTangents.cpp - Forward mode of tensor operations -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations that move elements are linear: their tangents are the same
// operations on tangents. Those with a region differentiate it.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// An operation that is linear in all operands that are not integers.
template <typename OpTy>
struct LinearTangentModel
    : ForwardDifferentiableOpInterface::ExternalModel<LinearTangentModel<OpTy>,
                                                      OpTy> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    IRMapping tangents;
    for (Value operand : op->getOperands())
      if (!getElementTypeOrSelf(operand.getType()).isIntOrIndex())
        tangents.map(operand, ctx.tangentOrZero(operand));
    Operation *copy = ctx.getBuilder().clone(*op, tangents);
    ctx.setTangent(op->getResult(0), copy->getResult(0));
    return success();
  }
};

/// Bits that stand for another type of float have no derivative.
struct BitcastTangentModel
    : ForwardDifferentiableOpInterface::ExternalModel<BitcastTangentModel,
                                                      tensor::BitcastOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto bitcast = cast<tensor::BitcastOp>(op);
    if (failed(verifyBitcast(bitcast)))
      return failure();
    ctx.setTangent(bitcast.getResult(),
                   tensor::BitcastOp::create(
                       ctx.getBuilder(), op->getLoc(), bitcast.getType(),
                       ctx.tangentOrZero(bitcast.getSource())));
    return success();
  }
};

/// Moves the region of `op`, which yields a scalar, into `tangentOp` and makes
/// it yield the tangent. A copy takes the place of `op`: its region has to be
/// that which the activity analysis has seen.
LogicalResult buildRegionJVP(Operation *op, Operation *tangentOp,
                             TangentContext &ctx) {
  OpBuilder &b = ctx.getBuilder();
  Operation *primal = b.clone(*op);
  Region &region = tangentOp->getRegion(0);
  region.takeBody(op->getRegion(0));
  Block &body = region.front();
  if (failed(ctx.differentiate(body)))
    return failure();
  {
    OpBuilder::InsertionGuard guard(b);
    Operation *terminator = body.getTerminator();
    b.setInsertionPoint(terminator);
    terminator->setOperand(0, ctx.tangentOrZero(terminator->getOperand(0)));
  }
  ctx.replace(op, primal->getResults());
  ctx.setTangent(primal->getResult(0), tangentOp->getResult(0));
  return success();
}

struct GenerateTangentModel
    : ForwardDifferentiableOpInterface::ExternalModel<GenerateTangentModel,
                                                      tensor::GenerateOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto generate = cast<tensor::GenerateOp>(op);
    auto tangents = tensor::GenerateOp::create(ctx.getBuilder(), op->getLoc(),
                                               generate.getType(),
                                               generate.getDynamicExtents());
    return buildRegionJVP(op, tangents, ctx);
  }
};

struct PadTangentModel
    : ForwardDifferentiableOpInterface::ExternalModel<PadTangentModel,
                                                      tensor::PadOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto pad = cast<tensor::PadOp>(op);
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value padding = pad.getBody()->getTerminator()->getOperand(0);
    Value source = ctx.tangentOrZero(pad.getSource());
    // As the program writes them: constants among the dynamic amounts stay
    // dynamic, and so does the type.
    auto tangents = tensor::PadOp::create(
        b, loc, pad.getType(), source, pad.getStaticLow(), pad.getStaticHigh(),
        pad.getLow(), pad.getHigh(), pad.getNofold());
    if (ctx.isActive(padding) &&
        pad.getRegion().isAncestor(padding.getParentRegion()))
      return buildRegionJVP(op, tangents, ctx);
    Value tangent = ctx.tangent(padding);
    if (!tangent) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(tangents);
      tangent = ctx.zero(padding.getType(), padding, loc);
    }
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(pad.getType().getRank(), b.getIndexType());
    SmallVector<Location> locs(types.size(), loc);
    b.createBlock(&tangents.getRegion(), {}, types, locs);
    tensor::YieldOp::create(b, loc, tangent);
    ctx.setTangent(pad.getResult(), tangents);
    return success();
  }
};

} // namespace

template <typename... OpTys>
static void attachLinear(MLIRContext *context) {
  (OpTys::template attachInterface<LinearTangentModel<OpTys>>(*context), ...);
}

void memrev::registerTensorTangentModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, tensor::TensorDialect *) {
    using namespace tensor;
    attachLinear<CastOp, CollapseShapeOp, ConcatOp, ExpandShapeOp, ExtractOp,
                 ExtractSliceOp, FromElementsOp, GatherOp, InsertOp,
                 InsertSliceOp, ReshapeOp, ScatterOp, SplatOp>(c);
    BitcastOp::attachInterface<BitcastTangentModel>(*c);
    GenerateOp::attachInterface<GenerateTangentModel>(*c);
    PadOp::attachInterface<PadTangentModel>(*c);
  });
}
