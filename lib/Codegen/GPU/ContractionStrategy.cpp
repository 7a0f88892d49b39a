//===- ContractionStrategy.cpp - Tile sizes of contractions ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionEmitter.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Products of fewer rows or columns are better summed by the threads of a
/// reduction.
static constexpr int64_t kMinOuter = 8;
/// The most parts that a sum is cut into.
static constexpr int64_t kMaxSplits = 256;
/// Tensor cores and asynchronous copies came with sm_80.
static constexpr int64_t kMinArchitecture = 80;

//===----------------------------------------------------------------------===//
// The attribute
//===----------------------------------------------------------------------===//

static StringRef getName(Unit unit) {
  switch (unit) {
  case Unit::Half:
    return "half";
  case Unit::WarpGroup:
    return "warpgroup";
  case Unit::TF32:
    return "tf32";
  case Unit::TF32x3:
    return "tf32x3";
  case Unit::Double:
    return "double";
  case Unit::Scalar:
    return "scalar";
  }
  llvm_unreachable("all units are named");
}

static std::optional<Unit> parseUnit(StringRef name) {
  for (Unit unit : {Unit::Half, Unit::WarpGroup, Unit::TF32, Unit::TF32x3,
                    Unit::Double, Unit::Scalar})
    if (name == getName(unit))
      return unit;
  return std::nullopt;
}

DictionaryAttr ContractionStrategy::toAttribute(MLIRContext *context) const {
  Builder b(context);
  return b.getDictionaryAttr({
      b.getNamedAttr("engine", b.getStringAttr("contraction")),
      b.getNamedAttr("unit", b.getStringAttr(getName(unit))),
      b.getNamedAttr("swap", b.getBoolAttr(swap)),
      b.getNamedAttr("tile", b.getDenseI64ArrayAttr({rows, columns, depth})),
      b.getNamedAttr("warps", b.getDenseI64ArrayAttr({rowWarps, columnWarps})),
      b.getNamedAttr("stages", b.getI64IntegerAttr(stages)),
      b.getNamedAttr("splits", b.getI64IntegerAttr(splits)),
  });
}

FailureOr<ContractionStrategy>
ContractionStrategy::fromAttribute(DictionaryAttr attribute,
                                   const Problem &problem) {
  auto unitName = attribute.getAs<StringAttr>("unit");
  auto swapped = attribute.getAs<BoolAttr>("swap");
  auto tile = attribute.getAs<DenseI64ArrayAttr>("tile");
  auto warps = attribute.getAs<DenseI64ArrayAttr>("warps");
  auto numStages = attribute.getAs<IntegerAttr>("stages");
  auto numSplits = attribute.getAs<IntegerAttr>("splits");
  std::optional<Unit> known;
  if (unitName)
    known = parseUnit(unitName);
  if (!known || !swapped || !tile || tile.size() != 3 || !warps ||
      warps.size() != 2 || !numStages || !numSplits)
    return failure();
  ContractionStrategy strategy;
  strategy.unit = *known;
  strategy.swap = swapped.getValue();
  strategy.rows = tile[0];
  strategy.columns = tile[1];
  strategy.depth = tile[2];
  strategy.rowWarps = warps[0];
  strategy.columnWarps = warps[1];
  strategy.stages = numStages.getInt();
  strategy.splits = numSplits.getInt();
  if (!strategy.fits(problem))
    return failure();
  return strategy;
}

UnitShape UnitShape::get(Unit unit) {
  switch (unit) {
  case Unit::Half:
  case Unit::WarpGroup:
    return {16, 8, 16};
  case Unit::TF32:
  case Unit::TF32x3:
    return {16, 8, 8};
  case Unit::Double:
    return {8, 8, 4};
  case Unit::Scalar:
    // Eight by four lanes with four rows and four columns each.
    return {32, 16, 1};
  }
  llvm_unreachable("all units have a shape");
}

/// Whether `access` is to a matrix, with zeros outside.
static bool isPaddedByZeros(const Access &access) {
  if (access.isScalar())
    return false;
  if (access.bounds.empty())
    return true;
  auto padding = dyn_cast<FloatAttr>(access.padding);
  return padding && padding.getValue().isZero();
}

bool ContractionStrategy::fits(const Problem &problem) const {
  if (!problem.isContraction)
    return false;
  auto isPowerOf2 = [](int64_t value) {
    return value > 0 && llvm::isPowerOf2_64(value);
  };
  for (int64_t size : {rows, columns, depth, rowWarps, columnWarps})
    if (!isPowerOf2(size) || size > 512)
      return false;
  UnitShape shape = UnitShape::get(unit);
  Type element = problem.lhs.elementType;
  bool isRight = unit == Unit::Half || unit == Unit::WarpGroup
                     ? element.isF16() || element.isBF16()
                 : unit == Unit::Double ? element.isF64()
                                        : element.isF32();
  // Pairs of fragments of columns are loaded together.
  int64_t columnStep =
      unit == Unit::Half || isTF32(unit) ? 2 * shape.columns : shape.columns;
  int64_t lineBytes = depth * getByteSize(element);
  if (!isRight || problem.sumType.isF64() != (unit == Unit::Double) ||
      getThreads() > 1024 || stages < 2 || stages > 8 || splits < 1 ||
      splits > 65535 || rows % (rowWarps * shape.rows) != 0 ||
      columns % (columnWarps * columnStep) != 0 || depth % shape.depth != 0 ||
      lineBytes < 16)
    return false;

  if (!isPaddedByZeros(problem.lhs) || !isPaddedByZeros(problem.rhs))
    return false;
  ContractionShape matrices(problem, swap);
  if (matrices.rows.dims.empty() || matrices.columns.dims.empty() ||
      matrices.depth.dims.empty())
    return false;
  if (unit != Unit::WarpGroup)
    return true;
  // A line of a tile is what a group of warps reads as one.
  int64_t groupColumns = columns / columnWarps;
  bool hasShortLines =
      !matrices.second.depthContiguous && groupColumns % kGroupDepth != 0;
  return rowWarps % kGroupWarps == 0 && depth == kGroupDepth &&
         groupColumns <= kGroupColumns && stages >= 3 && !hasShortLines;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

namespace {
/// What a multiprocessor does in a second, in multiply-adds: a quarter less
/// than the H100's data sheet says.
double getRate(Unit unit) {
  switch (unit) {
  case Unit::Half:
    return 2.0e12;
  case Unit::WarpGroup:
    return 3.0e12;
  case Unit::TF32:
    return 1.0e12;
  case Unit::TF32x3:
    return 0.33e12;
  case Unit::Double:
    return 0.15e12;
  case Unit::Scalar:
    return 0.15e12;
  }
  llvm_unreachable("all units have a rate");
}

/// Bytes a second between the chip and its memory.
constexpr double kMemoryRate = 2.5e12;
/// Seconds to fill a pipeline of stages and to write a tile.
constexpr double kTileLatency = 1.5e-6;
/// Seconds for one more kernel.
constexpr double kLaunchLatency = 3e-6;
} // namespace

/// The units that can multiply the factors of `problem`.
static SmallVector<Unit> getUnits(const Problem &problem, const Chip &chip,
                                  FP32Precision precision) {
  Type element = problem.lhs.elementType;
  if (chip.architecture < kMinArchitecture ||
      problem.rhs.elementType != element)
    return {};
  if (element.isF64())
    return {Unit::Double};
  // The others add in f32.
  if (problem.sumType.isF64())
    return {};
  if (element.isF32()) {
    switch (precision) {
    case FP32Precision::IEEE:
      return {Unit::Scalar};
    case FP32Precision::TF32:
      return {Unit::TF32};
    case FP32Precision::TF32x3:
      return {Unit::TF32x3};
    }
  }
  if (!element.isF16() && !element.isBF16())
    return {};
  if (chip.hasWarpGroups)
    return {Unit::WarpGroup, Unit::Half};
  return {Unit::Half};
}

static int64_t getTiles(const ContractionShape &shape,
                        const ContractionStrategy &strategy) {
  return llvm::divideCeil(shape.rows.extent, strategy.rows) *
         llvm::divideCeil(shape.columns.extent, strategy.columns) *
         shape.batch.extent;
}

/// The seconds that `strategy` is taken to need.
static double estimate(const ContractionShape &shape,
                       const ContractionStrategy &strategy, const Chip &chip,
                       int64_t sumBytes) {
  double tiles = getTiles(shape, strategy);
  double depth =
      llvm::divideCeil(llvm::divideCeil(shape.depth.extent, strategy.splits),
                       strategy.depth) *
      strategy.depth;
  // A small tile waits for shared memory: products per element that is read.
  double reuse = double(strategy.rows) * strategy.columns /
                 (strategy.rows + strategy.columns);
  double efficiency = std::min(1.0, 0.15 + reuse / 64 * 0.85);
  // Two small blocks on a multiprocessor hide each other's latencies.
  double waves = std::ceil(tiles * strategy.splits / chip.multiprocessors);
  double seconds = waves * (strategy.rows * strategy.columns * depth /
                                (getRate(strategy.unit) * efficiency) +
                            kTileLatency);
  if (strategy.splits > 1) {
    double elements = double(shape.rows.extent) * shape.columns.extent *
                      shape.batch.extent * strategy.splits;
    seconds += 2 * elements * sumBytes / kMemoryRate + kLaunchLatency;
  }
  return seconds;
}

/// Calls `fn` with each tile for `unit` that fits the registers and the shared
/// memory of `chip`.
static void forEachTile(const Problem &problem, const Chip &chip, Unit unit,
                        bool swap,
                        function_ref<void(const ContractionStrategy &)> fn) {
  int64_t elementBytes = getByteSize(problem.lhs.elementType);
  ContractionStrategy strategy;
  strategy.unit = unit;
  strategy.swap = swap;
  strategy.stages = unit == Unit::Scalar ? 3 : 4;
  if (unit == Unit::WarpGroup)
    strategy.depth = kGroupDepth;
  else if (unit == Unit::Scalar)
    strategy.depth = 8;
  else
    strategy.depth = 64 / elementBytes;
  for (int64_t rows : {32, 64, 128, 256})
    for (int64_t columns : {16, 32, 64, 128, 256})
      for (int64_t rowWarps : {1, 2, 4, 8})
        for (int64_t columnWarps : {1, 2, 4}) {
          strategy.rows = rows;
          strategy.columns = columns;
          strategy.rowWarps = rowWarps;
          strategy.columnWarps = columnWarps;
          int64_t threads = strategy.getThreads();
          if (!strategy.fits(problem) || threads < 64 || threads > 256)
            continue;
          // The sums of a thread have to stay in registers, with what it
          // multiplies next to them.
          int64_t registers = rows * columns / threads * getSumBytes(unit) / 4;
          if (registers > (unit == Unit::Scalar ? 64 : 128))
            continue;
          bool readsRegisters = unit != Unit::Scalar && unit != Unit::WarpGroup;
          if (readsRegisters &&
              std::max(rows / rowWarps, columns / columnWarps) > 64)
            continue;
          if (getSharedBytes(problem, strategy) <= chip.sharedBytes)
            fn(strategy);
        }
}

FailureOr<ContractionStrategy> simt::chooseContraction(const Problem &problem,
                                                       const Chip &chip,
                                                       FP32Precision precision,
                                                       std::string &reason) {
  SmallVector<Unit> units = getUnits(problem, chip, precision);
  if (units.empty()) {
    reason = "its element types have no matrix unit";
    return failure();
  }
  if (!isPaddedByZeros(problem.lhs) || !isPaddedByZeros(problem.rhs)) {
    reason = "a factor is no matrix padded by zeros";
    return failure();
  }
  bool swap = shouldSwap(problem);
  ContractionShape shape(problem, swap);
  if (shape.rows.extent < kMinOuter || shape.columns.extent < kMinOuter ||
      shape.depth.dims.empty()) {
    reason = "it has too few rows or columns";
    return failure();
  }

  ContractionStrategy best;
  double bestSeconds = std::numeric_limits<double>::infinity();
  auto consider = [&](ContractionStrategy strategy) {
    // A tile that is mostly outside wastes its time.
    if ((strategy.rows > 64 && strategy.rows >= 2 * shape.rows.extent) ||
        (strategy.columns > 16 && strategy.columns >= 2 * shape.columns.extent))
      return;
    double warpRows = strategy.unit == Unit::WarpGroup
                          ? kGroupRows
                          : double(strategy.rows) / strategy.rowWarps;
    double warpColumns = double(strategy.columns) / strategy.columnWarps;
    for (int64_t splits = 1; splits <= kMaxSplits; splits *= 2) {
      // Each split has some stages, and is for blocks that would be idle.
      int64_t blocks = getTiles(shape, strategy) * splits / 2;
      if (splits > 1 && (shape.depth.extent / splits < 4 * strategy.depth ||
                         blocks >= 2 * chip.multiprocessors))
        break;
      strategy.splits = splits;
      double seconds =
          estimate(shape, strategy, chip, getSumBytes(strategy.unit));
      // What a product reads from shared memory.
      seconds *= 1 + 1 / warpRows + 1 / warpColumns;
      if (seconds < bestSeconds) {
        bestSeconds = seconds;
        best = strategy;
      }
    }
  };
  for (Unit unit : units)
    forEachTile(problem, chip, unit, swap, consider);
  if (std::isinf(bestSeconds)) {
    reason = "no tile fits its contraction";
    return failure();
  }
  return best;
}
