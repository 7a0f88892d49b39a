//===- StorageSearch.cpp - How much may be stored in a budget -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StorageSearch.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace mlir::memrev;

std::optional<int64_t> StorageSearch::getNext() const {
  if (numTries == 0)
    return 0;
  if (!lower)
    return upper->storage == kLeastStorage
               ? std::nullopt
               : std::optional<int64_t>(kLeastStorage);
  // A program takes seconds to come to buffers. The rest is worth little.
  constexpr int maxTries = 7;
  int64_t little = budget / 16;
  int64_t left = budget - lower->peak;
  if (numTries >= maxTries || left <= little || lower->storage == kAllStorage)
    return std::nullopt;
  // What more room was not used for may take yet more.
  if (!upper)
    return isFlat ? kAllStorage
                  : lower->storage + int64_t(left / peakOfStorage);
  if (lower->storage == kLeastStorage)
    return upper->storage - (upper->peak - budget);
  int64_t width = upper->storage - lower->storage;
  if (width <= little)
    return std::nullopt;
  // By the peaks of both (regula falsi), a bit below the budget: what is above
  // it is of no use. The end that was not moved for some time counts less and
  // less (the Illinois rule), since a plan goes on in steps.
  int64_t target = budget - std::min(budget / 64, left / 16);
  double below = target - lower->peak, above = upper->peak - target;
  double &unmoved = numSame < 0 ? above : below;
  unmoved = std::ldexp(unmoved, 1 - std::abs(numSame));
  double part = std::clamp(below / (below + above), 0.05, 0.95);
  return lower->storage + std::max<int64_t>(1, width * part);
}

void StorageSearch::add(int64_t storage, int64_t peak) {
  fewest = numTries == 0 ? peak : std::min(fewest, peak);
  ++numTries;
  if (peak <= budget) {
    numSame = std::min(numSame, 0) - 1;
    if (lower && storage <= lower->storage)
      return;
    if (!first && storage != kLeastStorage)
      first = {storage, peak};
    else if (first && peak > first->peak)
      peakOfStorage = double(peak - first->peak) / (storage - first->storage);
    isFlat = lower && peak == lower->peak;
    lower = {storage, peak};
  } else {
    numSame = std::max(numSame, 0) + 1;
    // So much of it is used, by what was seen.
    if (storage == kAllStorage)
      storage = lower->storage + int64_t((peak - lower->peak) / peakOfStorage);
    if (!upper || storage < upper->storage)
      upper = {storage, peak};
  }
}
