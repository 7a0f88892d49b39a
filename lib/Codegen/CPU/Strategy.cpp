//===- Strategy.cpp - Sizes for scheduling a kernel -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Strategy.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

/// Work below this stays in one thread: a fork costs about as much.
static constexpr int64_t kParallelWork = 20000;
/// Tiles of the parallel loop that there should be, so that sixteen threads
/// share them evenly.
static constexpr int64_t kParallelTiles = 64;
/// Threads that a kernel should keep busy even where that costs partial sums.
static constexpr int64_t kMinTiles = 16;
/// Rows that a register tile needs to pay for keeping the terms of a group.
static constexpr int64_t kMinDealtRows = 6;

//===----------------------------------------------------------------------===//
// Common choices
//===----------------------------------------------------------------------===//

/// The largest divisor of `extent` that is at most `limit`.
static int64_t getDivisor(int64_t extent, int64_t limit) {
  for (int64_t divisor = std::min(extent, limit); divisor > 1; --divisor)
    if (extent % divisor == 0)
      return divisor;
  return 1;
}

/// Parallel dimensions in the order of the result in memory.
static SmallVector<unsigned> getDestOrder(const Problem &problem) {
  SmallVector<unsigned> order;
  for (AffineExpr expr : problem.outputs.front().dest.indices)
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      if (expr.isFunctionOfDim(dim))
        order.push_back(dim);
  return order;
}

static int64_t getLanes(const Problem &problem, const Machine &machine,
                        int64_t extent) {
  unsigned bits = 8;
  problem.forEachAccess([&](const Access &access) {
    if (access.elementType.isIntOrFloat())
      bits =
          std::max<unsigned>(bits, access.elementType.getIntOrFloatBitWidth());
    else
      bits = 64;
  });
  // A short dimension does not fill a wide vector.
  return std::min<int64_t>(machine.vectorBits / bits,
                           llvm::PowerOf2Ceil(extent));
}

/// Adds `dim` to the parallel loop with the tile that gives the wanted number
/// of tiles, each a multiple of `granule` and none with too little work.
/// Returns the number of tiles so far.
static int64_t addParallel(Strategy &strategy, const Problem &problem,
                           unsigned dim, int64_t granule, int64_t tiles,
                           int64_t work, bool mayLeaveRest) {
  int64_t extent = problem.extents[dim];
  int64_t wanted = llvm::divideCeil(kParallelTiles, tiles);
  int64_t workPerTile = std::max<int64_t>(1, work / tiles / extent);
  int64_t tile =
      std::max<int64_t>(extent / std::max<int64_t>(wanted, 1),
                        llvm::divideCeil(kParallelWork, workPerTile));
  if (mayLeaveRest) {
    tile = llvm::alignTo(std::max<int64_t>(tile, 1), granule);
  } else {
    tile = std::clamp<int64_t>(tile, 1, extent);
    int64_t divisor = getDivisor(extent / granule, tile / granule) * granule;
    if (extent % granule != 0)
      return tiles;
    tile = divisor;
  }
  if (tile >= extent)
    return tiles;
  strategy.parallelDims.push_back(dim);
  strategy.parallelTiles.push_back(tile);
  return tiles * (extent / tile);
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// The sums that share a register tile: how long they are, over how many taps
/// of a filter the tile is unrolled, and what the rows are if they are vectors.
struct Sums {
  int64_t terms;
  int64_t taps = 1;
  bool depthwise = false;
  /// Terms that are dealt out of the same vectors of rows.
  int64_t dealt = 1;
};

/// Cycles per term of the sum, for a result of `extent` rows and `vectors`
/// vectors in register tiles of at most `rows` x `panel`: two multiply-adds and
/// two loads a cycle, and at least eight sums in flight.
static double getTileCost(int64_t extent, int64_t vectors, int64_t rows,
                          int64_t panel, Sums kind) {
  auto sizes = [](int64_t whole, int64_t limit) {
    int64_t tiles = llvm::divideCeil(whole, limit);
    int64_t small = whole / tiles, big = whole % tiles;
    return SmallVector<std::pair<int64_t, int64_t>, 2>{{small + 1, big},
                                                       {small, tiles - big}};
  };
  double cost = 0;
  for (auto [height, rowTiles] : sizes(extent, rows))
    for (auto [width, panels] : sizes(vectors, panel)) {
      double sums = height * width;
      double loads = height + width;
      // Taps share the vectors of the rows that they have in common.
      if (kind.depthwise)
        loads = width * (1 + (height + kind.taps - 1.0) / kind.taps);
      double cycles = std::max({sums / 2, loads / 2, 4.0});
      // Starting and finishing a tile is loads and stores of the sums.
      cycles += (2 * sums + 20) / kind.terms;
      cost += cycles * rowTiles * panels;
    }
  return cost;
}

/// Whether `op` is a division by a value that each iteration has of its own.
/// Lanes outside of a tensor read zeros, by which integers cannot be divided.
static bool dividesByLane(Operation &op) {
  if (!isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
           arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>(op))
    return false;
  Value divisor = op.getOperand(1);
  return divisor.getParentBlock() == op.getBlock() &&
         !matchPattern(divisor, m_Constant());
}

bool cpu::canVectorize(const Problem &problem, std::string &reason) {
  if (!problem.body)
    return true;
  for (Operation &op : problem.body->without_terminator()) {
    if (isa<linalg::IndexOp, arith::ConstantOp>(op))
      continue;
    if (op.getNumResults() != 1 || op.getNumRegions() != 0 ||
        !OpTrait::hasElementwiseMappableTraits(&op)) {
      reason = ("its body has " + op.getName().getStringRef() +
                ", which has no vector form")
                   .str();
      return false;
    }
    if (dividesByLane(op)) {
      reason = "its body divides integers, which traps in lanes outside of a "
               "tensor";
      return false;
    }
  }
  return true;
}

/// Registers that the operands of a tile take, tap by tap and window by window.
static std::pair<int64_t, int64_t> getRegistersByOrder(int64_t rows,
                                                       int64_t panel,
                                                       int64_t taps,
                                                       int64_t dealt,
                                                       bool depthwise) {
  int64_t row = depthwise ? panel : 1;
  return {panel * dealt + (taps > 1 ? rows * row * dealt : row),
          panel * taps * dealt + row};
}

int64_t cpu::getOperandRegisters(int64_t rows, int64_t panel, int64_t taps,
                                 int64_t dealt, bool depthwise) {
  auto [byTap, byWindow] =
      getRegistersByOrder(rows, panel, taps, dealt, depthwise);
  return taps > 1 ? std::min(byTap, byWindow) : byTap;
}

bool cpu::takesWindows(int64_t rows, int64_t panel, int64_t taps, int64_t dealt,
                       bool depthwise) {
  auto [byTap, byWindow] =
      getRegistersByOrder(rows, panel, taps, dealt, depthwise);
  return taps > 1 && byWindow <= byTap;
}

bool cpu::hasWholeVectors(const Access &access, unsigned vectorDim) {
  return llvm::none_of(access.bounds, [&](const Bound &bound) {
    return bound.expr.isFunctionOfDim(vectorDim);
  });
}

const Access &cpu::getRowsOperand(const Problem &problem,
                                  const Strategy &strategy) {
  return strategy.swap ? problem.rhs : problem.lhs;
}

const Access &cpu::getVectorsOperand(const Problem &problem,
                                     const Strategy &strategy) {
  return strategy.swap ? problem.lhs : problem.rhs;
}

bool cpu::isDepthwise(const Problem &problem, const Strategy &strategy) {
  return getRowsOperand(problem, strategy).uses(strategy.vectorDim);
}

static void chooseTile(Strategy &strategy, int64_t extent, int64_t vectors,
                       Sums sums, const Machine &machine) {
  double best = std::numeric_limits<double>::max();
  for (int64_t panel = 1; panel <= std::min<int64_t>(vectors, 6); ++panel)
    for (int64_t rows = 1; rows * panel <= machine.accumulators; ++rows) {
      if (rows > extent)
        break;
      // A spilled sum costs more than a smaller tile.
      if (rows > 1 &&
          rows * panel + getOperandRegisters(rows, panel, sums.taps, sums.dealt,
                                             sums.depthwise) >
              machine.getNumRegisters())
        break;
      double cost = getTileCost(extent, vectors, rows, panel, sums);
      if (cost < best * 0.999) {
        best = cost;
        strategy.rows = rows;
        strategy.panel = panel;
      }
    }
}

/// Reduction loops outside of the register tile for a long sum, and the
/// parallel loop over parts of the result and of the sum.
static void chooseBlocks(Strategy &strategy, const Problem &problem,
                         bool hasTaps, const Machine &machine) {
  // Enough terms for each visit of a register tile, few enough for the
  // operands to stay in the first-level cache. Rows that are vectors take as
  // much of it as many rows of scalars.
  bool depthwise = isDepthwise(problem, strategy);
  int64_t blockTerms = depthwise ? 64 : 192;
  SmallVector<unsigned> reductions;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (problem.isReduction[dim])
      reductions.push_back(dim);
  int64_t terms = 1;
  unsigned level = reductions.size();
  while (level > 0 &&
         terms * problem.extents[reductions[level - 1]] <= blockTerms)
    terms *= problem.extents[reductions[--level]];
  for (unsigned outer = 0; outer < level; ++outer) {
    int64_t extent = problem.extents[reductions[outer]];
    int64_t tile = 1;
    if (outer + 1 == level) {
      // Blocks of nearly the same size.
      int64_t limit = std::max<int64_t>(1, blockTerms / terms);
      tile = llvm::divideCeil(extent, llvm::divideCeil(extent, limit));
    }
    strategy.blockDims.push_back(reductions[outer]);
    strategy.blockTiles.push_back(tile);
  }

  int64_t tiles = 1;
  // With the taps of a filter, parts of about 32 a side read each operand few
  // times for their work and leave enough tiles; without, it takes bigger ones.
  // Smaller ones do not fill a register tile.
  int64_t side = hasTaps ? 32 : 64;
  auto split = [&](int64_t dim, int64_t granule) {
    int64_t extent = dim < 0 ? 1 : problem.extents[dim];
    if (extent % granule != 0 || extent <= side)
      return extent;
    int64_t limit = std::max<int64_t>(side, 2 * granule);
    int64_t tile = getDivisor(extent / granule, limit / granule) * granule;
    if (tile == extent || tile < limit / 2 || tile < 2 * granule)
      return extent;
    strategy.parallelDims.push_back(dim);
    strategy.parallelTiles.push_back(tile);
    tiles *= extent / tile;
    return tile;
  };
  int64_t rows = split(strategy.rowDim, 1);
  int64_t columns = split(strategy.vectorDim, strategy.lanes);
  chooseTile(strategy, rows, llvm::divideCeil(columns, strategy.lanes),
             {blockTerms, 1, depthwise}, machine);
  if (tiles < kMinTiles) {
    unsigned dim = strategy.blockDims.front();
    int64_t extent = problem.extents[dim], block = strategy.blockTiles.front();
    int64_t chunks = llvm::divideCeil(kMinTiles, tiles);
    int64_t size = llvm::divideCeil(extent, chunks);
    if (size < extent) {
      // Blocks of nearly the same size in each chunk.
      strategy.blockTiles.front() =
          llvm::divideCeil(size, llvm::divideCeil(size, block));
      strategy.chunkDim = dim;
      strategy.chunkSize = size;
      strategy.chunks = llvm::divideCeil(extent, size);
    }
  }
}

/// Whether the operands of a register tile outgrow the second-level cache
/// before its sums are complete, with nothing else to share them out by: the
/// case of filter gradients, and of products with more terms than results.
static bool isLongSum(int64_t terms, int64_t outer, int64_t rows,
                      int64_t columns) {
  if (outer > 64)
    return false;
  if (outer > 1)
    return terms > 1024;
  return terms > 8192 || (terms > 1024 && terms > 8 * std::max(rows, columns));
}

/// The dimension for the rows of a register tile: rows lie as close to the
/// vectors as they can, but are worth a loop. -1 if there is none.
static int64_t findRowDim(const Problem &problem, ArrayRef<unsigned> order,
                          int64_t vectorDim, const Access &lhs,
                          const Access &rhs) {
  int64_t rowDim = -1;
  bool hasTaps = false;
  for (unsigned dim : order) {
    if (dim == vectorDim || !lhs.uses(dim) || rhs.uses(dim))
      continue;
    // Taps share their vectors; each channel of a group takes one of its own.
    if (hasTaps && lhs.getLastStride(dim).value_or(0) != 0)
      continue;
    if (rowDim < 0 || problem.extents[dim] >= 4 ||
        problem.extents[dim] >= problem.extents[rowDim]) {
      rowDim = dim;
      hasTaps = lhs.uses(vectorDim) && problem.extents[dim] >= 3 &&
                hasWindows(problem, lhs, dim);
    }
  }
  return rowDim;
}

/// Sizes for the vectors that `strategy` has chosen.
static FailureOr<Strategy> chooseSizes(Problem problem, Strategy strategy,
                                       const Machine &machine) {
  unsigned vectorDim = strategy.vectorDim;
  int64_t groupSize = problem.extents[vectorDim];
  if (failed(alignVectors(problem, strategy)))
    return failure();
  for (const Output &output : problem.outputs)
    if (output.dest.getLastStride(vectorDim) != 1)
      return failure();
  SmallVector<unsigned> order = getDestOrder(problem);
  bool inLhs = problem.lhs.uses(vectorDim), inRhs = problem.rhs.uses(vectorDim);
  if (!inLhs && !inRhs)
    return failure();
  strategy.swap = inLhs;
  // Of two operands in vectors, one must be shared by the rows of the other.
  if (inLhs && inRhs)
    strategy.swap =
        findRowDim(problem, order, vectorDim, problem.lhs, problem.rhs) < 0;
  const Access &lhs = getRowsOperand(problem, strategy);
  const Access &rhs = getVectorsOperand(problem, strategy);
  strategy.rowDim = findRowDim(problem, order, vectorDim, lhs, rhs);
  bool depthwise = inLhs && inRhs;
  if (depthwise &&
      (strategy.rowDim < 0 || !hasWholeVectors(lhs, vectorDim) ||
       !isWorthDealing(problem, strategy, strategy.lanes / groupSize, machine)))
    return failure();
  if (lhs.isScalar() || rhs.isScalar() || !rhs.bounds.empty() ||
      (lhs.padding &&
       lhs.padding !=
           Builder(lhs.padding.getContext()).getZeroAttr(lhs.elementType)))
    return failure();

  int64_t reuse = 1, terms = 1;
  int64_t rhsSize = 1;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    if (problem.isReduction[dim])
      terms *= problem.extents[dim];
    (rhs.uses(dim) ? rhsSize : reuse) *= problem.extents[dim];
  }
  if (strategy.rowDim >= 0)
    for (AffineExpr expr : lhs.indices)
      if (expr.isFunctionOfDim(strategy.rowDim))
        for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
          if (problem.isReduction[dim] && expr.isFunctionOfDim(dim) &&
              problem.extents[dim] <= 7)
            strategy.unrollDim = dim;

  int64_t extent = problem.extents[vectorDim];
  int64_t rowExtent =
      strategy.rowDim < 0 ? 1 : problem.extents[strategy.rowDim];
  int64_t vectors = llvm::divideCeil(extent, strategy.lanes);
  int64_t outer = 1;
  for (unsigned dim : order)
    if (dim != vectorDim && static_cast<int64_t>(dim) != strategy.rowDim)
      outer *= problem.extents[dim];
  bool isLong = !problem.body && isLongSum(terms, outer, rowExtent, extent);
  // The loops of a long sum are cut into blocks, none is unrolled whole.
  if (isLong)
    strategy.unrollDim = -1;
  int64_t taps =
      strategy.unrollDim < 0 ? 1 : problem.extents[strategy.unrollDim];
  // The terms within a group are taken together where this leaves registers
  // for a tile.
  int64_t dealtDim = isLong ? -1 : findDealtDim(problem, strategy);
  int64_t dealt = dealtDim < 0 ? 1 : problem.extents[dealtDim];
  if (getOperandRegisters(kMinDealtRows, 1, taps, dealt, depthwise) +
          kMinDealtRows >
      machine.getNumRegisters())
    dealt = 1;
  chooseTile(strategy, rowExtent, vectors,
             {std::min<int64_t>(terms, 256), taps, depthwise, dealt}, machine);

  bool contiguous = rhs.getLastStride(vectorDim) == 1;
  int64_t sourceSize = 1;
  for (int64_t size : rhs.shape)
    sourceSize *= size;
  bool canPack = rhsSize <= 4 * sourceSize;
  bool worthPacking =
      !isLong && reuse >= 64 &&
      (vectors > strategy.panel || extent % strategy.lanes != 0);
  if (!contiguous && (!canPack || reuse < 8))
    return failure();
  strategy.pack = !contiguous || (canPack && worthPacking);
  if (strategy.unrollDim < 0 && strategy.rows * strategy.panel < 32)
    strategy.unroll = 4;
  if (dealt > 1)
    strategy.unroll = dealt;

  int64_t work = 2 * problem.getIterations();
  if (isLong) {
    chooseBlocks(strategy, problem, outer > 1, machine);
    return strategy;
  }
  if (work < kParallelWork)
    return strategy;
  bool rowsAreBounded =
      strategy.rowDim >= 0 && llvm::any_of(lhs.bounds, [&](const Bound &bound) {
        return bound.expr.isFunctionOfDim(strategy.rowDim);
      });
  int64_t tiles = 1;
  bool hasRest = false;
  for (unsigned dim : order) {
    if (dim == vectorDim || tiles >= kMinTiles)
      continue;
    bool isRow = static_cast<int64_t>(dim) == strategy.rowDim;
    if (isRow && rowsAreBounded)
      continue;
    tiles = addParallel(strategy, problem, dim, isRow ? strategy.rows : 1,
                        tiles, work, isRow && !hasRest);
    hasRest |= isRow;
  }
  if (tiles < kMinTiles)
    addParallel(strategy, problem, vectorDim, strategy.lanes * strategy.panel,
                tiles, work, false);
  return strategy;
}

FailureOr<Strategy> cpu::chooseContraction(const Problem &problem,
                                           const Machine &machine) {
  Strategy strategy;
  strategy.engine = Engine::Contraction;
  const Access &dest = problem.outputs.front().dest;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (dest.getLastStride(dim) == 1)
      strategy.vectorDim = dim;
  if (strategy.vectorDim < 0)
    return failure();
  int64_t extent = problem.extents[strategy.vectorDim];
  strategy.groupDim = findGroupDim(problem, strategy.vectorDim);
  if (strategy.groupDim >= 0) {
    strategy.lanes =
        getLanes(problem, machine, extent * problem.extents[strategy.groupDim]);
    strategy.lanes -= strategy.lanes % extent;
    // Vectors of one group each are those without groups.
    if (strategy.lanes > extent) {
      FailureOr<Strategy> sizes = chooseSizes(problem, strategy, machine);
      if (succeeded(sizes))
        return sizes;
    }
    strategy.groupDim = -1;
  }
  strategy.lanes = getLanes(problem, machine, extent);
  return chooseSizes(problem, strategy, machine);
}

//===----------------------------------------------------------------------===//
// Everything else
//===----------------------------------------------------------------------===//

Strategy cpu::chooseGeneric(const Problem &problem, const Machine &machine) {
  Strategy strategy;
  SmallVector<unsigned> order = getDestOrder(problem);
  bool canReduceLanes = llvm::all_of(problem.outputs, [](const Output &output) {
    return output.combiner != nullptr;
  });

  // The dimension along which most accesses are contiguous. A sum is written
  // once, and its terms are read in each iteration.
  int64_t outputWeight = llvm::is_contained(problem.isReduction, true) ? 1 : 3;
  int64_t bestScore = 0;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    if (problem.isReduction[dim] && !canReduceLanes)
      continue;
    int64_t score = 0;
    auto rate = [&](const Access &access, int64_t weight) {
      if (access.isScalar() || !access.uses(dim))
        return;
      score += access.getLastStride(dim) == 1 ? 8 * weight : -4 * weight;
    };
    for (const std::optional<Access> &input : problem.inputs)
      if (input)
        rate(*input, 2);
    for (const Output &output : problem.outputs)
      rate(output.dest, outputWeight);
    if (problem.extents[dim] < 4)
      score /= 2;
    if (score > bestScore ||
        (score == bestScore && strategy.vectorDim >= 0 &&
         problem.extents[dim] > problem.extents[strategy.vectorDim])) {
      bestScore = score;
      strategy.vectorDim = dim;
    }
  }
  int64_t reductionExtent = 1, parallelExtent = 1;
  int64_t longest = -1;
  unsigned numReductions = 0;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    if (!problem.isReduction[dim]) {
      parallelExtent *= problem.extents[dim];
      continue;
    }
    reductionExtent *= problem.extents[dim];
    if (static_cast<int64_t>(dim) != strategy.vectorDim)
      ++numReductions;
    if (longest < 0 || problem.extents[dim] > problem.extents[longest])
      longest = dim;
  }

  bool vectorIsReduction = false;
  int64_t vectors = 1;
  if (strategy.vectorDim >= 0) {
    int64_t extent = problem.extents[strategy.vectorDim];
    strategy.lanes = getLanes(problem, machine, extent);
    vectors = llvm::divideCeil(extent, strategy.lanes);
    vectorIsReduction = problem.isReduction[strategy.vectorDim];
  }
  int64_t numOutputs = problem.outputs.size();
  if (vectorIsReduction) {
    strategy.unroll = std::clamp<int64_t>(vectors / 2, 1, 4);
  } else if (reductionExtent > 1) {
    // Sums stay in registers.
    strategy.panel =
        std::clamp<int64_t>(8 / numOutputs, 1, std::max<int64_t>(vectors, 1));
    if (canReduceLanes && numReductions == 1)
      strategy.unroll =
          std::clamp<int64_t>(8 / (strategy.panel * numOutputs), 1,
                              std::min<int64_t>(4, reductionExtent));
  } else {
    strategy.panel = std::min<int64_t>(vectors, 4);
    // Rows of few vectors are taken together.
    for (unsigned dim : order)
      if (static_cast<int64_t>(dim) != strategy.vectorDim)
        strategy.rowDim = dim;
    strategy.rows = strategy.rowDim < 0
                        ? 1
                        : std::min<int64_t>(std::max<int64_t>(1, 4 / vectors),
                                            problem.extents[strategy.rowDim]);
    if (strategy.rows == 1)
      strategy.rowDim = -1;
  }

  int64_t operations = 1;
  if (problem.body)
    operations = std::max<int64_t>(1, problem.body->getOperations().size());
  int64_t work = problem.getIterations() * operations;
  if (work < kParallelWork)
    return strategy;
  int64_t tiles = 1;
  bool hasRest = false;
  bool isBigReduction =
      parallelExtent < 4096 && canReduceLanes && reductionExtent >= 4096;
  if (!isBigReduction)
    for (unsigned dim : order) {
      if (tiles >= kMinTiles)
        break;
      bool isVector = static_cast<int64_t>(dim) == strategy.vectorDim;
      bool isRow = static_cast<int64_t>(dim) == strategy.rowDim;
      int64_t granule = isVector ? strategy.lanes * strategy.panel
                        : isRow  ? strategy.rows
                                 : 1;
      bool mayLeaveRest = !hasRest && (isVector || isRow);
      int64_t before = tiles;
      tiles = addParallel(strategy, problem, dim, granule, tiles, work,
                          mayLeaveRest);
      hasRest |= mayLeaveRest && tiles != before;
    }
  if (isBigReduction) {
    int64_t extent = problem.extents[longest];
    int64_t granule = longest == strategy.vectorDim
                          ? strategy.lanes * strategy.unroll
                          : strategy.unroll;
    int64_t size = llvm::alignTo(llvm::divideCeil(extent, kMinTiles), granule);
    if (size < extent) {
      strategy.chunkDim = longest;
      strategy.chunkSize = size;
      strategy.chunks = llvm::divideCeil(extent, size);
    }
  }
  return strategy;
}
