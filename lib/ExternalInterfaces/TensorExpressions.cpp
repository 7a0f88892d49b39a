//===- TensorExpressions.cpp - Tensor expressions of the rules ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorExpressions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mlir::memrev;

Slice memrev::getWhole(OpBuilder &builder, Location loc, Value tensor) {
  Slice slice;
  slice.sizes = tensor::getMixedSizes(builder, loc, tensor);
  slice.offsets.assign(slice.sizes.size(), builder.getIndexAttr(0));
  slice.strides.assign(slice.sizes.size(), builder.getIndexAttr(1));
  return slice;
}

LogicalResult memrev::getPrimal(DerivativeContext &ctx,
                                SmallVectorImpl<OpFoldResult> &values) {
  for (OpFoldResult &entry : values) {
    auto value = dyn_cast<Value>(entry);
    if (!value)
      continue;
    Value now = ctx.primal(value);
    if (!now)
      return failure();
    entry = now;
  }
  return success();
}

FailureOr<SmallVector<OpFoldResult>>
memrev::getPrimalSizes(DerivativeContext &ctx, Value value, Location loc) {
  OpBuilder &b = ctx.getBuilder();
  auto type = cast<RankedTensorType>(value.getType());
  if (type.hasStaticShape())
    return SmallVector<OpFoldResult>(
        getAsIndexOpFoldResult(b.getContext(), type.getShape()));
  Value now = ctx.primal(value);
  if (!now)
    return failure();
  return tensor::getMixedSizes(b, loc, now);
}

Value memrev::buildEmptyLike(OpBuilder &builder, Location loc, Value tensor,
                             Type elementType) {
  return tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, tensor),
      elementType ? elementType : getElementTypeOrSelf(tensor.getType()));
}

Type memrev::getSumType(Type elementType) {
  if (!isa<FloatType>(elementType) || elementType.getIntOrFloatBitWidth() >= 32)
    return elementType;
  return Float32Type::get(elementType.getContext());
}

Value memrev::buildFloatCast(OpBuilder &builder, Location loc, Value scalar,
                             Type type) {
  if (scalar.getType() == type)
    return scalar;
  unsigned from = scalar.getType().getIntOrFloatBitWidth();
  unsigned to = type.getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(builder, loc, type, scalar);
  if (from > to)
    return arith::TruncFOp::create(builder, loc, type, scalar);
  // Two formats of one width: through one that holds both.
  Value wide = arith::ExtFOp::create(builder, loc, getSumType(type), scalar);
  return arith::TruncFOp::create(builder, loc, type, wide);
}

Value memrev::buildZeroScalar(OpBuilder &builder, Location loc, Type type) {
  auto complexType = dyn_cast<ComplexType>(type);
  if (!complexType)
    return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  Attribute zero = builder.getZeroAttr(complexType.getElementType());
  return complex::ConstantOp::create(builder, loc, type,
                                     builder.getArrayAttr({zero, zero}));
}

Value memrev::buildScalarSum(OpBuilder &builder, Location loc, Value lhs,
                             Value rhs) {
  if (isa<ComplexType>(lhs.getType()))
    return complex::AddOp::create(builder, loc, lhs, rhs);
  return arith::AddFOp::create(builder, loc, lhs, rhs);
}

Value memrev::buildTensorCast(OpBuilder &builder, Location loc, Value tensor,
                              Type elementType) {
  if (getElementTypeOrSelf(tensor.getType()) == elementType)
    return tensor;
  return linalg::CopyOp::create(
             builder, loc, tensor,
             buildEmptyLike(builder, loc, tensor, elementType))
      .getResult(0);
}

WideSum::WideSum(DerivativeContext &ctx, Value value, Type term, Location loc)
    : ctx(ctx), value(value), loc(loc) {
  elementType = getSumType(getElementTypeOrSelf(value.getType()));
  // Complex numbers have one form.
  if (isa<FloatType>(elementType) &&
      term.getIntOrFloatBitWidth() > elementType.getIntOrFloatBitWidth())
    elementType = term;
}

Value WideSum::getStart() {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == elementType)
    return ctx.accumulator(value);
  return ctx.zero(type.clone(elementType), value, loc);
}

void WideSum::finish(Value sum) {
  Type narrow = getElementTypeOrSelf(value.getType());
  if (narrow == elementType)
    return ctx.setCotangent(value, sum);
  ctx.accumulate(value, buildTensorCast(ctx.getBuilder(), loc, sum, narrow));
}

Value memrev::buildSum(OpBuilder &builder, Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Type sumType = getSumType(type.getElementType());
  Value zero = buildZeroScalar(builder, loc, sumType);
  Value empty =
      tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>(), sumType);
  Value start = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  int64_t rank = type.getRank();
  AffineMap identity = builder.getMultiDimIdentityMap(rank);
  AffineMap scalar = AffineMap::get(rank, 0, builder.getContext());
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::reduction);
  Value sum =
      linalg::GenericOp::create(
          builder, loc, TypeRange{start.getType()}, ValueRange{tensor},
          ValueRange{start}, ArrayRef<AffineMap>{identity, scalar}, iterators,
          [&](OpBuilder &b, Location l, ValueRange args) {
            Value element = buildFloatCast(b, l, args[0], sumType);
            linalg::YieldOp::create(b, l,
                                    buildScalarSum(b, l, args[1], element));
          })
          .getResult(0);
  Value total = tensor::ExtractOp::create(builder, loc, sum, ValueRange());
  return buildFloatCast(builder, loc, total, type.getElementType());
}

Value memrev::buildAdd(OpBuilder &builder, Location loc, Value summand,
                       Value destination) {
  auto type = cast<RankedTensorType>(destination.getType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, TypeRange{type}, ValueRange{summand},
             ValueRange{destination}, ArrayRef<AffineMap>{identity, identity},
             iterators,
             [](OpBuilder &b, Location l, ValueRange args) {
               linalg::YieldOp::create(b, l,
                                       buildScalarSum(b, l, args[1], args[0]));
             })
      .getResult(0);
}

Value memrev::buildAddToSlice(OpBuilder &builder, Location loc, Value summand,
                              Value destination, const Slice &slice) {
  Value part = tensor::ExtractSliceOp::create(
      builder, loc, cast<RankedTensorType>(summand.getType()), destination,
      slice.offsets, slice.sizes, slice.strides);
  Value sum = buildAdd(builder, loc, summand, part);
  return tensor::InsertSliceOp::create(builder, loc, sum, destination,
                                       slice.offsets, slice.sizes,
                                       slice.strides);
}

Value memrev::buildZeroSlice(OpBuilder &builder, Location loc,
                             Value destination, const Slice &slice,
                             RankedTensorType sliceType) {
  Value part =
      tensor::ExtractSliceOp::create(builder, loc, sliceType, destination,
                                     slice.offsets, slice.sizes, slice.strides);
  Value zero = buildZeroScalar(builder, loc, sliceType.getElementType());
  Value zeros = linalg::FillOp::create(builder, loc, zero, part).getResult(0);
  return tensor::InsertSliceOp::create(builder, loc, zeros, destination,
                                       slice.offsets, slice.sizes,
                                       slice.strides);
}

LogicalResult memrev::verifyBitcast(tensor::BitcastOp op) {
  Type from = getElementTypeOrSelf(op.getSource().getType());
  Type to = getElementTypeOrSelf(op.getType());
  if (from == to)
    return success();
  return op.emitError("expects a bitcast that keeps the element type where a "
                      "derivative is taken, but got one from ")
         << from << " to " << to;
}

InverseEdge memrev::getBitcastInverseEdge(Operation *op) {
  Type from = getElementTypeOrSelf(op->getOperand(0).getType());
  Type to = getElementTypeOrSelf(op->getResult(0).getType());
  InverseEdge edge{{op->getOperand(0)}, {op->getResult(0)}};
  if (from != to && isa<FloatType>(to)) {
    edge.kind = InverseKind::Conditioned;
    edge.gain = 0;
  }
  return edge;
}

void memrev::provideMoved(DerivativeContext &ctx, Value value, Value now,
                          Value from) {
  ctx.provide(value, now,
              ctx.isRounded(from) ? Precision::Rounded : Precision::Exact);
}
