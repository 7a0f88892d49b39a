//===- ElementwiseStrategy.cpp - Sizes of kernels without reductions ------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelStrategy.h"
#include <numeric>

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Values of elements that a thread holds at most.
static constexpr int64_t kHeldElements = 64;

/// Both sides of a tile are worth this, or the caches do as well without one.
static constexpr int64_t kMinTiled = 16;

//===----------------------------------------------------------------------===//
// The attribute
//===----------------------------------------------------------------------===//

DictionaryAttr ElementwiseStrategy::toAttribute(MLIRContext *context) const {
  Builder b(context);
  return b.getDictionaryAttr({
      b.getNamedAttr("engine", b.getStringAttr("elementwise")),
      b.getNamedAttr("order", b.getDenseI64ArrayAttr(order)),
      b.getNamedAttr("lanes", b.getI64IntegerAttr(lanes)),
      b.getNamedAttr("vectors", b.getI64IntegerAttr(vectors)),
      b.getNamedAttr("tile_dim", b.getI64IntegerAttr(tileDim)),
      b.getNamedAttr("threads", b.getI64IntegerAttr(threads)),
  });
}

FailureOr<ElementwiseStrategy>
ElementwiseStrategy::fromAttribute(DictionaryAttr attribute,
                                   const Problem &problem) {
  ElementwiseStrategy strategy;
  auto order = attribute.getAs<DenseI64ArrayAttr>("order");
  bool ok = order != nullptr;
  auto read = [&](StringRef name, int64_t &field) {
    auto value = attribute.getAs<IntegerAttr>(name);
    ok &= value != nullptr;
    field = value ? value.getInt() : 0;
  };
  read("lanes", strategy.lanes);
  read("vectors", strategy.vectors);
  read("tile_dim", strategy.tileDim);
  read("threads", strategy.threads);
  if (!ok)
    return failure();
  strategy.order.assign(order.asArrayRef().begin(), order.asArrayRef().end());
  if (!strategy.fits(problem))
    return failure();
  return strategy;
}

bool ElementwiseStrategy::fits(const Problem &problem) const {
  int64_t numDims = problem.getNumDims();
  if (problem.isContraction || llvm::is_contained(problem.isReduction, true) ||
      !isPermutationVector(order))
    return false;
  if (static_cast<int64_t>(order.size()) != numDims || threads < 1 ||
      threads > 1024 || vectors < 1 || vectors > 16 || lanes < 1 ||
      lanes > 16 || !llvm::isPowerOf2_64(lanes) ||
      (numDims == 0 && lanes * vectors > 1))
    return false;
  if (tileDim == -1)
    return true;
  // The dimensions of a tile are those of a warp and the rows of a block.
  return tileDim >= 0 && numDims >= 2 && tileDim < numDims &&
         tileDim != order.back() && lanes == 1 && vectors == 1 &&
         threads % kWarpSize == 0 && kWarpSize % (threads / kWarpSize) == 0;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

/// The dimension along which most of what is read and written lies one after
/// another; -1 if there is none.
static int64_t chooseVectorDim(const Problem &problem) {
  // Scattered writes cost more than scattered reads, which caches help with.
  SmallVector<WeightedAccess> accesses;
  for (const std::optional<Access> &input : problem.inputs)
    accesses.push_back({&*input, 2});
  for (const Output &output : problem.outputs)
    accesses.push_back({&output.dest, 3});
  return findVectorDim(
      problem, llvm::to_vector(llvm::seq<unsigned>(0, problem.getNumDims())),
      accesses);
}

/// The dimension that most inputs which jump along `vectorDim` are contiguous
/// in; -1 if there is none that is worth tiles.
static int64_t findTileDim(const Problem &problem, unsigned vectorDim) {
  if (problem.extents[vectorDim] < kMinTiled)
    return -1;
  for (const std::optional<Access> &input : problem.inputs)
    if (!input->isScalar())
      for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
        if (isTransposed(*input, problem, vectorDim, dim) &&
            problem.extents[dim] >= kMinTiled)
          return dim;
  return -1;
}

bool simt::isTransposed(const Access &access, const Problem &problem,
                        unsigned vectorDim, unsigned tileDim) {
  if (access.isScalar())
    return false;
  Linear offset = Linear::getOffset(access, problem.getNumDims());
  return std::abs(offset.dims[tileDim]) == 1 &&
         std::abs(offset.dims[vectorDim]) > 1;
}

ElementwiseStrategy simt::chooseElementwise(const Problem &problem,
                                            const Chip &chip) {
  ElementwiseStrategy strategy;
  int64_t vectorDim = chooseVectorDim(problem);
  strategy.order = getMemoryOrder(problem);
  if (vectorDim >= 0) {
    llvm::erase(strategy.order, vectorDim);
    strategy.order.push_back(vectorDim);
    strategy.tileDim = findTileDim(problem, vectorDim);
  }
  if (strategy.tileDim >= 0)
    return strategy;

  // What is read once for all rows is no load to wait for in each of them.
  int64_t streams = 0, shared = 0, bytes = 1;
  auto count = [&](const Access &access) {
    if (vectorDim < 0 || access.isScalar() || !access.uses(vectorDim))
      return;
    bytes = std::max(bytes, getByteSize(access.elementType));
    bool isStream = true;
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      isStream &= access.uses(dim);
    ++(isStream ? streams : shared);
  };
  for (const std::optional<Access> &input : problem.inputs)
    count(*input);
  for (const Output &output : problem.outputs) {
    if (output.init == InitKind::InPlace)
      count(output.dest);
    if (output.init == InitKind::Read)
      count(output.read);
    bytes = std::max(bytes, getByteSize(output.dest.elementType));
  }
  int64_t rows = problem.getIterations(), inner = 1;
  if (vectorDim >= 0) {
    strategy.lanes = std::max<int64_t>(1, kVectorBytes / bytes);
    for (const Output &output : problem.outputs)
      strategy.lanes =
          std::min(strategy.lanes, getVectorWidth(output.dest, problem,
                                                  vectorDim, strategy.lanes));
    int64_t extent = problem.extents[vectorDim];
    while (strategy.lanes > extent)
      strategy.lanes /= 2;
    inner = llvm::divideCeil(extent, strategy.lanes);
    rows /= extent;
  }
  int64_t total = rows * inner;
  if (total < 128 * chip.multiprocessors)
    strategy.threads = 128;
  strategy.vectors = std::clamp<int64_t>(
      kLoadsInFlight / std::max<int64_t>(streams, 1), 1, kLoadsInFlight);
  auto isTooMuch = [&] {
    int64_t held =
        shared + strategy.vectors *
                     (streams + static_cast<int64_t>(problem.outputs.size()));
    return held * strategy.lanes > kHeldElements ||
           total <
               4 * chip.multiprocessors * strategy.threads * strategy.vectors;
  };
  while (strategy.vectors > 1 && isTooMuch())
    strategy.vectors /= 2;
  // A thread whose vectors all are at one place of a row computes that place
  // once, and reads once what is broadcast to the rows.
  if (rows > 1 && strategy.vectors > 1) {
    int64_t common = std::lcm(inner, kWarpSize);
    if (common <= 512)
      strategy.threads = common * std::max<int64_t>(1, 256 / common);
  }
  return strategy;
}
