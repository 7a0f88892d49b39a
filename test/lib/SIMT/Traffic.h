//===- Traffic.h - How well accesses use the memory ------------ -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A device moves global memory in sectors of 32 bytes, and shared memory in
// wavefronts of 32 banks of 4 bytes. What the lanes of a warp ask for at once
// can need many more of them than its bytes do: neighbours that are far apart,
// banks that two lanes want. This counts both, for each place in the code.
//
// Threads run apart here. The nth access of a lane at a place goes with the nth
// of the others, which is so where lanes go through loops together.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_TRAFFIC_H
#define MEMREV_TEST_LIB_SIMT_TRAFFIC_H

#include "Kernel.h"
#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>

namespace memrev::simt {

/// What accesses moved, in sectors or in wavefronts, and the fewest that could
/// have moved the same bytes.
struct Moved {
  uint64_t requests = 0;
  uint64_t units = 0;
  uint64_t fewest = 0;
};

class Traffic {
public:
  /// Notes an access of the current block by a lane of a warp.
  void note(unsigned warp, unsigned lane, uint32_t site, uintptr_t address,
            size_t bytes, bool isShared);

  /// Says that a launch of `kernel` has so many blocks.
  void startLaunch(const Kernel &kernel, uint64_t blocks);

  /// Counts what was noted, for `kernel`.
  void finishBlock(const Kernel &kernel);

  /// Prints a table of kernels, and for each the places that move more than
  /// they need.
  void print() const;

private:
  static constexpr unsigned kNumLanes = 32;

  /// What lanes of a warp ask for at once.
  struct Request {
    uint32_t lanes = 0;
    uint8_t bytes[kNumLanes];
    uintptr_t addresses[kNumLanes];
  };
  struct Place {
    uint32_t site;
    bool isShared;
    bool operator<(const Place &other) const {
      return site != other.site ? site < other.site : isShared < other.isShared;
    }
  };

  struct Totals {
    uint64_t launches = 0;
    /// Of all launches, and those that were counted.
    uint64_t blocks = 0, counted = 0;
    std::map<Place, Moved> places;
  };

  static Moved countSectors(const Request &request);
  static Moved countWavefronts(const Request &request);

  /// How often each lane has been at each place, and the requests there.
  std::unordered_map<uint64_t, uint32_t> visits;
  std::unordered_map<uint64_t, std::map<uint32_t, Request>> requests;
  std::map<std::string, Totals> kernels;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_TRAFFIC_H
