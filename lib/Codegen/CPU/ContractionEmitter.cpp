//===- ContractionEmitter.cpp - Sums of products in register tiles --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Matrix products, convolutions and filter gradients are one loop nest here:
// a register tile of rows x vectors, whose rows come from scalars of lhs and
// whose vectors from rhs, inside of the reduction loops. Zero padding costs
// nothing: loops skip what they can, and a tile at the border leaves out the
// products that are known to be zero.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

namespace {

/// `count` tiles of `size` elements from `start` on.
struct Segment {
  int64_t start, size, count;
};

class ContractionEmitter : public KernelEmitter {
public:
  ContractionEmitter(OpBuilder &builder, Problem &problem,
                     const Strategy &strategy);

protected:
  void emitPrologue() override;
  Tiles emitTile(Tiles tiles) override;
  Value getNeutral(unsigned) override {
    return constantLike(builder.getZeroAttr(problem.lhs.elementType));
  }
  Value combine(unsigned, Value left, Value right) override {
    return arith::AddFOp::create(builder, loc, left, right);
  }

private:
  /// How a bound of lhs is kept.
  enum class Keep { Range, Rows, Check };

  void classifyBounds();
  SmallVector<Segment> splitRows();
  SmallVector<Segment> splitPanels();
  bool isInterior(int64_t start, int64_t size);
  Tiles emitBlocks(unsigned level, Tiles tiles);
  Tiles emitOuter(unsigned level, Tiles tiles);
  Tiles emitPanels(Tiles tiles);
  Tiles emitRows(int64_t panel, int64_t lastLanes, Tiles tiles);
  Tiles emitRegisterTile(int64_t rows, int64_t panel, int64_t lastLanes,
                         Tiles tiles);
  SmallVector<Value> emitReduction(unsigned level, int64_t rows, int64_t panel,
                                   int64_t lastLanes,
                                   SmallVector<Value> sums);
  SmallVector<Value> emitProducts(int64_t rows, int64_t panel,
                                  int64_t lastLanes, SmallVector<Value> sums);
  std::pair<OpFoldResult, OpFoldResult> getRange(unsigned dim);
  int64_t getWindow(int64_t row, int64_t tap) const;
  Value loadVector(int64_t vector, int64_t lanes);
  Value packTransposed(Value into, unsigned numOuter);
  Tiles initialise(Tiles tiles);
  int64_t lanesOf(int64_t vector, int64_t panel, int64_t lastLanes) const {
    return vector == panel - 1 ? lastLanes : strategy.lanes;
  }

  Access lhs, rhs;
  SmallVector<Keep> keeps;
  bool checkBounds = false;
  /// Parallel dimensions that are neither rows nor vectors.
  SmallVector<unsigned> outerDims;
  /// Those whose loops go around the panels, and the others. A panel stays in
  /// the cache while images and rows pass; but a batch of products has a panel
  /// of its own in each, and a block of a long reduction is meant to stay.
  SmallVector<unsigned> aroundDims, insideDims;
  /// Reduction dimensions that are loops, outermost first.
  SmallVector<unsigned> reductionDims;
  /// The range of each dimension that a block loop has set.
  DenseMap<unsigned, std::pair<OpFoldResult, OpFoldResult>> blockRanges;
  /// Where the current panel starts, counted in vectors.
  OpFoldResult panelStart;
  /// rhs in panels: other dimensions of rhs, vectors, reductions, lanes.
  Value packed;
  SmallVector<unsigned> packedDims;
};

} // namespace

ContractionEmitter::ContractionEmitter(OpBuilder &builder, Problem &problem,
                                       const Strategy &strategy)
    : KernelEmitter(builder, problem, strategy), lhs(problem.lhs),
      rhs(problem.rhs) {
  if (strategy.swap)
    std::swap(lhs, rhs);
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    if (problem.isReduction[dim]) {
      if (static_cast<int64_t>(dim) != strategy.unrollDim)
        reductionDims.push_back(dim);
    } else if (static_cast<int64_t>(dim) != strategy.vectorDim &&
               static_cast<int64_t>(dim) != strategy.rowDim) {
      outerDims.push_back(dim);
      bool isAround = rhs.uses(dim) || !strategy.blockDims.empty();
      (isAround ? aroundDims : insideDims).push_back(dim);
    }
  }
  classifyBounds();
}

void ContractionEmitter::classifyBounds() {
  for (const Bound &bound : lhs.bounds) {
    SmallVector<unsigned> loops;
    bool hasRow = false, hasUnrolled = false;
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
      if (!bound.expr.isFunctionOfDim(dim))
        continue;
      if (static_cast<int64_t>(dim) == strategy.rowDim)
        hasRow = true;
      else if (static_cast<int64_t>(dim) == strategy.unrollDim)
        hasUnrolled = true;
      else
        loops.push_back(dim);
    }
    bool rowIsParallel =
        llvm::is_contained(strategy.parallelDims, strategy.rowDim);
    if (hasRow && loops.empty() && !rowIsParallel) {
      keeps.push_back(Keep::Rows);
    } else if (!hasRow && !hasUnrolled &&
               llvm::any_of(loops, [&](unsigned dim) {
                 return problem.isReduction[dim] &&
                        getCoefficient(bound.expr, dim) > 0;
               })) {
      keeps.push_back(Keep::Range);
    } else {
      keeps.push_back(Keep::Check);
      checkBounds = true;
    }
  }
}

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
  if (strategy.unrollDim >= 0 && rhs.uses(strategy.unrollDim))
    packedDims.push_back(strategy.unrollDim);

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
  shape.push_back(strategy.lanes);
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
    into = emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole), 1,
                    into,
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
        next.push_back(vector::ShuffleOp::create(
            builder, loc, rows[row], rows[row + lanes / 2], mask));
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
      problem.extents[vectorDim] < lanes)
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
        indices.push_back(
            asValue(evaluate(builder.getAffineDimExpr(dim), {})));
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
  auto forSquares = [&](int64_t size, Value value,
                        function_ref<Value(OpFoldResult, int64_t, Value)>
                            visit) {
    int64_t whole = size / lanes * lanes;
    value = emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole),
                     lanes, value,
                     [&](OpFoldResult iv, ValueRange carried) {
                       return SmallVector<Value>{
                           visit(iv, lanes, carried[0])};
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
        extent, value,
        [&](OpFoldResult start, int64_t height, Value outer) {
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
      constantLike(builder.getZeroAttr(rhs.elementType)),
      ArrayRef<bool>{true});
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// Cuts `extent` into tiles of at most `limit` that differ by at most one.
static SmallVector<Segment> splitEvenly(int64_t extent, int64_t limit) {
  int64_t tiles = llvm::divideCeil(extent, limit);
  int64_t small = extent / tiles, big = extent % tiles;
  SmallVector<Segment> segments;
  if (big > 0)
    segments.push_back({0, small + 1, big});
  segments.push_back({big * (small + 1), small, tiles - big});
  return segments;
}

SmallVector<Segment> ContractionEmitter::splitPanels() {
  int64_t extent = getTileExtent(strategy.vectorDim);
  int64_t vectors = llvm::divideCeil(extent, strategy.lanes);
  SmallVector<Segment> segments = splitEvenly(vectors, strategy.panel);
  // The panel with the partial vector stands alone.
  if (extent % strategy.lanes != 0 && segments.back().count > 1) {
    Segment last = segments.back();
    segments.back().count -= 1;
    segments.push_back({last.start + last.size * (last.count - 1), last.size,
                        1});
  }
  return segments;
}

/// Whether no product of these rows is outside of a bound kept by rows.
bool ContractionEmitter::isInterior(int64_t start, int64_t size) {
  for (unsigned number = 0; number < lhs.bounds.size(); ++number) {
    const Bound &bound = lhs.bounds[number];
    if (keeps[number] != Keep::Rows)
      continue;
    SmallVector<AffineExpr> zeros(problem.getNumDims(),
                                  builder.getAffineConstantExpr(0));
    auto base =
        cast<AffineConstantExpr>(bound.expr.replaceDims(zeros)).getValue();
    int64_t low = base, high = base;
    auto extend = [&](unsigned dim, int64_t first, int64_t last) {
      int64_t coefficient = getCoefficient(bound.expr, dim);
      low += std::min(coefficient * first, coefficient * last);
      high += std::max(coefficient * first, coefficient * last);
    };
    extend(strategy.rowDim, start, start + size - 1);
    if (strategy.unrollDim >= 0)
      extend(strategy.unrollDim, 0, problem.extents[strategy.unrollDim] - 1);
    if (low < 0 || high >= bound.size)
      return false;
  }
  return true;
}

SmallVector<Segment> ContractionEmitter::splitRows() {
  if (strategy.rowDim < 0)
    return {{0, 1, 1}};
  SmallVector<Segment> segments;
  for (Segment even :
       splitEvenly(getTileExtent(strategy.rowDim), strategy.rows)) {
    for (int64_t tile = 0; tile < even.count; ++tile) {
      int64_t start = even.start + tile * even.size;
      bool interior = isInterior(start, even.size);
      if (interior && !segments.empty() &&
          segments.back().size == even.size &&
          isInterior(segments.back().start, segments.back().size))
        segments.back().count += 1;
      else
        segments.push_back({start, even.size, 1});
    }
  }
  return segments;
}

Tiles ContractionEmitter::emitTile(Tiles tiles) {
  if (strategy.blockDims.empty())
    return emitOuter(0, tiles);
  return emitBlocks(0, initialise(tiles));
}

/// Sums that are kept in memory between blocks start there.
Tiles ContractionEmitter::initialise(Tiles tiles) {
  Output &output = problem.outputs.front();
  bool partial = strategy.chunks > 1;
  if (!partial && output.init == InitKind::InPlace)
    return tiles;
  SmallVector<unsigned> dims(outerDims);
  if (strategy.rowDim >= 0)
    dims.push_back(strategy.rowDim);
  int64_t extent = getTileExtent(strategy.vectorDim);
  auto valueAt = [&](int64_t lanes) {
    if (partial)
      return broadcast(getNeutral(0));
    if (output.init == InitKind::Fill)
      return broadcast(output.fill);
    return load(output.read, lanes, true, false);
  };
  std::function<Value(unsigned, Value)> nest = [&](unsigned level,
                                                   Value tile) -> Value {
    if (level < dims.size())
      return emitLoop(builder.getIndexAttr(0),
                      builder.getIndexAttr(getTileExtent(dims[level])), 1,
                      tile,
                      [&](OpFoldResult iv, ValueRange carried) {
                        setLocal(dims[level], iv);
                        return SmallVector<Value>{nest(level + 1, carried[0])};
                      })
          .front();
    int64_t whole = extent / strategy.lanes * strategy.lanes;
    tile = emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole),
                    strategy.lanes, tile,
                    [&](OpFoldResult iv, ValueRange carried) {
                      setLocal(strategy.vectorDim, iv);
                      return SmallVector<Value>{
                          storeTile(0, carried[0], valueAt(strategy.lanes),
                                    strategy.lanes)};
                    })
               .front();
    if (whole < extent) {
      setLocal(strategy.vectorDim, builder.getIndexAttr(whole));
      tile = storeTile(0, tile, valueAt(extent - whole), extent - whole);
    }
    return tile;
  };
  tiles[0] = nest(0, tiles[0]);
  return tiles;
}

Tiles ContractionEmitter::emitBlocks(unsigned level, Tiles tiles) {
  if (level == strategy.blockDims.size())
    return emitOuter(0, tiles);
  unsigned dim = strategy.blockDims[level];
  int64_t tile = strategy.blockTiles[level], extent = problem.extents[dim];
  bool isChunked = static_cast<int64_t>(dim) == strategy.chunkDim;
  OpFoldResult low =
      isChunked ? chunkLow : OpFoldResult(builder.getIndexAttr(0));
  OpFoldResult high =
      isChunked ? chunkHigh : OpFoldResult(builder.getIndexAttr(extent));
  bool divides =
      extent % tile == 0 &&
      (!isChunked || strategy.chunkSize % tile == 0);
  return emitLoop(low, high, tile, tiles,
                  [&](OpFoldResult iv, ValueRange carried) {
                    AffineExpr start = builder.getAffineDimExpr(0);
                    OpFoldResult end =
                        divides ? affine::makeComposedFoldedAffineApply(
                                      builder, loc, start + tile, {iv})
                                : affine::makeComposedFoldedAffineMin(
                                      builder, loc,
                                      AffineMap::get(
                                          2, 0,
                                          {start + tile,
                                           builder.getAffineDimExpr(1)},
                                          builder.getContext()),
                                      {iv, high});
                    blockRanges[dim] = {iv, end};
                    return emitBlocks(level + 1, Tiles(carried));
                  });
}

Tiles ContractionEmitter::emitOuter(unsigned level, Tiles tiles) {
  if (level == aroundDims.size())
    return emitPanels(tiles);
  return emitLoop(builder.getIndexAttr(0),
                  builder.getIndexAttr(getTileExtent(aroundDims[level])), 1,
                  tiles, [&](OpFoldResult iv, ValueRange carried) {
                    setLocal(aroundDims[level], iv);
                    return emitOuter(level + 1, Tiles(carried));
                  });
}

Tiles ContractionEmitter::emitPanels(Tiles tiles) {
  int64_t extent = getTileExtent(strategy.vectorDim);
  for (Segment segment : splitPanels()) {
    int64_t end = segment.start + segment.size * segment.count;
    int64_t lastLanes =
        std::min(strategy.lanes, extent - (end - 1) * strategy.lanes);
    tiles = emitLoop(
        builder.getIndexAttr(segment.start), builder.getIndexAttr(end),
        segment.size, tiles, [&](OpFoldResult iv, ValueRange carried) {
          setLocal(strategy.vectorDim,
                   affine::makeComposedFoldedAffineApply(
                       builder, loc,
                       builder.getAffineDimExpr(0) * strategy.lanes, {iv}));
          panelStart = affine::makeComposedFoldedAffineApply(
              builder, loc,
              builder.getAffineDimExpr(0).floorDiv(strategy.lanes) +
                  builder.getAffineDimExpr(1),
              {position.base[strategy.vectorDim], iv});
          std::function<Tiles(unsigned, Tiles)> nest =
              [&](unsigned level, Tiles inner) -> Tiles {
            if (level == insideDims.size())
              return emitRows(segment.size, lastLanes, inner);
            return emitLoop(
                builder.getIndexAttr(0),
                builder.getIndexAttr(getTileExtent(insideDims[level])), 1,
                inner, [&](OpFoldResult outer, ValueRange values) {
                  setLocal(insideDims[level], outer);
                  return nest(level + 1, Tiles(values));
                });
          };
          return nest(0, Tiles(carried));
        });
  }
  return tiles;
}

Tiles ContractionEmitter::emitRows(int64_t panel, int64_t lastLanes,
                                   Tiles tiles) {
  for (Segment segment : splitRows())
    tiles = emitLoop(
        builder.getIndexAttr(segment.start),
        builder.getIndexAttr(segment.start + segment.size * segment.count),
        segment.size, tiles, [&](OpFoldResult iv, ValueRange carried) {
          if (strategy.rowDim >= 0)
            setLocal(strategy.rowDim, iv);
          return emitRegisterTile(segment.size, panel, lastLanes,
                                  Tiles(carried));
        });
  return tiles;
}

//===----------------------------------------------------------------------===//
// The register tile
//===----------------------------------------------------------------------===//

Tiles ContractionEmitter::emitRegisterTile(int64_t rows, int64_t panel,
                                           int64_t lastLanes, Tiles tiles) {
  bool inMemory = !strategy.blockDims.empty();
  // Visits each vector of the tile at its position.
  auto forEachVector = [&](function_ref<void(int64_t, int64_t)> visit) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t vector = 0; vector < panel; ++vector) {
        if (strategy.rowDim >= 0)
          position.offset[strategy.rowDim] = row;
        position.offset[strategy.vectorDim] = vector * strategy.lanes;
        visit(row * panel + vector, lanesOf(vector, panel, lastLanes));
      }
    if (strategy.rowDim >= 0)
      position.offset[strategy.rowDim] = 0;
    position.offset[strategy.vectorDim] = 0;
  };

  SmallVector<Value> sums(rows * panel);
  forEachVector([&](int64_t number, int64_t lanes) {
    if (inMemory || problem.accumulatorInit == InitKind::InPlace)
      sums[number] = loadTile(0, tiles[0], lanes);
    else if (problem.accumulatorInit == InitKind::Fill)
      sums[number] = broadcast(problem.accumulatorFill);
    else
      sums[number] = load(problem.accumulatorRead, lanes, true, false);
  });
  sums = emitReduction(0, rows, panel, lastLanes, sums);
  forEachVector([&](int64_t number, int64_t lanes) {
    SmallVector<Value> results = {sums[number]};
    if (problem.body) {
      SmallVector<Value> arguments;
      for (std::optional<Access> &input : problem.inputs)
        arguments.push_back(input ? load(*input, lanes, true, true)
                                  : sums[number]);
      for (auto [output, info] : llvm::enumerate(problem.outputs)) {
        if (info.init == InitKind::InPlace)
          arguments.push_back(loadTile(output, tiles[output], lanes));
        else if (info.init == InitKind::Fill)
          arguments.push_back(info.fill);
        else if (info.init == InitKind::Read)
          arguments.push_back(load(info.read, lanes, true, true));
        else
          arguments.push_back(
              constantLike(builder.getZeroAttr(info.dest.elementType)));
      }
      results = emitBody(arguments);
    }
    for (auto [output, result] : llvm::enumerate(results))
      tiles[output] = storeTile(output, tiles[output], result, lanes);
  });
  return tiles;
}

/// The iterations of `dim` that no bound excludes, given the loops outside.
std::pair<OpFoldResult, OpFoldResult>
ContractionEmitter::getRange(unsigned dim) {
  SmallVector<OpFoldResult> lows, highs;
  auto block = blockRanges.find(dim);
  if (block != blockRanges.end()) {
    lows.push_back(block->second.first);
    highs.push_back(block->second.second);
  } else {
    lows.push_back(builder.getIndexAttr(0));
    highs.push_back(builder.getIndexAttr(problem.extents[dim]));
  }
  for (auto [bound, keep] : llvm::zip(lhs.bounds, keeps)) {
    int64_t coefficient = getCoefficient(bound.expr, dim);
    if (keep != Keep::Range || coefficient <= 0)
      continue;
    // The innermost reduction loop of the bound keeps it for all others.
    bool isInnermost = true, after = false;
    for (unsigned other : reductionDims) {
      if (after && getCoefficient(bound.expr, other) > 0)
        isInnermost = false;
      after |= other == dim;
    }
    if (!isInnermost)
      continue;
    SmallVector<AffineExpr> dims;
    for (unsigned d = 0; d < problem.getNumDims(); ++d)
      dims.push_back(d == dim ? builder.getAffineConstantExpr(0)
                              : builder.getAffineDimExpr(d));
    AffineExpr rest = bound.expr.replaceDims(dims);
    // 0 <= rest + coefficient * dim < size
    lows.push_back(evaluate((-rest).ceilDiv(coefficient), {}));
    highs.push_back(
        evaluate((-rest + (bound.size - 1)).floorDiv(coefficient) + 1, {}));
  }
  auto limit = [&](SmallVector<OpFoldResult> &values, bool isLow) {
    if (values.size() == 1)
      return values.front();
    AffineMap map = builder.getMultiDimIdentityMap(values.size());
    return isLow ? affine::makeComposedFoldedAffineMax(builder, loc, map,
                                                       values)
                 : affine::makeComposedFoldedAffineMin(builder, loc, map,
                                                       values);
  };
  return {limit(lows, true), limit(highs, false)};
}

SmallVector<Value>
ContractionEmitter::emitReduction(unsigned level, int64_t rows, int64_t panel,
                                  int64_t lastLanes, SmallVector<Value> sums) {
  if (level == reductionDims.size())
    return emitProducts(rows, panel, lastLanes, sums);
  unsigned dim = reductionDims[level];
  auto [low, high] = getRange(dim);
  auto body = [&](int64_t factor) {
    return [&, factor](OpFoldResult iv, ValueRange carried) {
      setLocal(dim, iv);
      SmallVector<Value> values(carried);
      for (int64_t step = 0; step < factor; ++step) {
        position.offset[dim] = step;
        values = emitReduction(level + 1, rows, panel, lastLanes, values);
      }
      position.offset[dim] = 0;
      return values;
    };
  };
  std::optional<int64_t> first = getConstantIntValue(low);
  std::optional<int64_t> last = getConstantIntValue(high);
  bool isInnermost = level + 1 == reductionDims.size();
  if (isInnermost && strategy.unroll > 1 && first && last &&
      *last > *first) {
    int64_t whole = (*last - *first) / strategy.unroll * strategy.unroll;
    sums = emitLoop(low, builder.getIndexAttr(*first + whole), strategy.unroll,
                    sums, body(strategy.unroll));
    return emitLoop(builder.getIndexAttr(*first + whole), high, 1, sums,
                    body(1));
  }
  return emitLoop(low, high, 1, sums, body(1));
}

SmallVector<Value> ContractionEmitter::emitProducts(int64_t rows,
                                                    int64_t panel,
                                                    int64_t lastLanes,
                                                    SmallVector<Value> sums) {
  int64_t unrolled =
      strategy.unrollDim < 0 ? 1 : problem.extents[strategy.unrollDim];
  auto moveTo = [&](int64_t row, int64_t tap) {
    if (strategy.rowDim >= 0)
      position.offset[strategy.rowDim] = row;
    if (strategy.unrollDim >= 0)
      position.offset[strategy.unrollDim] = tap;
  };
  SmallVector<std::pair<int64_t, int64_t>> order;
  for (int64_t tap = 0; tap < unrolled; ++tap)
    for (int64_t row = 0; row < rows; ++row)
      order.push_back({row, tap});
  if (takesWindows(rows, panel, unrolled))
    // Each row still meets its taps in order.
    llvm::sort(order, [&](auto left, auto right) {
      return std::pair(getWindow(left.first, left.second), left.second) <
             std::pair(getWindow(right.first, right.second), right.second);
    });

  SmallVector<SmallVector<Value>> vectors(unrolled);
  for (auto [row, tap] : order) {
    moveTo(row, tap);
    bool isZero = llvm::any_of(lhs.bounds, [&](const Bound &bound) {
      std::optional<int64_t> value = getConstant(bound.expr);
      return value && (*value < 0 || *value >= bound.size);
    });
    if (isZero)
      continue;
    if (vectors[tap].empty()) {
      moveTo(0, tap);
      for (int64_t vector = 0; vector < panel; ++vector)
        vectors[tap].push_back(
            loadVector(vector, lanesOf(vector, panel, lastLanes)));
      moveTo(row, tap);
    }
    Value scalar = broadcast(loadScalar(lhs, checkBounds));
    for (int64_t vector = 0; vector < panel; ++vector) {
      Value &sum = sums[row * panel + vector];
      sum = vector::FMAOp::create(builder, loc, scalar, vectors[tap][vector],
                                  sum);
    }
  }
  moveTo(0, 0);
  return sums;
}

/// Where `row` and `tap` read lhs, relative to other rows and taps.
int64_t ContractionEmitter::getWindow(int64_t row, int64_t tap) const {
  for (AffineExpr expr : lhs.indices) {
    int64_t perRow = getCoefficient(expr, strategy.rowDim);
    int64_t perTap = getCoefficient(expr, strategy.unrollDim);
    if (perRow != 0 && perTap != 0)
      return perRow * row + perTap * tap;
  }
  return tap;
}

std::unique_ptr<KernelEmitter>
cpu::createContractionEmitter(OpBuilder &builder, Problem &problem,
                              const Strategy &strategy) {
  return std::make_unique<ContractionEmitter>(builder, problem, strategy);
}
