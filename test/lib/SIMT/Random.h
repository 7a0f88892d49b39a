//===- Random.h - Random numbers for schedules ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_RANDOM_H
#define MEMREV_TEST_LIB_SIMT_RANDOM_H

#include <cstdint>

namespace memrev::simt {

/// A generator that is quick: splitmix64.
class Random {
public:
  explicit Random(uint64_t seed = 0) : state(seed) {}

  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Returns a number below `limit`, which is below 2^32.
  uint32_t below(uint32_t limit) {
    return static_cast<uint32_t>(((next() >> 32) * limit) >> 32);
  }

private:
  uint64_t state;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_RANDOM_H
