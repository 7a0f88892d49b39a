//===- VectorGroups.cpp - Vectors that hold several groups ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The channels of a narrow group do not fill a vector, but the groups lie side
// by side in memory. Group and channel become one dimension, along which the
// result is contiguous; an operand whose channels are others is read at a
// quotient of it. Lane l of a vector then reads a fixed distance from lane 0,
// so that what all lanes need is loaded whole and dealt out in registers.
//
//===----------------------------------------------------------------------===//

#include "Strategy.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

/// Vectors that the lanes of one may be dealt out of: with more, the shuffles
/// take longer than the products.
static constexpr int64_t kMaxDealtVectors = 4;

/// Makes the indices of `access` from number `first` on one. Fails if their
/// sizes are not known.
static LogicalResult flattenFrom(Access &access, unsigned first) {
  ArrayRef<int64_t> sizes = ArrayRef(access.shape).drop_front(first);
  if (llvm::any_of(sizes.drop_front(), ShapedType::isDynamic) ||
      (sizes.size() > 1 && ShapedType::isDynamic(sizes.front())))
    return failure();
  for (unsigned p = first + 1; p < access.shape.size(); ++p) {
    access.indices[first] =
        access.indices[first] * access.shape[p] + access.indices[p];
    access.shape[first] *= access.shape[p];
    llvm::append_range(access.groups[first], access.groups[p]);
  }
  access.indices.truncate(first + 1);
  access.shape.truncate(first + 1);
  access.groups.truncate(first + 1);
  return success();
}

/// The first index of `access` that one of `dims` moves; nothing if none does.
static std::optional<unsigned> findFirstIndex(const Access &access,
                                              ArrayRef<unsigned> dims) {
  for (auto [p, expr] : llvm::enumerate(access.indices))
    for (unsigned dim : dims)
      if (expr.isFunctionOfDim(dim))
        return p;
  return std::nullopt;
}

/// `expr` with the constant `value` for each of `dims`.
static AffineExpr replaceDims(AffineExpr expr, ArrayRef<unsigned> dims,
                              unsigned numDims, int64_t value) {
  SmallVector<AffineExpr> values;
  for (unsigned dim = 0; dim < numDims; ++dim)
    values.push_back(llvm::is_contained(dims, dim)
                         ? getAffineConstantExpr(value, expr.getContext())
                         : getAffineDimExpr(dim, expr.getContext()));
  return expr.replaceDims(values);
}

/// Walks `access` by the one dimension `vector` that takes the place of `group`
/// and of `vector`, of which there are `width`. Fails if a bound is on either.
static LogicalResult mergeInto(Access &access, unsigned group, unsigned vector,
                               int64_t width, unsigned numDims) {
  for (const Bound &bound : access.bounds)
    if (bound.expr.isFunctionOfDim(group) || bound.expr.isFunctionOfDim(vector))
      return failure();
  std::optional<unsigned> first = findFirstIndex(access, {group, vector});
  if (!first)
    return success();
  if (failed(flattenFrom(access, *first)))
    return failure();
  AffineExpr expr = access.indices.back();
  AffineExpr merged = getAffineDimExpr(vector, expr.getContext());
  AffineExpr rest = replaceDims(expr, {group, vector}, numDims, 0);
  int64_t perGroup = getCoefficient(expr, group);
  int64_t perLane = getCoefficient(expr, vector);
  expr = perGroup == perLane * width
             ? rest + merged * perLane
             : rest + merged.floorDiv(width) * perGroup +
                   (merged % width) * perLane;
  access.indices.back() =
      simplifyAffineExpr(expr, numDims, access.symbols.size());
  return success();
}

/// Makes one dimension of `group` and `vector` if all results are contiguous
/// along it.
static LogicalResult mergeGroups(Problem &problem, unsigned group,
                                 unsigned vector) {
  for (AffineExpr index : problem.bodyIndices)
    if (index.isFunctionOfDim(group) || index.isFunctionOfDim(vector))
      return failure();
  unsigned numDims = problem.getNumDims();
  bool ok = true;
  problem.forEachAccess([&](Access &access) {
    ok = ok && succeeded(mergeInto(access, group, vector,
                                   problem.extents[vector], numDims));
  });
  if (!ok)
    return failure();
  problem.extents[vector] *= problem.extents[group];
  problem.extents[group] = 1;
  for (const Output &output : problem.outputs) {
    if (output.dest.getLastStride(vector) != 1)
      return failure();
    // A tile of the result is a slice with a size for each index.
    for (unsigned dim = 0; dim < numDims; ++dim)
      if (dim != vector && output.dest.indices.back().isFunctionOfDim(dim))
        return failure();
  }
  return success();
}

LogicalResult cpu::alignVectors(Problem &problem, const Strategy &strategy) {
  if (strategy.vectorDim < 0 || !problem.isContraction)
    return success(strategy.groupDim < 0);
  unsigned vectorDim = strategy.vectorDim;
  // Lanes that straddle groups would differ from vector to vector.
  if (strategy.groupDim >= 0 &&
      (strategy.groupDim == strategy.vectorDim ||
       strategy.lanes % problem.extents[vectorDim] != 0 ||
       failed(mergeGroups(problem, strategy.groupDim, vectorDim))))
    return failure();
  // A few elements between neighbours are read with them.
  for (Access *access : {&problem.lhs, &problem.rhs}) {
    std::optional<unsigned> first = findFirstIndex(*access, {vectorDim});
    if (!first || access->getLastStride(vectorDim))
      continue;
    Access flat = *access;
    if (succeeded(flattenFrom(flat, *first)) &&
        *flat.getLastStride(vectorDim) > 1 &&
        *flat.getLastStride(vectorDim) <= kMaxDealtVectors)
      *access = flat;
  }
  return success();
}

std::optional<SmallVector<int64_t>>
cpu::getLaneOffsets(const Access &access, unsigned vectorDim, int64_t lanes,
                    int64_t count, unsigned numDims) {
  if (access.indices.empty() || !access.getLastStride(vectorDim))
    return std::nullopt;
  AffineExpr expr = access.indices.back();
  MLIRContext *context = expr.getContext();
  SmallVector<AffineExpr> dims;
  for (unsigned dim = 0; dim < numDims; ++dim)
    dims.push_back(getAffineDimExpr(dim, context));
  // Vectors start at multiples of their lanes.
  AffineExpr start = dims[vectorDim] * lanes;
  auto at = [&](int64_t lane) {
    dims[vectorDim] = start + lane;
    return expr.replaceDims(dims);
  };
  AffineExpr first = at(0);
  SmallVector<int64_t> offsets;
  for (int64_t lane = 0; lane < count; ++lane) {
    auto offset = dyn_cast<AffineConstantExpr>(simplifyAffineExpr(
        at(lane) - first, numDims, access.symbols.size()));
    if (!offset || offset.getValue() < 0)
      return std::nullopt;
    offsets.push_back(offset.getValue());
  }
  int64_t reach = *llvm::max_element(offsets);
  if (reach >= kMaxDealtVectors * static_cast<int64_t>(
                                      llvm::PowerOf2Ceil(lanes)))
    return std::nullopt;
  return offsets;
}

int64_t cpu::findGroupDim(const Problem &problem, unsigned vectorDim) {
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    if (problem.isReduction[dim] || dim == vectorDim ||
        !problem.lhs.uses(dim) || !problem.rhs.uses(dim))
      continue;
    Problem merged = problem;
    if (succeeded(mergeGroups(merged, dim, vectorDim)))
      return dim;
  }
  return -1;
}

int64_t cpu::findDealtDim(const Problem &problem, const Strategy &strategy) {
  const Access &rows = getRowsOperand(problem, strategy);
  if (!isDepthwise(problem, strategy) ||
      rows.getLastStride(strategy.vectorDim) == 1)
    return -1;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (problem.isReduction[dim] &&
        static_cast<int64_t>(dim) != strategy.unrollDim &&
        rows.getLastStride(dim) == 1)
      return dim;
  return -1;
}

bool cpu::hasWindows(const Problem &problem, const Access &access,
                     unsigned dim) {
  return llvm::any_of(access.indices, [&](AffineExpr expr) {
    if (getCoefficient(expr, dim) == 0)
      return false;
    for (unsigned other = 0; other < problem.getNumDims(); ++other)
      if (problem.isReduction[other] && getCoefficient(expr, other) != 0)
        return true;
    return false;
  });
}

bool cpu::isWorthDealing(const Problem &problem, const Strategy &strategy,
                         int64_t groups, const Machine &machine) {
  const Access &rows = getRowsOperand(problem, strategy);
  if (rows.getLastStride(strategy.vectorDim) == 1)
    return true;
  std::optional<SmallVector<int64_t>> offsets =
      getLaneOffsets(rows, strategy.vectorDim, strategy.lanes, strategy.lanes,
                     problem.getNumDims());
  if (!offsets)
    return false;
  if (strategy.groupDim < 0)
    return true;
  llvm::SmallDenseSet<int64_t> vectors;
  for (int64_t offset : *offsets)
    vectors.insert(offset / strategy.getVectorWidth());
  double shuffles = std::max<double>(1, vectors.size() - 1.0);
  // Each vector serves several taps.
  if (hasWindows(problem, rows, strategy.rowDim))
    shuffles /= 2;
  // Wide vectors have the units that multiply for shuffles as well. Narrow
  // ones have the whole machine, and run at a higher clock.
  double cycles = machine.vectorBits >= 512 ? 1 + shuffles
                                            : std::max<double>(1, shuffles);
  return 1.5 * cycles < groups;
}
