//===- Random.h - Random choices ------------------------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_FUZZ_RANDOM_H
#define MEMREV_TEST_LIB_FUZZ_RANDOM_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace mlir::memrev::testing {

/// A sequence of random numbers that is the same on every machine.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15 + 1) {}

  uint64_t next() {
    state += 0x9e3779b97f4a7c15;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  /// An integer from `low` to `high`, both included.
  int64_t range(int64_t low, int64_t high) {
    return low + int64_t(next() % uint64_t(high - low + 1));
  }

  double uniform(double low, double high) {
    return low + (high - low) * double(next() >> 11) * 0x1p-53;
  }

  bool chance(double probability) { return uniform(0, 1) < probability; }

  template <typename T>
  const T &pick(llvm::ArrayRef<T> choices) {
    return choices[range(0, int64_t(choices.size()) - 1)];
  }

private:
  uint64_t state;
};

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_FUZZ_RANDOM_H
