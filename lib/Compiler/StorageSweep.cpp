//===- StorageSweep.cpp - Time against memory of a function ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StorageSweep.h"
#include "StorageSearch.h"

using namespace mlir::memrev;

std::optional<int64_t> StorageSweep::getNext() const {
  if (static_cast<int64_t>(tried.size()) >= numPoints)
    return std::nullopt;
  for (int64_t end : {int64_t(0), kAllStorage, kLeastStorage})
    if (tried.find(end) == tried.end())
      return end;
  std::optional<int64_t> next;
  int64_t widest = 0;
  for (auto lower = tried.begin(), upper = std::next(lower);
       upper != tried.end(); lower = upper++) {
    int64_t gap = upper->second.peakBytes - lower->second.peakBytes;
    if (gap <= widest)
      continue;
    // A byte that is stored is one at the peak, by estimate.
    bool isFirst = lower->first == kLeastStorage;
    bool isLast = upper->first == kAllStorage;
    int64_t width = isFirst || isLast ? gap : upper->first - lower->first;
    if (width < 2)
      continue;
    widest = gap;
    next = isFirst ? upper->first - width / 2 : lower->first + width / 2;
  }
  return next;
}

std::vector<MemoryPoint> StorageSweep::getCurve() const {
  std::vector<MemoryPoint> points, curve;
  for (auto &[storage, point] : tried)
    points.push_back(point);
  llvm::sort(points, [](const MemoryPoint &a, const MemoryPoint &b) {
    return std::tie(a.peakBytes, a.time) < std::tie(b.peakBytes, b.time);
  });
  for (const MemoryPoint &point : points)
    if (curve.empty() || point.time < curve.back().time)
      curve.push_back(point);
  return curve;
}
