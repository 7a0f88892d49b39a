//===- StrategyAttribute.cpp - Strategies as attributes -------------------===//
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

/// Calls `visit(name, field)` for every field.
template <typename StrategyT, typename Visitor>
static void visitFields(StrategyT &strategy, Visitor &&visit) {
  visit("lanes", strategy.lanes);
  visit("vector_dim", strategy.vectorDim);
  visit("group_dim", strategy.groupDim);
  visit("panel", strategy.panel);
  visit("row_dim", strategy.rowDim);
  visit("rows", strategy.rows);
  visit("unroll_dim", strategy.unrollDim);
  visit("unroll", strategy.unroll);
  visit("pack", strategy.pack);
  visit("swap", strategy.swap);
  visit("parallel_dims", strategy.parallelDims);
  visit("parallel_tiles", strategy.parallelTiles);
  visit("block_dims", strategy.blockDims);
  visit("block_tiles", strategy.blockTiles);
  visit("chunk_dim", strategy.chunkDim);
  visit("chunks", strategy.chunks);
  visit("chunk_size", strategy.chunkSize);
}

DictionaryAttr Strategy::toAttribute(MLIRContext *context) const {
  Builder builder(context);
  SmallVector<NamedAttribute> fields;
  fields.push_back(builder.getNamedAttr(
      "engine",
      builder.getStringAttr(engine == Engine::Contraction ? "contraction"
                                                          : "generic")));
  visitFields(*this, [&](StringRef name, const auto &field) {
    using Field = std::decay_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, bool>)
      fields.push_back(builder.getNamedAttr(name, builder.getBoolAttr(field)));
    else if constexpr (std::is_same_v<Field, int64_t>)
      fields.push_back(
          builder.getNamedAttr(name, builder.getI64IntegerAttr(field)));
    else
      fields.push_back(
          builder.getNamedAttr(name, builder.getDenseI64ArrayAttr(field)));
  });
  return builder.getDictionaryAttr(fields);
}

FailureOr<Strategy> Strategy::fromAttribute(DictionaryAttr attribute,
                                            Problem &problem) {
  Strategy strategy;
  auto engine = attribute.getAs<StringAttr>("engine");
  if (!engine || (engine != "contraction" && engine != "generic"))
    return failure();
  strategy.engine =
      engine == "contraction" ? Engine::Contraction : Engine::Generic;
  bool ok = true;
  visitFields(strategy, [&](StringRef name, auto &field) {
    using Field = std::decay_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, bool>) {
      auto value = attribute.getAs<BoolAttr>(name);
      ok &= value != nullptr;
      field = value && value.getValue();
    } else if constexpr (std::is_same_v<Field, int64_t>) {
      auto value = attribute.getAs<IntegerAttr>(name);
      ok &= value != nullptr;
      field = value ? value.getInt() : 0;
    } else {
      auto value = attribute.getAs<DenseI64ArrayAttr>(name);
      ok &= value != nullptr;
      if (value)
        field.assign(value.asArrayRef().begin(), value.asArrayRef().end());
    }
  });
  int64_t numDims = problem.getNumDims();
  if (!ok || strategy.vectorDim < -1 || strategy.vectorDim >= numDims ||
      strategy.groupDim < -1 || strategy.groupDim >= numDims ||
      failed(alignVectors(problem, strategy)) || !strategy.fits(problem))
    return failure();
  return strategy;
}

/// Whether each entry is another dimension of the wanted kind.
static bool areDims(ArrayRef<int64_t> dims, ArrayRef<int64_t> tiles,
                    const Problem &problem, bool isReduction) {
  if (dims.size() != tiles.size())
    return false;
  llvm::SmallDenseSet<int64_t> seen;
  for (auto [dim, tile] : llvm::zip(dims, tiles))
    if (dim < 0 || dim >= static_cast<int64_t>(problem.getNumDims()) ||
        problem.isReduction[dim] != isReduction || !seen.insert(dim).second ||
        tile < 1 || tile > problem.extents[dim])
      return false;
  return true;
}

bool Strategy::fits(const Problem &problem) const {
  auto isDim = [&](int64_t dim) {
    return dim >= -1 && dim < static_cast<int64_t>(problem.getNumDims());
  };
  auto isReduction = [&](int64_t dim) {
    return dim >= 0 && problem.isReduction[dim];
  };
  // Sizes that a kernel could be unrolled by without drowning in code.
  if (lanes < 1 || lanes > 64 || panel < 1 ||
      panel > 64 || rows < 1 || rows > 64 || unroll < 1 || unroll > 64 ||
      !isDim(vectorDim) || !isDim(rowDim) || !isDim(unrollDim) ||
      !isDim(chunkDim) ||
      !areDims(parallelDims, parallelTiles, problem, false) ||
      !areDims(blockDims, blockTiles, problem, true))
    return false;
  if (groupDim < 0 && !llvm::isPowerOf2_64(lanes))
    return false;
  if (rowDim >= 0 && (isReduction(rowDim) || rowDim == vectorDim))
    return false;
  if ((vectorDim < 0 && lanes > 1) || (rowDim < 0 && rows > 1))
    return false;
  // One dimension may leave a rest behind the parallel loop.
  int rests =
      llvm::count_if(llvm::zip(parallelDims, parallelTiles), [&](auto pair) {
        return problem.extents[std::get<0>(pair)] % std::get<1>(pair) != 0;
      });
  if (rests > 1)
    return false;
  if (chunks != 1 && (chunks < 1 || !isReduction(chunkDim) || chunkSize < 1 ||
                      chunks != static_cast<int64_t>(llvm::divideCeil(
                                    problem.extents[chunkDim], chunkSize))))
    return false;

  bool hasCombiners = llvm::all_of(problem.outputs, [](const Output &output) {
    return output.combiner != nullptr;
  });
  if (engine == Engine::Generic) {
    if (problem.isContraction || !blockDims.empty() || pack || swap)
      return false;
    bool lanesReduce = isReduction(vectorDim);
    int64_t others = 0;
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      others +=
          problem.isReduction[dim] && static_cast<int64_t>(dim) != vectorDim;
    if ((chunks > 1 || lanesReduce || unroll > 1) && !hasCombiners)
      return false;
    if (unroll > 1 && !lanesReduce && others != 1)
      return false;
    return !(chunks > 1 && chunkDim == vectorDim &&
             chunkSize % (lanes * unroll) != 0);
  }

  if (!problem.isContraction || vectorDim < 0 || isReduction(vectorDim))
    return false;
  const Access &left = getRowsOperand(problem, *this);
  const Access &right = getVectorsOperand(problem, *this);
  if (left.isScalar() || right.isScalar() || !right.uses(vectorDim) ||
      !hasWholeVectors(left, vectorDim) || !right.bounds.empty() ||
      (rowDim >= 0 && right.uses(rowDim)) ||
      (left.padding &&
       left.padding !=
           Builder(left.padding.getContext()).getZeroAttr(left.elementType)))
    return false;
  for (const Output &output : problem.outputs)
    if (output.dest.getLastStride(vectorDim) != 1)
      return false;
  if (unrollDim >= 0 &&
      (!isReduction(unrollDim) || problem.extents[unrollDim] > 16 ||
       llvm::is_contained(blockDims, unrollDim)))
    return false;
  if (!pack && right.getLastStride(vectorDim) != 1)
    return false;
  // Panels are counted in whole vectors.
  for (auto [dim, tile] : llvm::zip(parallelDims, parallelTiles))
    if (dim == vectorDim &&
        (tile % lanes != 0 || problem.extents[dim] % tile != 0))
      return false;
  // Sums in memory have no place for an epilogue.
  if (!blockDims.empty() && problem.body)
    return false;
  return chunks == 1 ||
         (!problem.body && llvm::is_contained(blockDims, chunkDim));
}
