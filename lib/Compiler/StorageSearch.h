//===- StorageSearch.h - How much may be stored in a budget ---- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plan is made from an estimate of memory; how many bytes a function takes is
// known once it has buffers. What is stored grows with the bytes that the plan
// may store by estimate, so those are found by trying: all, as by default, as
// few as can be, and then what lies between by the bytes that were seen.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_COMPILER_STORAGESEARCH_H
#define MEMREV_LIB_COMPILER_STORAGESEARCH_H

#include <cstdint>
#include <optional>

namespace mlir::memrev {

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
  std::optional<int64_t> getBest() const { return lower; }
  /// The fewest bytes that the function was seen to take.
  int64_t getFewest() const { return fewest; }
  int64_t getBudget() const { return budget; }

private:
  int64_t budget;
  /// The most storage that fits, and the least that does not, with their peaks.
  std::optional<int64_t> lower, upper;
  int64_t lowerPeak = 0, upperPeak = 0;
  int64_t fewest = 0;
  int numTries = 0;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_COMPILER_STORAGESEARCH_H
