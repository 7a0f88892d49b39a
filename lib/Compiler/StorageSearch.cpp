//===- StorageSearch.cpp - How much may be stored in a budget -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StorageSearch.h"
#include <algorithm>
#include <limits>

using namespace mlir::memrev;

/// So much storage that everything is stored, and sums do not overflow.
static constexpr int64_t kAll = std::numeric_limits<int64_t>::max() / 4;

/// So little that the program takes the fewest bytes.
static constexpr int64_t kNone = -kAll;

std::optional<int64_t> StorageSearch::getNext() const {
  if (numTries == 0)
    return kAll;
  if (!upper || *upper == kNone)
    return std::nullopt;
  if (!lower)
    return *upper == kAll ? 0 : kNone;
  // A program takes seconds to come to buffers. The rest is worth little.
  constexpr int maxTries = 7;
  constexpr int64_t worthwhilePart = 32;
  int64_t left = budget - lowerPeak;
  if (numTries >= maxTries || left <= budget / worthwhilePart ||
      *upper - *lower <= 1)
    return std::nullopt;
  // A byte that is stored is one at the peak, by estimate.
  int64_t next =
      *lower == kNone ? *upper - (upperPeak - budget) : *lower + left;
  if (next > *lower && next < *upper)
    return next;
  // That is known to be too much, or no more.
  int64_t range = 2 * (upperPeak - lowerPeak);
  int64_t below = *lower == kNone ? *upper - range : *lower;
  int64_t above = *upper == kAll ? below + range : *upper;
  if (above - below <= 1)
    return std::nullopt;
  double part = static_cast<double>(left) / (upperPeak - lowerPeak);
  part = std::clamp(part, 0.1, 0.9);
  return below + std::max<int64_t>(1, (above - below) * part);
}

void StorageSearch::add(int64_t storage, int64_t peak) {
  fewest = numTries == 0 ? peak : std::min(fewest, peak);
  ++numTries;
  if (peak <= budget) {
    if (!lower || storage > *lower) {
      lower = storage;
      lowerPeak = peak;
    }
  } else if (!upper || storage < *upper) {
    upper = storage;
    upperPeak = peak;
  }
}
