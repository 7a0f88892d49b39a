//===- Tensor.cpp - Rules of tensor reshapes ------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations that give a tensor another type.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;

/// True if `op` is a view of its operand that has all of its elements.
static bool isReshape(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
      op);
}

/// True if `value` is a slice with nothing but reshapes in between: then its
/// cotangent is a part of another one, whether or not something was added yet.
static bool isViewOfSlice(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && isReshape(op))
    op = op->getOperand(0).getDefiningOp();
  return op && isa<tensor::ExtractSliceOp>(op);
}

/// Emits a reshape of `tensor` that does what the reshape `op` does.
static FailureOr<Value> buildReshape(Operation *op, DerivativeContext &ctx,
                                     Value tensor) {
  OpBuilder &b = ctx.getBuilder();
  Location loc = op->getLoc();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<OpFoldResult> sizes = expand.getMixedOutputShape();
    if (failed(getPrimal(ctx, sizes)))
      return failure();
    return tensor::ExpandShapeOp::create(
               b, loc, type, tensor, expand.getReassociationIndices(), sizes)
        .getResult();
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return tensor::CollapseShapeOp::create(b, loc, type, tensor,
                                           collapse.getReassociationIndices())
        .getResult();
  return tensor::CastOp::create(b, loc, type, tensor).getResult();
}

/// Emits the inverse of the reshape `op` on `tensor`. `sizes` are those of the
/// operand of `op`.
static Value buildReshapeBack(Operation *op, OpBuilder &b, Value tensor,
                              ArrayRef<OpFoldResult> sizes) {
  Location loc = op->getLoc();
  auto type = cast<RankedTensorType>(op->getOperand(0).getType());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return tensor::CollapseShapeOp::create(b, loc, type, tensor,
                                           expand.getReassociationIndices());
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return tensor::ExpandShapeOp::create(
        b, loc, type, tensor, collapse.getReassociationIndices(), sizes);
  return tensor::CastOp::create(b, loc, type, tensor);
}

/// The sizes that `buildReshapeBack` reads.
static FailureOr<SmallVector<OpFoldResult>>
getOperandSizes(Operation *op, DerivativeContext &ctx) {
  if (!isa<tensor::CollapseShapeOp>(op))
    return SmallVector<OpFoldResult>();
  return getPrimalSizes(ctx, op->getOperand(0), op->getLoc());
}

/// Emits `tensor`, of the sizes of the result of `op`, with those of its
/// source. Null after an error was reported.
static Value buildReshapeByShapeBack(tensor::ReshapeOp op,
                                     DerivativeContext &ctx, Value tensor) {
  Location loc = op.getLoc();
  FailureOr<SmallVector<OpFoldResult>> sizes =
      getPrimalSizes(ctx, op.getSource(), loc);
  if (failed(sizes))
    return {};
  OpBuilder &b = ctx.getBuilder();
  auto shapeType = RankedTensorType::get({static_cast<int64_t>(sizes->size())},
                                         b.getIndexType());
  Value shape = tensor::FromElementsOp::create(
      b, loc, shapeType, getValueOrCreateConstantIndexOp(b, loc, *sizes));
  return tensor::ReshapeOp::create(b, loc, op.getSource().getType(), tensor,
                                   shape);
}

namespace {

/// The cotangent of a reshaped slice is the reshaped part of the cotangent that
/// the slice is taken from, so that a gradient of stacked weights is written in
/// place through reshapes too.
template <typename OpTy>
struct ReshapeModel
    : DifferentiableOpInterface::ExternalModel<ReshapeModel<OpTy>, OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    if (isa<tensor::CollapseShapeOp>(op) && type && !type.hasStaticShape())
      residuals.push_back(op->getOperand(0));
  }

  Value seedCotangent(Operation *op, DerivativeContext &ctx,
                      OpResult result) const {
    Value source = op->getOperand(0);
    if (!isViewOfSlice(source))
      return {};
    Value sum = ctx.accumulator(source);
    if (!sum)
      return {};
    ctx.setCotangent(source, sum);
    FailureOr<Value> part = buildReshape(op, ctx, sum);
    if (failed(part))
      return {};
    ctx.lend(source, result);
    return *part;
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    Value source = op->getOperand(0);
    Value cotangent = ctx.cotangent(op->getResult(0));
    // Null if the source was lent but nothing was added to the part.
    if (!cotangent)
      return success();
    FailureOr<SmallVector<OpFoldResult>> sizes = getOperandSizes(op, ctx);
    if (failed(sizes))
      return failure();
    Value back = buildReshapeBack(op, ctx.getBuilder(), cotangent, *sizes);
    if (isViewOfSlice(source))
      ctx.setCotangent(source, back);
    else
      ctx.accumulate(source, back);
    return success();
  }

  bool isCheapToRecompute(Operation *) const { return true; }
};

template <typename OpTy>
struct ReshapeInverse
    : InvertibleOpInterface::ExternalModel<ReshapeInverse<OpTy>, OpTy> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    // How dynamic extents were collapsed is known from the operand alone.
    if (!type || (isa<tensor::CollapseShapeOp>(op) && !type.hasStaticShape()))
      return {};
    return {InverseEdge::moving({op->getOperand(0)}, {op->getResult(0)})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    Value result = ctx.primal(op->getResult(0));
    FailureOr<SmallVector<OpFoldResult>> sizes = getOperandSizes(op, ctx);
    if (!result || failed(sizes))
      return failure();
    Value source = buildReshapeBack(op, ctx.getBuilder(), result, *sizes);
    provideMoved(ctx, op->getOperand(0), source, op->getResult(0));
    return success();
  }
};

/// A reshape by a tensor of sizes goes back by the sizes of its source.
struct ReshapeByShapeModel
    : DifferentiableOpInterface::ExternalModel<ReshapeByShapeModel,
                                               tensor::ReshapeOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    if (type && !type.hasStaticShape())
      residuals.push_back(op->getOperand(0));
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto reshape = cast<tensor::ReshapeOp>(op);
    Value back = buildReshapeByShapeBack(reshape, ctx,
                                         ctx.cotangent(reshape.getResult()));
    if (!back)
      return failure();
    ctx.accumulate(reshape.getSource(), back);
    return success();
  }
};

struct ReshapeByShapeInverse
    : InvertibleOpInterface::ExternalModel<ReshapeByShapeInverse,
                                           tensor::ReshapeOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    // Dynamic extents are known from the source alone.
    if (!type || !type.hasStaticShape())
      return {};
    return {InverseEdge::moving({op->getOperand(0)}, {op->getResult(0)})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    Value source =
        buildReshapeByShapeBack(cast<tensor::ReshapeOp>(op), ctx, result);
    provideMoved(ctx, op->getOperand(0), source, op->getResult(0));
    return success();
  }
};

struct BitcastModel
    : DifferentiableOpInterface::ExternalModel<BitcastModel,
                                               tensor::BitcastOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto bitcast = cast<tensor::BitcastOp>(op);
    if (failed(verifyBitcast(bitcast)))
      return failure();
    ctx.accumulate(
        bitcast.getSource(),
        tensor::BitcastOp::create(ctx.getBuilder(), op->getLoc(),
                                  bitcast.getSource().getType(),
                                  ctx.cotangent(bitcast.getResult())));
    return success();
  }

  bool isCheapToRecompute(Operation *) const { return true; }
};

/// An operation whose result never has a cotangent.
template <typename OpTy>
struct InactiveModel
    : DifferentiableOpInterface::ExternalModel<InactiveModel<OpTy>, OpTy> {
  LogicalResult buildVJP(Operation *, DerivativeContext &) const {
    return success();
  }

  bool isCheapToRecompute(Operation *) const { return true; }
};

} // namespace

template <typename... OpTys>
static void attachReshapes(MLIRContext *context) {
  (OpTys::template attachInterface<ReshapeModel<OpTys>, ReshapeInverse<OpTys>>(
       *context),
   ...);
}

void memrev::registerTensorModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, tensor::TensorDialect *) {
    using namespace tensor;
    attachReshapes<CastOp, CollapseShapeOp, ExpandShapeOp>(c);
    BitcastOp::attachInterface<BitcastModel, BitcastInverse<BitcastOp>>(*c);
    EmptyOp::attachInterface<InactiveModel<EmptyOp>>(*c);
    ReshapeOp::attachInterface<ReshapeByShapeModel, ReshapeByShapeInverse>(*c);
  });
}
