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
    return *upper == kNoStorage ? std::nullopt
                                : std::optional(*upper == 0 ? kNoStorage : 0);
  // A program takes seconds to come to buffers. The rest is worth little.
  constexpr int maxTries = 7;
  constexpr int64_t worthwhilePart = 32;
  int64_t left = budget - lowerPeak;
  if (numTries >= maxTries || left <= budget / worthwhilePart ||
      *upper - *lower <= 1)
    return std::nullopt;
  if (*upper == kAllStorage) {
    // Estimates are of the order of what is seen, and then as far from it as
    // the best one was. Where that gained nothing, twice as much is tried.
    double gained = lowerPeak - fewest, scale = 1;
    if (*lower > 0)
      scale = gained > 0 ? *lower / gained
                         : std::max(1.0, static_cast<double>(*lower) / left);
    auto most = static_cast<double>(kAllStorage / 2);
    return *lower + std::max<int64_t>(1, std::min(left * scale, most));
  }
  double part = static_cast<double>(left) / (upperPeak - lowerPeak);
  part = std::clamp(part, 0.1, 0.9);
  return *lower + std::max<int64_t>(1, (*upper - *lower) * part);
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
