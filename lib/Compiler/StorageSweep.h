//===- StorageSweep.h - Time against memory of a function ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function that stores more takes more bytes and less time. Of the plans in
// between, some are tried, and those that others beat in both are dropped.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_COMPILER_STORAGESWEEP_H
#define MEMREV_LIB_COMPILER_STORAGESWEEP_H

#include "memrev/Compiler/MemoryReport.h"
#include <map>

namespace mlir::memrev {

class StorageSweep {
public:
  /// Tries at most `numPoints` plans.
  explicit StorageSweep(int64_t numPoints) : numPoints(numPoints) {}

  /// The storage to try next, in bytes beyond the default: the default itself,
  /// all, the least, and then what lies between the two plans whose peaks are
  /// furthest apart. Nothing if the sweep is over.
  std::optional<int64_t> getNext() const;

  /// Notes what the function takes with `storage`.
  void add(int64_t storage, const MemoryPoint &point) {
    tried.insert_or_assign(storage, point);
  }

  /// The plans that no other beats in bytes and time, fewest bytes first.
  std::vector<MemoryPoint> getCurve() const;

private:
  int64_t numPoints;
  std::map<int64_t, MemoryPoint> tried;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_COMPILER_STORAGESWEEP_H
