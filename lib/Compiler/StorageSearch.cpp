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
    return kAllStorage;
  if (!upper)
    return std::nullopt;
  if (!lower)
    return *upper == 0 ? std::nullopt : std::optional<int64_t>(0);
  // A program takes seconds to come to buffers. The rest is worth little.
  constexpr int maxTries = 7;
  constexpr int64_t worthwhilePart = 32;
  int64_t left = budget - lowerPeak;
  if (numTries >= maxTries || left <= budget / worthwhilePart ||
      *upper - *lower <= 1)
    return std::nullopt;
  // Estimates are of the order of what is seen.
  int64_t above =
      *upper == kAllStorage ? *lower + 4 * (upperPeak - lowerPeak) : *upper;
  if (above <= *lower)
    return std::nullopt;
  double part = static_cast<double>(left) / (upperPeak - lowerPeak);
  part = std::clamp(part, 0.1, 0.9);
  return *lower + std::max<int64_t>(1, (above - *lower) * part);
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
