//===- StorageSearch.h - How much may be stored in a budget -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plan is made from an estimate of memory; how many bytes a function takes is
// known once it has buffers. What is stored grows with the bytes that the plan
// may store by estimate, so those are found by trying: as by default, what is
// left of the budget more, and so on by the bytes that were seen; if the
// default does not fit, as few as can be.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_COMPILER_STORAGESEARCH_H
#define MEMREV_LIB_COMPILER_STORAGESEARCH_H

#include <cstdint>
#include <limits>
#include <optional>

namespace mlir::memrev {

/// So much storage that everything is stored, and sums do not overflow.
inline constexpr int64_t kAllStorage = std::numeric_limits<int64_t>::max() / 4;

/// So little that the program takes the fewest bytes.
inline constexpr int64_t kLeastStorage = -kAllStorage;

class StorageSearch {
public:
  /// Looks for the most storage with which a function takes at most `budget`
  /// bytes.
  explicit StorageSearch(int64_t budget) : budget(budget) {}

  /// The storage to try next, in bytes beyond the default; nothing if the
  /// search is over.
  std::optional<int64_t> getNext() const;

  /// Notes that the function takes `peak` bytes with `storage`.
  void add(int64_t storage, int64_t peak);

  /// The best storage so far, if any fits.
  std::optional<int64_t> getBest() const {
    return lower ? std::optional(lower->storage) : std::nullopt;
  }
  /// The fewest bytes that the function was seen to take.
  int64_t getFewest() const { return fewest; }
  int64_t getBudget() const { return budget; }

private:
  struct Point {
    int64_t storage, peak;
  };

  int64_t budget;
  /// The most storage that fits, and the least that does not.
  std::optional<Point> lower, upper;
  /// The first that fits, but for the least there is.
  std::optional<Point> first;
  int64_t fewest = 0;
  /// By how much a byte of storage raises the peak, from the first that fits;
  /// by estimate by one.
  double peakOfStorage = 1;
  /// Whether more room was not used the last time that it was there.
  bool isFlat = false;
  int numTries = 0;
  /// How many of the last tries did not fit, or, negated, did.
  int numSame = 0;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_COMPILER_STORAGESEARCH_H
