//===- KernelStrategy.cpp - How a GPU kernel is emitted -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelStrategy.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

FailureOr<Chip> Chip::get(StringRef name) {
  Chip chip;
  chip.hasWarpGroups = name == "sm_90a";
  if (!name.consume_front("sm_") ||
      name.consumeInteger(10, chip.architecture) || name.size() > 1)
    return failure();
  // Multiprocessors of the largest product: A100, RTX 4090, H100.
  // Shared memory: CUDA C++ Programming Guide, technical specifications.
  if (chip.architecture >= 90) {
    chip.multiprocessors = 132;
    chip.sharedBytes = 227 * 1024;
  } else if (chip.architecture == 80 || chip.architecture == 87) {
    chip.multiprocessors = 108;
    chip.sharedBytes = 163 * 1024;
  } else {
    chip.multiprocessors = 128;
    chip.sharedBytes = chip.architecture >= 80 ? 99 * 1024 : 48 * 1024;
  }
  // Consumer chips after sm_100 have less.
  if (chip.architecture >= 120)
    chip.sharedBytes = 99 * 1024;
  return chip;
}

LogicalResult simt::parseTarget(MLIRContext *context, StringRef chipName,
                                StringRef precisionName, StringRef purpose,
                                Chip &chip, FP32Precision &precision) {
  Location loc = UnknownLoc::get(context);
  FailureOr<Chip> known = Chip::get(chipName);
  if (failed(known))
    return emitError(loc) << "expects a chip " << purpose
                          << ", sm_90 for example, but got '" << chipName
                          << "'";
  chip = *known;
  auto parsed = llvm::StringSwitch<std::optional<FP32Precision>>(precisionName)
                    .Case("ieee", FP32Precision::IEEE)
                    .Case("tf32", FP32Precision::TF32)
                    .Case("tf32x3", FP32Precision::TF32x3)
                    .Default(std::nullopt);
  if (!parsed)
    return emitError(loc)
           << "expects fp32-precision to be ieee, tf32 or tf32x3, but got '"
           << precisionName << "'";
  precision = *parsed;
  return success();
}

int64_t simt::findVectorDim(const Problem &problem, ArrayRef<unsigned> dims,
                            ArrayRef<WeightedAccess> accesses) {
  int64_t best = -1, bestScore = 0;
  for (unsigned dim : dims) {
    int64_t score = 0;
    for (auto [access, weight] : accesses) {
      if (access->isScalar())
        continue;
      int64_t stride =
          Linear::getOffset(*access, problem.getNumDims()).dims[dim];
      if (stride != 0)
        score += stride == 1 ? 2 * weight : -weight;
    }
    if (score > bestScore || (score == bestScore && best >= 0 &&
                              problem.extents[dim] > problem.extents[best])) {
      best = dim;
      bestScore = score;
    }
  }
  return best;
}

SmallVector<int64_t> simt::getMemoryOrder(const Problem &problem) {
  SmallVector<std::pair<int64_t, int64_t>> byStride;
  Linear offset =
      Linear::getOffset(problem.outputs.front().dest, problem.getNumDims());
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
    if (!problem.isReduction[dim])
      byStride.emplace_back(-std::abs(offset.dims[dim]), dim);
  llvm::sort(byStride);
  return llvm::map_to_vector(byStride, [](auto pair) { return pair.second; });
}

int64_t simt::getVectorWidth(const Access &access, const Problem &problem,
                             unsigned dim, int64_t lanes) {
  Linear offset = Linear::getOffset(access, problem.getNumDims());
  if (offset.dims[dim] != 1)
    return 1;
  // Smaller buffers have the alignment of their elements.
  int64_t bytes = getByteSize(access.elementType);
  for (int64_t size : access.shape)
    bytes *= size;
  if (bytes < kVectorBytes)
    return 1;
  int64_t width =
      std::min(lanes, kVectorBytes / getByteSize(access.elementType));
  auto isMultiple = [&](const Linear &linear) {
    for (auto [other, factor] : llvm::enumerate(linear.dims))
      if (other != dim && factor % width != 0)
        return false;
    return llvm::all_of(linear.symbols,
                        [&](int64_t factor) { return factor % width == 0; }) &&
           linear.constant % width == 0;
  };
  auto fits = [&] {
    return isMultiple(offset) &&
           llvm::all_of(access.bounds, [&](const Bound &bound) {
             Linear linear = Linear::get(bound.expr, problem.getNumDims(),
                                         access.symbols.size());
             return linear.dims[dim] == 0 ||
                    (linear.dims[dim] == 1 && isMultiple(linear) &&
                     bound.size % width == 0);
           });
  };
  while (width > 1 && !fits())
    width /= 2;
  return width;
}
