//===- ContractionShape.cpp - Contractions as products of matrices --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionShape.h"
#include "KernelStrategy.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Puts the dimension that moves furthest in memory first.
static void sortByStride(DimGroup &group,
                         function_ref<int64_t(unsigned)> getStride) {
  llvm::sort(group.dims, [&](unsigned left, unsigned right) {
    return std::make_pair(getStride(left), right) >
           std::make_pair(getStride(right), left);
  });
}

/// The most elements that can be copied at once where the last dimension of
/// `group` moves.
static int64_t getVector(const Access &access, const DimGroup &group,
                         const Problem &problem) {
  if (group.dims.empty())
    return 1;
  int64_t vector = kVectorBytes / getByteSize(access.elementType);
  while (vector > 1 && !isVector(access, group.dims.back(), vector, problem))
    vector /= 2;
  return vector;
}

static Factor makeFactor(const Access &access, const DimGroup &outer,
                         const DimGroup &depth, const Problem &problem) {
  Factor factor;
  factor.access = &access;
  factor.offset = Linear::getOffset(access, problem.getNumDims());
  factor.outer = &outer;
  int64_t along = getVector(access, depth, problem);
  int64_t across = getVector(access, outer, problem);
  // Single elements are read in the order in which they lie, too.
  auto isLast = [&](const DimGroup &group) {
    return !group.dims.empty() &&
           std::abs(factor.offset.dims[group.dims.back()]) == 1;
  };
  factor.depthContiguous =
      along != across ? along > across : isLast(depth) || !isLast(outer);
  factor.vector = std::max(along, across);
  return factor;
}

ContractionShape::ContractionShape(const Problem &problem, bool swap) {
  const Access &lhs = swap ? problem.rhs : problem.lhs;
  const Access &rhs = swap ? problem.lhs : problem.rhs;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    bool inLhs = lhs.uses(dim), inRhs = rhs.uses(dim);
    DimGroup &group = problem.isReduction[dim] ? depth
                      : inLhs == inRhs         ? batch
                      : inLhs                  ? rows
                                               : columns;
    group.dims.push_back(dim);
    group.extent *= problem.extents[dim];
  }
  Linear result =
      Linear::getOffset(problem.outputs.front().dest, problem.getNumDims());
  auto inResult = [&](unsigned dim) { return std::abs(result.dims[dim]); };
  sortByStride(rows, inResult);
  sortByStride(columns, inResult);
  sortByStride(batch, inResult);
  Linear left = Linear::getOffset(lhs, problem.getNumDims());
  Linear right = Linear::getOffset(rhs, problem.getNumDims());
  sortByStride(depth, [&](unsigned dim) {
    return std::abs(left.dims[dim]) + std::abs(right.dims[dim]);
  });
  first = makeFactor(lhs, rows, depth, problem);
  second = makeFactor(rhs, columns, depth, problem);
}

bool simt::shouldSwap(const Problem &problem) {
  Linear result =
      Linear::getOffset(problem.outputs.front().dest, problem.getNumDims());
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (!problem.isReduction[dim] && std::abs(result.dims[dim]) == 1)
      return problem.lhs.uses(dim) && !problem.rhs.uses(dim);
  return false;
}
