//===- Strategy.cpp - Sizes of GPU kernels --------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/GPU/Strategy.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace mlir;

/// Threads that keep a large GPU busy. More of them only add to the partial
/// results that the second step of a split reduction reads.
static constexpr int64_t kWantedThreads = 32768;

/// Reductions shorter than this are not worth a second kernel.
static constexpr int64_t kShortReduction = 256;

/// Elements that a thread reduces at least, so that the partial results are few
/// beside the elements.
static constexpr int64_t kMinReduced = 16;

/// Chunks of a reduction of unknown length.
static constexpr int64_t kDynamicChunks = 1024;

int64_t memrev::chooseBlockSize(int64_t iterations) {
  // With few iterations smaller blocks reach more multiprocessors.
  constexpr int64_t kManyIterations = 65536;
  if (ShapedType::isDynamic(iterations) || iterations >= kManyIterations)
    return 256;
  return 128;
}

int64_t memrev::chooseReductionChunks(int64_t outputs, int64_t reduced) {
  if (ShapedType::isDynamic(outputs) || outputs <= 0)
    return 1;
  int64_t wanted = kWantedThreads / outputs;
  if (ShapedType::isDynamic(reduced))
    return std::clamp<int64_t>(wanted, 1, kDynamicChunks);
  if (reduced < kShortReduction)
    return 1;
  return std::clamp<int64_t>(wanted, 1, reduced / kMinReduced);
}

int64_t memrev::chooseChunksOfDimension(int64_t size, int64_t chunks) {
  if (ShapedType::isDynamic(size))
    return chunks;
  chunks = std::min(chunks, size);
  for (int64_t divisor = chunks; divisor > chunks / 2; --divisor)
    if (size % divisor == 0)
      return divisor;
  return chunks;
}
