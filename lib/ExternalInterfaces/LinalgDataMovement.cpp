//===- LinalgDataMovement.cpp - Rules of linalg data movement -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations that write elements of their input to other places: fill, copy,
// broadcast and transpose, with reduce, which is the transposed broadcast. None
// but reduce reads what its out operand holds.
//
//===----------------------------------------------------------------------===//

#include "LinalgInverses.h"
#include "LinalgRules.h"
#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::memrev;

/// Emits `tensor` with its dimensions permuted.
static Value buildTranspose(OpBuilder &b, Location loc, Value tensor,
                            ArrayRef<int64_t> permutation) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor);
  applyPermutationToVector(sizes, permutation);
  Value empty = tensor::EmptyOp::create(b, loc, sizes,
                                        getElementTypeOrSelf(tensor.getType()));
  return linalg::TransposeOp::create(b, loc, tensor, empty, permutation)
      ->getResult(0);
}

namespace {

struct FillModel
    : DifferentiableOpInterface::ExternalModel<FillModel, linalg::FillOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    Value value = cast<linalg::FillOp>(op).getInputs()[0];
    if (ctx.isActive(value))
      ctx.accumulate(value, buildSum(ctx.getBuilder(), op->getLoc(),
                                     ctx.cotangent(op->getResult(0))));
    return success();
  }

  bool isCheapToRecompute(Operation *) const { return true; }
};

struct CopyModel
    : DifferentiableOpInterface::ExternalModel<CopyModel, linalg::CopyOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    Value input = cast<linalg::CopyOp>(op).getInputs()[0];
    if (ctx.isActive(input))
      ctx.accumulate(input,
                     buildTensorCast(ctx.getBuilder(), op->getLoc(),
                                     ctx.cotangent(op->getResult(0)),
                                     getElementTypeOrSelf(input.getType())));
    return success();
  }
};

struct CopyInverse
    : InvertibleOpInterface::ExternalModel<CopyInverse, linalg::CopyOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    Value input = cast<linalg::CopyOp>(op).getInputs()[0];
    // A copy that casts may round.
    if (op->getNumResults() != 1 ||
        input.getType() != op->getResult(0).getType())
      return {};
    return {InverseEdge::moving({input}, {op->getResult(0)})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    provideMoved(ctx, cast<linalg::CopyOp>(op).getInputs()[0],
                 createAlias(ctx.getBuilder(), op->getLoc(), result),
                 op->getResult(0));
    return success();
  }
};

struct BroadcastModel
    : DifferentiableOpInterface::ExternalModel<BroadcastModel,
                                               linalg::BroadcastOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto broadcast = cast<linalg::BroadcastOp>(op);
    if (!ctx.isActive(broadcast.getInput()))
      return success();
    Value cotangent = ctx.cotangent(op->getResult(0));
    WideSum wide(ctx, broadcast.getInput(),
                 getElementTypeOrSelf(cotangent.getType()), op->getLoc());
    Value sum = wide.getStart();
    if (!sum)
      return failure();
    auto reduce = linalg::ReduceOp::create(
        ctx.getBuilder(), op->getLoc(), cotangent, sum,
        broadcast.getDimensions(),
        [&](OpBuilder &b, Location loc, ValueRange args) {
          Value element =
              buildFloatCast(b, loc, args[0], wide.getElementType());
          linalg::YieldOp::create(
              b, loc,
              arith::AddFOp::create(b, loc, args[1], element).getResult());
        });
    wide.finish(reduce->getResult(0));
    return success();
  }
};

/// Any of the copies of an element gives it back.
struct BroadcastInverse
    : InvertibleOpInterface::ExternalModel<BroadcastInverse,
                                           linalg::BroadcastOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto broadcast = cast<linalg::BroadcastOp>(op);
    // There has to be one.
    if (op->getNumResults() != 1 ||
        llvm::any_of(broadcast.getDimensions(), [&](int64_t i) {
          int64_t size = getType(broadcast).getDimSize(i);
          return ShapedType::isDynamic(size) || size == 0;
        }))
      return {};
    return {InverseEdge::moving({broadcast.getInput()}, {op->getResult(0)})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto broadcast = cast<linalg::BroadcastOp>(op);
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    OpBuilder &b = ctx.getBuilder();
    Slice box = getWhole(b, op->getLoc(), result);
    for (int64_t i : broadcast.getDimensions())
      box.sizes[i] = b.getIndexAttr(1);
    Value input = tensor::ExtractSliceOp::create(
        b, op->getLoc(), cast<RankedTensorType>(broadcast.getInput().getType()),
        result, box.offsets, box.sizes, box.strides);
    provideMoved(ctx, broadcast.getInput(), input, op->getResult(0));
    return success();
  }

private:
  static RankedTensorType getType(linalg::BroadcastOp op) {
    return cast<RankedTensorType>(op->getResult(0).getType());
  }
};

struct TransposeModel
    : DifferentiableOpInterface::ExternalModel<TransposeModel,
                                               linalg::TransposeOp> {
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto transpose = cast<linalg::TransposeOp>(op);
    if (ctx.isActive(transpose.getInput()))
      ctx.accumulate(
          transpose.getInput(),
          buildTranspose(ctx.getBuilder(), op->getLoc(),
                         ctx.cotangent(op->getResult(0)),
                         invertPermutationVector(transpose.getPermutation())));
    return success();
  }
};

struct TransposeInverse
    : InvertibleOpInterface::ExternalModel<TransposeInverse,
                                           linalg::TransposeOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    if (op->getNumResults() != 1)
      return {};
    return {InverseEdge::moving({cast<linalg::TransposeOp>(op).getInput()},
                                {op->getResult(0)})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto transpose = cast<linalg::TransposeOp>(op);
    Value result = ctx.primal(op->getResult(0));
    if (!result)
      return failure();
    Value input =
        buildTranspose(ctx.getBuilder(), op->getLoc(), result,
                       invertPermutationVector(transpose.getPermutation()));
    provideMoved(ctx, transpose.getInput(), input, op->getResult(0));
    return success();
  }
};

struct ReduceModel
    : DifferentiableOpInterface::ExternalModel<ReduceModel, linalg::ReduceOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)> isActive,
                    SmallVectorImpl<Residual> &residuals) const {
    getStructuredResiduals(cast<linalg::LinalgOp>(op), isActive, residuals);
  }

  /// A sum of the elements themselves gives its cotangent to each of them;
  /// anything else that is summed is a body for the rule of generics.
  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto reduce = cast<linalg::ReduceOp>(op);
    if (!isPlainSum(reduce))
      return buildStructuredVJP(cast<linalg::LinalgOp>(op), ctx);
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value input = reduce.getInputs()[0];
    Value cotangent = ctx.cotangent(op->getResult(0));
    if (ctx.isActive(input)) {
      FailureOr<SmallVector<OpFoldResult>> sizes =
          getPrimalSizes(ctx, input, loc);
      if (failed(sizes))
        return failure();
      Value empty = tensor::EmptyOp::create(
          b, loc, *sizes, getElementTypeOrSelf(input.getType()));
      ctx.accumulate(input,
                     linalg::BroadcastOp::create(b, loc, cotangent, empty,
                                                 reduce.getDimensions())
                         ->getResult(0));
    }
    ctx.accumulate(reduce.getInits()[0], cotangent);
    return success();
  }

private:
  static bool isPlainSum(linalg::ReduceOp reduce) {
    if (reduce.getInputs().size() != 1)
      return false;
    Block *body = reduce.getBlock();
    auto add =
        body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
    Value element = body->getArgument(0), sum = body->getArgument(1);
    return add && ((add.getLhs() == element && add.getRhs() == sum) ||
                   (add.getLhs() == sum && add.getRhs() == element));
  }
};

} // namespace

void memrev::registerLinalgDataMovementModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    using namespace linalg;
    BroadcastOp::attachInterface<BroadcastModel, BroadcastInverse>(*c);
    CopyOp::attachInterface<CopyModel, CopyInverse>(*c);
    FillOp::attachInterface<FillModel>(*c);
    ReduceOp::attachInterface<ReduceModel, StructuredInverse<ReduceOp>>(*c);
    TransposeOp::attachInterface<TransposeModel, TransposeInverse>(*c);
  });
}
