//===- KernelAccesses.cpp - What a kernel reads and writes ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

Value KernelEmitter::getSource(Access &access) {
  auto type = dyn_cast<RankedTensorType>(access.source.getType());
  if (!type || type.getRank() == static_cast<int64_t>(access.shape.size()))
    return access.source;
  // Groups of neighbours follow from where they start.
  int64_t id = 0;
  for (auto &group : access.groups)
    id |= int64_t(1) << group.front();
  Value &collapsed = sources[{access.source, id}];
  if (!collapsed) {
    SmallVector<ReassociationIndices> groups;
    for (auto &group : access.groups)
      groups.emplace_back(group.begin(), group.end());
    OpBuilder::InsertionGuard guard(builder);
    // In front of all loops, where every access finds it.
    Operation *producer = access.source.getDefiningOp();
    if (producer)
      builder.setInsertionPointAfter(producer);
    else
      builder.setInsertionPointToStart(
          cast<BlockArgument>(access.source).getOwner());
    collapsed =
        tensor::CollapseShapeOp::create(builder, loc, access.source, groups);
  }
  return collapsed;
}

SmallVector<Value> KernelEmitter::getIndices(Access &access) {
  SmallVector<Value> indices;
  for (AffineExpr expr : access.indices)
    indices.push_back(asValue(evaluate(expr, access.symbols)));
  return indices;
}

Value KernelEmitter::constantLike(TypedAttr attribute) {
  return arith::ConstantOp::create(builder, loc, attribute);
}

Value KernelEmitter::broadcast(Value value) {
  if (isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(builder, loc,
                                     getVectorType(value.getType()), value);
}

Value KernelEmitter::getMask(int64_t count) {
  return vector::ConstantMaskOp::create(
      builder, loc, getVectorType(builder.getI1Type()), ArrayRef(count));
}

std::optional<KernelEmitter::Bounded>
KernelEmitter::getBounded(Access &access, bool checkBounds) {
  Value inside;
  for (const Bound &bound : access.bounds) {
    if (std::optional<int64_t> value = getConstant(bound.expr)) {
      if (*value < 0 || *value >= bound.size)
        return std::nullopt;
      continue;
    }
    if (!checkBounds)
      continue;
    Value index = asValue(evaluate(bound.expr, access.symbols));
    // One comparison: a negative index is a large unsigned one.
    Value ok = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                     index, constantIndex(bound.size));
    inside = inside ? arith::AndIOp::create(builder, loc, inside, ok) : ok;
  }
  Bounded bounded{getIndices(access), inside};
  if (inside)
    for (Value &index : bounded.indices)
      index = arith::SelectOp::create(builder, loc, inside, index,
                                      constantIndex(0));
  return bounded;
}

Value KernelEmitter::loadScalar(Access &access, bool checkBounds) {
  if (access.isScalar())
    return access.source;
  std::optional<Bounded> bounded = getBounded(access, checkBounds);
  if (!bounded)
    return constantLike(access.padding);
  auto &[indices, inside] = *bounded;
  Value value =
      tensor::ExtractOp::create(builder, loc, getSource(access), indices);
  if (inside)
    value = arith::SelectOp::create(builder, loc, inside, value,
                                    constantLike(access.padding));
  return value;
}

Value KernelEmitter::load(Access &access, int64_t count, bool checkBounds,
                          bool scalarIfUniform) {
  int64_t dim = strategy.vectorDim;
  if (dim < 0 || access.isScalar() || !access.uses(dim)) {
    Value value = loadScalar(access, checkBounds);
    return scalarIfUniform || dim < 0 ? value : broadcast(value);
  }
  VectorType type = getVectorType(access.elementType);
  bool boundInLanes = llvm::any_of(access.bounds, [&](const Bound &bound) {
    return bound.expr.isFunctionOfDim(dim);
  });
  if (access.getLastStride(dim) != 1 || boundInLanes) {
    SmallVector<Value> lanes;
    int64_t start = position.offset[dim];
    for (int64_t lane = 0; lane < count; ++lane) {
      position.offset[dim] = start + lane;
      lanes.push_back(loadScalar(access, checkBounds));
    }
    position.offset[dim] = start;
    if (count < strategy.lanes)
      lanes.append(strategy.lanes - count,
                   constantLike(builder.getZeroAttr(access.elementType)));
    return vector::FromElementsOp::create(builder, loc, type, lanes);
  }

  std::optional<Bounded> bounded = getBounded(access, checkBounds);
  if (!bounded)
    return broadcast(constantLike(access.padding));
  auto &[indices, inside] = *bounded;
  Value source = getSource(access);
  AffineMap map = AffineMap::getMinorIdentityMap(access.indices.size(), 1,
                                                 builder.getContext());
  Value zero = constantLike(builder.getZeroAttr(access.elementType));
  Value value = vector::TransferReadOp::create(
      builder, loc, type, source, indices, AffineMapAttr::get(map), zero,
      count < strategy.lanes ? getMask(count) : Value(),
      builder.getBoolArrayAttr({true}));
  if (inside)
    value = arith::SelectOp::create(builder, loc, inside, value,
                                    broadcast(constantLike(access.padding)));
  return value;
}

SmallVector<Value> KernelEmitter::getTileIndices(unsigned output) {
  MLIRContext *context = builder.getContext();
  SmallVector<Value> indices;
  for (AffineExpr expr : destinations[output].indices) {
    OpFoldResult index = builder.getIndexAttr(0);
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      if (expr.isFunctionOfDim(dim))
        index = affine::makeComposedFoldedAffineApply(
            builder, loc,
            AffineMap::get(1, 0,
                           getAffineDimExpr(0, context) + position.offset[dim]),
            {position.local[dim]});
    indices.push_back(asValue(index));
  }
  return indices;
}

Value KernelEmitter::loadTile(unsigned output, Value tile, int64_t count) {
  Access &access = destinations[output];
  int64_t dim = strategy.vectorDim;
  if (dim < 0 || !access.uses(dim))
    return tensor::ExtractOp::create(builder, loc, tile,
                                     getTileIndices(output));
  VectorType type = getVectorType(access.elementType);
  // A tile of a strided slice is contiguous in nothing.
  if (access.getLastStride(dim) != 1) {
    SmallVector<Value> lanes;
    int64_t start = position.offset[dim];
    for (int64_t lane = 0; lane < count; ++lane) {
      position.offset[dim] = start + lane;
      lanes.push_back(tensor::ExtractOp::create(builder, loc, tile,
                                                getTileIndices(output)));
    }
    position.offset[dim] = start;
    if (count < strategy.lanes)
      lanes.append(strategy.lanes - count,
                   constantLike(builder.getZeroAttr(access.elementType)));
    return vector::FromElementsOp::create(builder, loc, type, lanes);
  }
  AffineMap map = AffineMap::getMinorIdentityMap(access.indices.size(), 1,
                                                 builder.getContext());
  return vector::TransferReadOp::create(
      builder, loc, type, tile, getTileIndices(output), AffineMapAttr::get(map),
      constantLike(builder.getZeroAttr(access.elementType)),
      count < strategy.lanes ? getMask(count) : Value(),
      builder.getBoolArrayAttr({true}));
}

Value KernelEmitter::storeTile(unsigned output, Value tile, Value value,
                               int64_t count) {
  Access &access = destinations[output];
  int64_t dim = strategy.vectorDim;
  if (dim < 0 || !access.uses(dim)) {
    if (isa<VectorType>(value.getType()))
      value = vector::ExtractOp::create(builder, loc, value, 0);
    return tensor::InsertOp::create(builder, loc, value, tile,
                                    getTileIndices(output));
  }
  value = broadcast(value);
  if (access.getLastStride(dim) != 1) {
    int64_t start = position.offset[dim];
    for (int64_t lane = 0; lane < count; ++lane) {
      position.offset[dim] = start + lane;
      Value element = vector::ExtractOp::create(builder, loc, value, lane);
      tile = tensor::InsertOp::create(builder, loc, element, tile,
                                      getTileIndices(output));
    }
    position.offset[dim] = start;
    return tile;
  }
  AffineMap map = AffineMap::getMinorIdentityMap(access.indices.size(), 1,
                                                 builder.getContext());
  return vector::TransferWriteOp::create(
             builder, loc, tile.getType(), value, tile, getTileIndices(output),
             AffineMapAttr::get(map),
             count < strategy.lanes ? getMask(count) : Value(),
             builder.getBoolArrayAttr({true}))
      .getResult();
}
