//===- StorageSearch.cpp - How much may be stored in a budget -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StorageSearch.h"
#include <algorithm>

using namespace mlir::memrev;

std::optional<int64_t> StorageSearch::getNext() const {
  if (numTries == 0)
    return 0;
  if (!lower)
    return *upper == kLeastStorage ? std::nullopt
                                   : std::optional<int64_t>(kLeastStorage);
  // A program takes seconds to come to buffers. The rest is worth little.
  constexpr int maxTries = 7;
  constexpr int64_t worthwhilePart = 16;
  int64_t left = budget - lowerPeak;
  if (numTries >= maxTries || left <= budget / worthwhilePart)
    return std::nullopt;
  int64_t next = *lower == kLeastStorage
                     ? *upper - (upperPeak - budget)
                     : *lower + int64_t(left / peakOfStorage);
  if (!upper)
    return isAll ? std::nullopt : std::optional<int64_t>(next);
  if (next > *lower && next < *upper)
    return next;
  // That is known to be too much, or no more.
  int64_t below =
      *lower == kLeastStorage ? *upper - 2 * (upperPeak - lowerPeak) : *lower;
  if (*upper - below <= budget / worthwhilePart)
    return std::nullopt;
  double part = static_cast<double>(left) / (upperPeak - lowerPeak);
  part = std::clamp(part, 0.05, 0.95);
  return below + std::max<int64_t>(1, (*upper - below) * part);
}

void StorageSearch::add(int64_t storage, int64_t peak) {
  fewest = numTries == 0 ? peak : std::min(fewest, peak);
  ++numTries;
  if (peak <= budget) {
    if (!lower || storage > *lower) {
      // More room for storage is not used.
      isAll = lower && peak == lowerPeak;
      if (lower && *lower != kLeastStorage && peak > lowerPeak)
        peakOfStorage =
            std::max(0.1, double(peak - lowerPeak) / double(storage - *lower));
      lower = storage;
      lowerPeak = peak;
    }
  } else if (!upper || storage < *upper) {
    upper = storage;
    upperPeak = peak;
  }
}
