//===- KernelAccesses.cpp - What a kernel reads and writes ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <numeric>

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

/// The first `count` of `width` elements from `indices` on, and zeros.
Value KernelEmitter::readVector(Value source, ArrayRef<Value> indices,
                                int64_t width, int64_t count) {
  Type element = getElementTypeOrSelf(source.getType());
  AffineMap map = AffineMap::getMinorIdentityMap(indices.size(), 1,
                                                 builder.getContext());
  Value mask;
  if (count < width)
    mask = vector::ConstantMaskOp::create(
        builder, loc, VectorType::get({width}, builder.getI1Type()),
        ArrayRef(count));
  return vector::TransferReadOp::create(
      builder, loc, VectorType::get({width}, element), source, indices,
      AffineMapAttr::get(map), constantLike(builder.getZeroAttr(element)), mask,
      builder.getBoolArrayAttr({true}));
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
  bool isContiguous = access.getLastStride(dim) == 1;
  std::optional<SmallVector<int64_t>> offsets;
  if (!isContiguous && !boundInLanes)
    offsets = getLaneOffsets(access, dim, strategy.lanes, count,
                             problem.getNumDims());
  if (boundInLanes || (!isContiguous && !offsets)) {
    SmallVector<Value> lanes;
    int64_t start = position.offset[dim];
    for (int64_t lane = 0; lane < count; ++lane) {
      position.offset[dim] = start + lane;
      lanes.push_back(loadScalar(access, checkBounds));
    }
    position.offset[dim] = start;
    if (count < type.getNumElements())
      lanes.append(type.getNumElements() - count,
                   constantLike(builder.getZeroAttr(access.elementType)));
    return vector::FromElementsOp::create(builder, loc, type, lanes);
  }

  std::optional<Bounded> bounded = getBounded(access, checkBounds);
  if (!bounded)
    return broadcast(constantLike(access.padding));
  auto &[indices, inside] = *bounded;
  Value value = isContiguous
                    ? readVector(getSource(access), indices,
                                 type.getNumElements(), count)
                    : loadDealt(access, indices, *offsets, !inside);
  if (inside)
    value = arith::SelectOp::create(builder, loc, inside, value,
                                    broadcast(constantLike(access.padding)));
  return value;
}

Value KernelEmitter::loadDealt(Access &access, SmallVector<Value> indices,
                               ArrayRef<int64_t> offsets, bool mayShift) {
  Value source = getSource(access);
  int64_t period = 0, reach = 0;
  for (int64_t offset : offsets) {
    period = std::gcd(period, offset);
    reach = std::max(reach, offset);
  }
  if (period == 0)
    return broadcast(
        tensor::ExtractOp::create(builder, loc, source, indices).getResult());

  // Lanes that read the same elements but for a constant share what they load.
  auto [shift, rest] = mayShift ? getSharedPart(access, period)
                                : std::pair<int64_t, int64_t>();
  if (shift > 0)
    indices.back() = asValue(affine::makeComposedFoldedAffineApply(
        builder, loc, builder.getAffineDimExpr(0) - shift, {indices.back()}));
  int64_t size = shift + reach + 1 + rest;
  int64_t width = strategy.getVectorWidth();
  auto readAt = [&](int64_t start) {
    SmallVector<Value> here(indices);
    here.back() = asValue(affine::makeComposedFoldedAffineApply(
        builder, loc, builder.getAffineDimExpr(0) + start, {indices.back()}));
    int64_t count = std::min(size, width);
    return readVector(source, here, llvm::PowerOf2Ceil(count), count);
  };
  Value dealt;
  for (int64_t block = 0; block * width < size; ++block) {
    // The last vector ends with what is there.
    int64_t start = std::min(block * width, std::max<int64_t>(0, size - width));
    SmallVector<int64_t> mask;
    bool isUsed = false;
    for (int64_t lane = 0; lane < width; ++lane) {
      int64_t offset =
          lane < static_cast<int64_t>(offsets.size()) ? offsets[lane] + shift
                                                      : -1;
      bool isHere = offset >= 0 && offset / width == block;
      isUsed |= isHere;
      // Lanes that are not here stay as they are, those of no use are any.
      mask.push_back(isHere ? (dealt ? width : 0) + offset - start
                            : (dealt ? lane : 0));
    }
    if (!isUsed)
      continue;
    Value vector = readAt(start);
    dealt = vector::ShuffleOp::create(builder, loc, dealt ? dealt : vector,
                                      vector, mask);
  }
  return dealt;
}

/// How many elements in front of the first lane, and behind the last one, may
/// be loaded with them, so that accesses that differ by less than `period` load
/// the same.
std::pair<int64_t, int64_t> KernelEmitter::getSharedPart(Access &access,
                                                         int64_t period) {
  AffineExpr expr = access.indices.back();
  MLIRContext *context = builder.getContext();
  // An index that no dimension lowers is never below its constant part.
  bool isMonotone = access.symbols.empty();
  expr.walk([&](AffineExpr part) {
    if (auto constant = dyn_cast<AffineConstantExpr>(part))
      isMonotone &= constant.getValue() >= 0;
    // In the padding an index is anywhere.
    if (auto dim = dyn_cast<AffineDimExpr>(part))
      for (const Bound &bound : access.bounds)
        isMonotone &= !bound.expr.isFunctionOfDim(dim.getPosition());
  });
  if (!isMonotone)
    return {0, 0};
  SmallVector<AffineExpr> least, most;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    std::optional<int64_t> value = getConstantIntValue(position.global[dim]);
    int64_t offset = position.offset[dim];
    least.push_back(getAffineConstantExpr(value.value_or(0) + offset, context));
    // The last lane is at most the last one of all.
    bool isKnown = value && static_cast<int64_t>(dim) != strategy.vectorDim;
    most.push_back(getAffineConstantExpr(
        isKnown ? *value + offset : problem.extents[dim] - 1, context));
  }
  auto at = [&](ArrayRef<AffineExpr> dims) {
    return cast<AffineConstantExpr>(
               simplifyAffineExpr(expr.replaceDims(dims), 0, 0))
        .getValue();
  };
  int64_t shift = at(least) % period;
  int64_t rest = period - 1 - shift;
  if (at(most) + rest >= access.shape.back())
    rest = 0;
  return {shift, rest};
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
    if (count < type.getNumElements())
      lanes.append(type.getNumElements() - count,
                   constantLike(builder.getZeroAttr(access.elementType)));
    return vector::FromElementsOp::create(builder, loc, type, lanes);
  }
  return readVector(tile, getTileIndices(output), type.getNumElements(), count);
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
             count < strategy.getVectorWidth() ? getMask(count) : Value(),
             builder.getBoolArrayAttr({true}))
      .getResult();
}
