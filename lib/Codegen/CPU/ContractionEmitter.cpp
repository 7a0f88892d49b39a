//===- ContractionEmitter.cpp - Sums of products in register tiles --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionEmitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

ContractionEmitter::ContractionEmitter(OpBuilder &builder, Problem &problem,
                                       const Strategy &strategy)
    : KernelEmitter(builder, problem, strategy), lhs(problem.lhs),
      rhs(problem.rhs), depthwise(isDepthwise(problem, strategy)) {
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
  dealtDim = findDealtDim(problem, strategy);
  if (dealtDim >= 0 && strategy.unroll == problem.extents[dealtDim] &&
      !llvm::is_contained(strategy.blockDims, dealtDim))
    llvm::erase(reductionDims, dealtDim);
  else
    dealtDim = -1;
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
    } else if (loops.size() == 1 && problem.isReduction[loops.front()] &&
               getCoefficient(bound.expr, loops.front()) > 0) {
      keeps.push_back(Keep::Border);
    } else {
      keeps.push_back(Keep::Check);
      checkBounds = true;
    }
  }
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// Cuts `extent` into tiles of at most `limit` that differ by at most one.
SmallVector<ContractionEmitter::Segment>
ContractionEmitter::splitEvenly(int64_t extent, int64_t limit) {
  int64_t tiles = llvm::divideCeil(extent, limit);
  int64_t small = extent / tiles, big = extent % tiles;
  SmallVector<Segment> segments;
  if (big > 0)
    segments.push_back({0, small + 1, big});
  segments.push_back({big * (small + 1), small, tiles - big});
  return segments;
}

SmallVector<ContractionEmitter::Segment> ContractionEmitter::splitPanels() {
  int64_t extent = getTileExtent(strategy.vectorDim);
  int64_t vectors = llvm::divideCeil(extent, strategy.lanes);
  SmallVector<Segment> segments = splitEvenly(vectors, strategy.panel);
  // The panel with the partial vector stands alone.
  if (extent % strategy.lanes != 0 && segments.back().count > 1) {
    Segment last = segments.back();
    segments.back().count -= 1;
    segments.push_back(
        {last.start + last.size * (last.count - 1), last.size, 1});
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

SmallVector<ContractionEmitter::Segment> ContractionEmitter::splitRows() {
  if (strategy.rowDim < 0)
    return {{0, 1, 1}};
  SmallVector<Segment> segments;
  for (Segment even :
       splitEvenly(getTileExtent(strategy.rowDim), strategy.rows)) {
    for (int64_t tile = 0; tile < even.count; ++tile) {
      int64_t start = even.start + tile * even.size;
      bool interior = isInterior(start, even.size);
      if (interior && !segments.empty() && segments.back().size == even.size &&
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
                      builder.getIndexAttr(getTileExtent(dims[level])), 1, tile,
                      [&](OpFoldResult iv, ValueRange carried) {
                        setLocal(dims[level], iv);
                        return SmallVector<Value>{nest(level + 1, carried[0])};
                      })
          .front();
    int64_t whole = extent / strategy.lanes * strategy.lanes;
    tile =
        emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole),
                 strategy.lanes, tile,
                 [&](OpFoldResult iv, ValueRange carried) {
                   setLocal(strategy.vectorDim, iv);
                   return SmallVector<Value>{storeTile(
                       0, carried[0], valueAt(strategy.lanes), strategy.lanes)};
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
      extent % tile == 0 && (!isChunked || strategy.chunkSize % tile == 0);
  return emitLoop(
      low, high, tile, tiles, [&](OpFoldResult iv, ValueRange carried) {
        AffineExpr start = builder.getAffineDimExpr(0);
        OpFoldResult end =
            divides ? affine::makeComposedFoldedAffineApply(builder, loc,
                                                            start + tile, {iv})
                    : affine::makeComposedFoldedAffineMin(
                          builder, loc,
                          AffineMap::get(
                              2, 0, {start + tile, builder.getAffineDimExpr(1)},
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
    return isLow
               ? affine::makeComposedFoldedAffineMax(builder, loc, map, values)
               : affine::makeComposedFoldedAffineMin(builder, loc, map, values);
  };
  return {limit(lows, true), limit(highs, false)};
}

/// The iterations of `dim` in which nothing of a register tile meets a bound
/// that is kept at the border; nothing if there is no such bound.
std::optional<std::pair<int64_t, int64_t>>
ContractionEmitter::getInterior(unsigned dim) {
  std::optional<std::pair<int64_t, int64_t>> interior;
  for (auto [bound, keep] : llvm::zip(lhs.bounds, keeps)) {
    int64_t step = getCoefficient(bound.expr, dim);
    if (keep != Keep::Border || step == 0)
      continue;
    SmallVector<AffineExpr> zeros(problem.getNumDims(),
                                  builder.getAffineConstantExpr(0));
    int64_t least =
        cast<AffineConstantExpr>(bound.expr.replaceDims(zeros)).getValue();
    int64_t most = least;
    for (int64_t other : {strategy.rowDim, strategy.unrollDim})
      if (other >= 0) {
        int64_t reach =
            getCoefficient(bound.expr, other) * (problem.extents[other] - 1);
        (reach < 0 ? least : most) += reach;
      }
    int64_t extent = problem.extents[dim];
    int64_t low =
        std::clamp<int64_t>(llvm::divideCeilSigned(-least, step), 0, extent);
    int64_t high = std::clamp<int64_t>(
        llvm::divideFloorSigned(bound.size - 1 - most, step) + 1, low, extent);
    if (interior) {
      low = std::max(low, interior->first);
      high = std::max(low, std::min(high, interior->second));
    }
    interior = {low, high};
  }
  return interior;
}

SmallVector<Value>
ContractionEmitter::emitReduction(unsigned level, int64_t rows, int64_t panel,
                                  int64_t lastLanes, SmallVector<Value> sums) {
  if (level == reductionDims.size())
    return emitProducts(rows, panel, lastLanes, sums);
  unsigned dim = reductionDims[level];
  auto [low, high] = getRange(dim);
  std::optional<std::pair<int64_t, int64_t>> interior = getInterior(dim);
  if (!interior)
    return emitSteps(level, low, high, rows, panel, lastLanes, sums);
  auto limit = [&](OpFoldResult value, int64_t least, int64_t most) {
    AffineExpr expr = builder.getAffineDimExpr(0);
    value = affine::makeComposedFoldedAffineMax(
        builder, loc,
        AffineMap::get(1, 0, {expr, builder.getAffineConstantExpr(least)},
                       builder.getContext()),
        {value});
    return affine::makeComposedFoldedAffineMin(
        builder, loc,
        AffineMap::get(1, 0, {expr, builder.getAffineConstantExpr(most)},
                       builder.getContext()),
        {value});
  };
  int64_t extent = problem.extents[dim];
  std::pair<int64_t, int64_t> parts[] = {
      {0, interior->first}, *interior, {interior->second, extent}};
  for (auto [number, part] : llvm::enumerate(parts)) {
    auto [first, end] = part;
    if (first == end)
      continue;
    bool saved = checkBounds;
    checkBounds |= number != 1;
    sums = emitSteps(level, limit(low, first, end), limit(high, first, end),
                     rows, panel, lastLanes, sums);
    checkBounds = saved;
  }
  return sums;
}

/// The iterations from `low` to `high` of reduction loop `level`.
SmallVector<Value>
ContractionEmitter::emitSteps(unsigned level, OpFoldResult low,
                              OpFoldResult high, int64_t rows, int64_t panel,
                              int64_t lastLanes, SmallVector<Value> sums) {
  unsigned dim = reductionDims[level];
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
  if (isInnermost && dealtDim < 0 && strategy.unroll > 1 && first && last &&
      *last > *first) {
    int64_t whole = (*last - *first) / strategy.unroll * strategy.unroll;
    sums = emitLoop(low, builder.getIndexAttr(*first + whole), strategy.unroll,
                    sums, body(strategy.unroll));
    return emitLoop(builder.getIndexAttr(*first + whole), high, 1, sums,
                    body(1));
  }
  return emitLoop(low, high, 1, sums, body(1));
}

SmallVector<Value> ContractionEmitter::emitProducts(int64_t rows, int64_t panel,
                                                    int64_t lastLanes,
                                                    SmallVector<Value> sums) {
  int64_t unrolled =
      strategy.unrollDim < 0 ? 1 : problem.extents[strategy.unrollDim];
  int64_t dealt = dealtDim < 0 ? 1 : problem.extents[dealtDim];
  auto moveTo = [&](int64_t row, int64_t tap, int64_t term) {
    if (strategy.rowDim >= 0)
      position.offset[strategy.rowDim] = row;
    if (strategy.unrollDim >= 0)
      position.offset[strategy.unrollDim] = tap;
    if (dealtDim >= 0)
      position.offset[dealtDim] = term;
  };
  SmallVector<std::tuple<int64_t, int64_t, int64_t>> order;
  for (int64_t tap = 0; tap < unrolled; ++tap)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t term = 0; term < dealt; ++term)
        order.push_back({row, tap, term});
  if (takesWindows(rows, panel, unrolled, dealt, depthwise))
    // Each row still meets its taps in order.
    llvm::sort(order, [&](auto left, auto right) {
      auto key = [&](auto product) {
        auto [row, tap, term] = product;
        return std::tuple(getWindow(row, tap), term, tap);
      };
      return key(left) < key(right);
    });

  SmallVector<SmallVector<Value>> vectors(unrolled * dealt);
  for (auto [row, tap, term] : order) {
    moveTo(row, tap, term);
    SmallVector<Value> &shared = vectors[tap * dealt + term];
    bool isZero = llvm::any_of(lhs.bounds, [&](const Bound &bound) {
      std::optional<int64_t> value = getConstant(bound.expr);
      return value && (*value < 0 || *value >= bound.size);
    });
    if (isZero)
      continue;
    if (shared.empty()) {
      moveTo(0, tap, term);
      for (int64_t vector = 0; vector < panel; ++vector)
        shared.push_back(loadVector(vector, lanesOf(vector, panel, lastLanes)));
      moveTo(row, tap, term);
    }
    Value factor =
        depthwise ? Value() : broadcast(loadScalar(lhs, checkBounds));
    for (int64_t vector = 0; vector < panel; ++vector) {
      if (depthwise) {
        position.offset[strategy.vectorDim] = vector * strategy.lanes;
        factor =
            load(lhs, lanesOf(vector, panel, lastLanes), checkBounds, false);
      }
      Value &sum = sums[row * panel + vector];
      sum = vector::FMAOp::create(builder, loc, factor, shared[vector], sum);
    }
    position.offset[strategy.vectorDim] = 0;
  }
  moveTo(0, 0, 0);
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
