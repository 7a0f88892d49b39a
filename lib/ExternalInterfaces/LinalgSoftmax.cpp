//===- LinalgSoftmax.cpp - Rules of linalg.softmax ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// linalg.softmax is differentiated as one operation: its Jacobian is symmetric
// and depends on the result alone, so that both modes are one formula. Taken
// apart first, a maximum that cancels would be differentiated too.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DecomposableOpInterface.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/ForwardDifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::SoftmaxOp;
using utils::IteratorType;

namespace {

/// Passes over a tensor and over its sums along one dimension.
class AlongDimension {
public:
  using Body = function_ref<Value(ImplicitLocOpBuilder &, ValueRange)>;

  AlongDimension(OpBuilder &builder, Location loc, Value like,
                 int64_t dimension)
      : b(loc, builder), like(like), dimension(dimension),
        rank(cast<RankedTensorType>(like.getType()).getRank()) {}

  /// Folds what `body` makes of an element of each tensor and a running value
  /// of type `type` into the latter, which starts as `start`.
  Value reduce(ArrayRef<Value> tensors, Type type, double start, Body body) {
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, b.getLoc(), like);
    sizes.erase(sizes.begin() + dimension);
    Value empty = tensor::EmptyOp::create(b, sizes, type);
    Value constant = arith::ConstantOp::create(b, b.getFloatAttr(type, start));
    Value out = linalg::FillOp::create(b, constant, empty).getResult(0);
    SmallVector<AffineMap> maps(tensors.size(), b.getMultiDimIdentityMap(rank));
    maps.push_back(getSumMap());
    SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
    iterators[dimension] = IteratorType::reduction;
    return build(tensors, out, maps, iterators, body);
  }

  /// Writes what `body` makes of an element of each tensor and the element of
  /// `sums`.
  Value map(ArrayRef<Value> tensors, Value sums, Body body) {
    Value out = buildEmptyLike(b, b.getLoc(), like);
    SmallVector<Value> inputs(tensors);
    SmallVector<AffineMap> maps(tensors.size(), b.getMultiDimIdentityMap(rank));
    inputs.push_back(sums);
    maps.push_back(getSumMap());
    maps.push_back(b.getMultiDimIdentityMap(rank));
    return build(inputs, out, maps,
                 SmallVector<IteratorType>(rank, IteratorType::parallel), body);
  }

private:
  AffineMap getSumMap() {
    return b.getMultiDimIdentityMap(rank).dropResult(dimension);
  }

  Value build(ArrayRef<Value> inputs, Value out, ArrayRef<AffineMap> maps,
              ArrayRef<IteratorType> iterators, Body body) {
    return linalg::GenericOp::create(
               b, TypeRange{out.getType()}, inputs, ValueRange{out}, maps,
               iterators,
               [&](OpBuilder &builder, Location loc, ValueRange args) {
                 ImplicitLocOpBuilder inner(loc, builder);
                 linalg::YieldOp::create(inner, body(inner, args));
               })
        .getResult(0);
  }

  ImplicitLocOpBuilder b;
  Value like;
  int64_t dimension, rank;
};

} // namespace

/// Emits y * (v - sum(y * v)): the Jacobian at the result `y`, which is its own
/// transpose, times `v`.
static Value buildJacobianTimes(SoftmaxOp op, OpBuilder &b, Value y, Value v) {
  AlongDimension along(b, op.getLoc(), y, op.getDimension());
  Type elementType = getElementTypeOrSelf(y.getType());
  Type sumType = getSumType(elementType);
  Value sums = along.reduce(
      {y, v}, sumType, 0.0,
      [&](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
        Value factor = buildFloatCast(inner, inner.getLoc(), args[0], sumType);
        Value other = buildFloatCast(inner, inner.getLoc(), args[1], sumType);
        Value product = arith::MulFOp::create(inner, factor, other);
        return arith::AddFOp::create(inner, args[2], product);
      });
  return along.map(
      {y, v}, sums, [&](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
        Value factor = buildFloatCast(inner, inner.getLoc(), args[0], sumType);
        Value other = buildFloatCast(inner, inner.getLoc(), args[1], sumType);
        Value difference = arith::SubFOp::create(inner, other, args[2]);
        Value product = arith::MulFOp::create(inner, factor, difference);
        return buildFloatCast(inner, inner.getLoc(), product, elementType);
      });
}

namespace {

struct SoftmaxModel
    : DifferentiableOpInterface::ExternalModel<SoftmaxModel, SoftmaxOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    residuals.push_back(op->getResult(0));
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto softmax = cast<SoftmaxOp>(op);
    if (!ctx.isActive(softmax.getInput()))
      return success();
    Value y = ctx.primal(op->getResult(0));
    if (!y)
      return failure();
    ctx.accumulate(softmax.getInput(),
                   buildJacobianTimes(softmax, ctx.getBuilder(), y,
                                      ctx.cotangent(op->getResult(0))));
    return success();
  }
};

struct SoftmaxTangent
    : ForwardDifferentiableOpInterface::ExternalModel<SoftmaxTangent,
                                                      SoftmaxOp> {
  LogicalResult buildJVP(Operation *op, TangentContext &ctx) const {
    auto softmax = cast<SoftmaxOp>(op);
    if (Value tangent = ctx.tangent(softmax.getInput()))
      ctx.setTangent(op->getResult(0),
                     buildJacobianTimes(softmax, ctx.getBuilder(),
                                        op->getResult(0), tangent));
    return success();
  }
};

/// y = exp(x - max x) / sum(exp(x - max x)).
struct SoftmaxDecomposition
    : DecomposableOpInterface::ExternalModel<SoftmaxDecomposition, SoftmaxOp> {
  SmallVector<Value> decompose(Operation *op, RewriterBase &rewriter) const {
    auto softmax = cast<SoftmaxOp>(op);
    Value x = softmax.getInput();
    Type elementType = getElementTypeOrSelf(x.getType());
    Type sumType = getSumType(elementType);
    AlongDimension along(rewriter, op->getLoc(), x, softmax.getDimension());
    Value largest =
        along.reduce({x}, elementType, -std::numeric_limits<double>::infinity(),
                     [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                       return arith::MaximumFOp::create(b, args[1], args[0]);
                     });
    Value powers = along.map(
        {x}, largest, [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          return math::ExpOp::create(
              b, arith::SubFOp::create(b, args[0], args[1]));
        });
    Value sums =
        along.reduce({powers}, sumType, 0.0,
                     [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                       Value power =
                           buildFloatCast(b, b.getLoc(), args[0], sumType);
                       return arith::AddFOp::create(b, args[1], power);
                     });
    return {along.map(
        {powers}, sums, [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value power = buildFloatCast(b, b.getLoc(), args[0], sumType);
          Value quotient = arith::DivFOp::create(b, power, args[1]);
          return buildFloatCast(b, b.getLoc(), quotient, elementType);
        })};
  }
};

} // namespace

void memrev::registerLinalgSoftmaxModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    SoftmaxOp::attachInterface<SoftmaxModel, SoftmaxTangent,
                               SoftmaxDecomposition>(*c);
  });
}
