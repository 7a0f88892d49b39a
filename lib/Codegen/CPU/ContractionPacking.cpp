//===- ContractionPacking.cpp - The vectors' operand of a contraction -----===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionEmitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

/// Copies rhs so that each vector of a panel is contiguous with the next one
/// that the reduction reads. This also takes transposes and flips out of the
/// inner loops.
void ContractionEmitter::emitPrologue() {
  if (!strategy.pack)
    return;
  unsigned vectorDim = strategy.vectorDim;
  for (unsigned dim : outerDims)
    if (rhs.uses(dim))
      packedDims.push_back(dim);
  unsigned numOuter = packedDims.size();
  for (unsigned dim : reductionDims)
    if (rhs.uses(dim))
      packedDims.push_back(dim);
  for (int64_t dim : {dealtDim, strategy.unrollDim})
    if (dim >= 0 && rhs.uses(dim))
      packedDims.push_back(dim);

  int64_t extent = problem.extents[vectorDim];
  int64_t vectors = llvm::divideCeil(extent, strategy.lanes);
  SmallVector<int64_t> shape;
  for (auto [number, dim] : llvm::enumerate(packedDims)) {
    if (number == numOuter)
      shape.push_back(vectors);
    shape.push_back(problem.extents[dim]);
  }
  if (numOuter == packedDims.size())
    shape.push_back(vectors);
  shape.push_back(strategy.getVectorWidth());
  packed = allocate(shape, rhs.elementType);

  if (Value transposed = packTransposed(packed, numOuter)) {
    packed = transposed;
    return;
  }
  Position saved = position;
  auto copy = [&](OpFoldResult vector, int64_t lanes, Value into) {
    setLocal(vectorDim,
             affine::makeComposedFoldedAffineApply(
                 builder, loc, builder.getAffineDimExpr(0) * strategy.lanes,
                 {vector}));
    Value value = load(rhs, lanes, true, false);
    SmallVector<Value> indices;
    for (auto [number, dim] : llvm::enumerate(packedDims)) {
      if (number == numOuter)
        indices.push_back(asValue(vector));
      indices.push_back(asValue(position.global[dim]));
    }
    if (numOuter == packedDims.size())
      indices.push_back(asValue(vector));
    indices.push_back(constantIndex(0));
    return vector::TransferWriteOp::create(builder, loc, value, into, indices,
                                           ArrayRef<bool>{true})
        .getResult();
  };
  std::function<Value(unsigned, Value)> nest = [&](unsigned level,
                                                   Value into) -> Value {
    if (level < packedDims.size())
      return emitLoop(builder.getIndexAttr(0),
                      builder.getIndexAttr(problem.extents[packedDims[level]]),
                      1, into,
                      [&](OpFoldResult iv, ValueRange carried) {
                        setLocal(packedDims[level], iv);
                        return SmallVector<Value>{nest(level + 1, carried[0])};
                      })
          .front();
    int64_t whole = extent / strategy.lanes;
    into =
        emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole), 1, into,
                 [&](OpFoldResult iv, ValueRange carried) {
                   return SmallVector<Value>{
                       copy(iv, strategy.lanes, carried[0])};
                 })
            .front();
    if (whole < vectors)
      into = copy(builder.getIndexAttr(whole), extent - whole * strategy.lanes,
                  into);
    return into;
  };
  packed = nest(0, packed);
  position = saved;
}

/// Interleaves `rows` until they are the columns.
static SmallVector<Value> transpose(OpBuilder &builder, Location loc,
                                    SmallVector<Value> rows) {
  int64_t lanes = rows.size();
  for (int64_t step = 1; step < lanes; step *= 2) {
    SmallVector<Value> next;
    for (int64_t row = 0; row < lanes / 2; ++row)
      for (int64_t half = 0; half < 2; ++half) {
        SmallVector<int64_t> mask;
        for (int64_t lane = 0; lane < lanes / 2; ++lane) {
          mask.push_back(half * lanes / 2 + lane);
          mask.push_back(half * lanes / 2 + lane + lanes);
        }
        next.push_back(vector::ShuffleOp::create(builder, loc, rows[row],
                                                 rows[row + lanes / 2], mask));
      }
    rows = std::move(next);
  }
  return rows;
}

/// Packs a rhs that is contiguous along a reduction instead of along the
/// vectors, a square of lanes at a time. Returns null where it is not, or
/// where nothing fills a square.
Value ContractionEmitter::packTransposed(Value into, unsigned numOuter) {
  unsigned vectorDim = strategy.vectorDim;
  int64_t lanes = strategy.lanes;
  std::optional<unsigned> along;
  for (unsigned dim : ArrayRef(packedDims).drop_front(numOuter))
    if (rhs.getLastStride(dim) == 1 && problem.extents[dim] >= lanes)
      along = dim;
  if (!along || rhs.getLastStride(vectorDim) ||
      lanes != strategy.getVectorWidth() || problem.extents[vectorDim] < lanes)
    return Value();

  Position saved = position;
  AffineMap map = AffineMap::getMinorIdentityMap(rhs.indices.size(), 1,
                                                 builder.getContext());
  int64_t extent = problem.extents[vectorDim];
  // Reads `height` rows of `width` elements; the rest of the square is zero.
  auto copySquare = [&](OpFoldResult vector, int64_t height, int64_t width,
                        Value packedSoFar) {
    setLocal(vectorDim,
             affine::makeComposedFoldedAffineApply(
                 builder, loc, builder.getAffineDimExpr(0) * lanes, {vector}));
    Value zero = constantLike(builder.getZeroAttr(rhs.elementType));
    VectorType type = getVectorType(rhs.elementType);
    SmallVector<Value> rows;
    for (int64_t row = 0; row < lanes; ++row) {
      if (row >= height) {
        rows.push_back(broadcast(zero));
        continue;
      }
      position.offset[vectorDim] = row;
      SmallVector<Value> indices;
      for (AffineExpr expr : rhs.indices)
        indices.push_back(asValue(evaluate(expr, rhs.symbols)));
      rows.push_back(vector::TransferReadOp::create(
          builder, loc, type, getSource(rhs), indices, AffineMapAttr::get(map),
          zero, width < lanes ? getMask(width) : Value(),
          builder.getBoolArrayAttr({true})));
    }
    position.offset[vectorDim] = 0;
    SmallVector<Value> columns = transpose(builder, loc, rows);
    for (int64_t column = 0; column < width; ++column) {
      position.offset[*along] = column;
      SmallVector<Value> indices;
      for (auto [number, dim] : llvm::enumerate(packedDims)) {
        if (number == numOuter)
          indices.push_back(asValue(vector));
        indices.push_back(asValue(evaluate(builder.getAffineDimExpr(dim), {})));
      }
      indices.push_back(constantIndex(0));
      packedSoFar = vector::TransferWriteOp::create(
                        builder, loc, columns[column], packedSoFar, indices,
                        ArrayRef<bool>{true})
                        .getResult();
    }
    position.offset[*along] = 0;
    return packedSoFar;
  };
  auto forSquares =
      [&](int64_t size, Value value,
          function_ref<Value(OpFoldResult, int64_t, Value)> visit) {
        int64_t whole = size / lanes * lanes;
        value =
            emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole),
                     lanes, value,
                     [&](OpFoldResult iv, ValueRange carried) {
                       return SmallVector<Value>{visit(iv, lanes, carried[0])};
                     })
                .front();
        if (whole < size)
          value = visit(builder.getIndexAttr(whole), size - whole, value);
        return value;
      };
  std::function<Value(unsigned, Value)> nest = [&](unsigned level,
                                                   Value value) -> Value {
    if (level < packedDims.size() && packedDims[level] == *along)
      return nest(level + 1, value);
    if (level < packedDims.size())
      return emitLoop(builder.getIndexAttr(0),
                      builder.getIndexAttr(problem.extents[packedDims[level]]),
                      1, value,
                      [&](OpFoldResult iv, ValueRange carried) {
                        setLocal(packedDims[level], iv);
                        return SmallVector<Value>{nest(level + 1, carried[0])};
                      })
          .front();
    return forSquares(
        extent, value, [&](OpFoldResult start, int64_t height, Value outer) {
          OpFoldResult vector = affine::makeComposedFoldedAffineApply(
              builder, loc, builder.getAffineDimExpr(0).floorDiv(lanes),
              {start});
          return forSquares(problem.extents[*along], outer,
                            [&](OpFoldResult iv, int64_t width, Value inner) {
                              setLocal(*along, iv);
                              return copySquare(vector, height, width, inner);
                            });
        });
  };
  Value result = nest(0, into);
  position = saved;
  return result;
}

Value ContractionEmitter::loadVector(int64_t vector, int64_t lanes) {
  if (!strategy.pack) {
    int64_t saved = position.offset[strategy.vectorDim];
    position.offset[strategy.vectorDim] += vector * strategy.lanes;
    Value value = load(rhs, lanes, true, false);
    position.offset[strategy.vectorDim] = saved;
    return value;
  }
  unsigned numOuter = llvm::count_if(
      packedDims, [&](unsigned dim) { return !problem.isReduction[dim]; });
  SmallVector<Value> indices;
  auto addVector = [&] {
    indices.push_back(asValue(affine::makeComposedFoldedAffineApply(
        builder, loc, builder.getAffineDimExpr(0) + vector, {panelStart})));
  };
  for (auto [number, dim] : llvm::enumerate(packedDims)) {
    if (number == numOuter)
      addVector();
    indices.push_back(asValue(evaluate(builder.getAffineDimExpr(dim), {})));
  }
  if (numOuter == packedDims.size())
    addVector();
  indices.push_back(constantIndex(0));
  // The last vector is padded, so that no lane needs a mask.
  return vector::TransferReadOp::create(
      builder, loc, getVectorType(rhs.elementType), packed, indices,
      constantLike(builder.getZeroAttr(rhs.elementType)), ArrayRef<bool>{true});
}
