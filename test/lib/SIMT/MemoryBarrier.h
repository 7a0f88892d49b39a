//===- MemoryBarrier.h - Barriers that are objects in shared memory  -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_MEMORYBARRIER_H
#define MEMREV_TEST_LIB_SIMT_MEMORYBARRIER_H

#include "Clock.h"
#include <cstdint>
#include <vector>

namespace memrev::simt {

class Machine;
struct Thread;

/// An mbarrier object.
struct MemoryBarrier {
  /// Arrivals that a phase takes, and those that are missing in this one.
  uint32_t expected = 0;
  uint32_t pending = 0;
  /// Bytes of asynchronous copies that are missing.
  int64_t bytes = 0;
  /// The number of the phase, from zero.
  uint32_t phase = 0;
  /// Stands for the copies that the barrier counts; the time is a phase plus
  /// one.
  uint32_t agent = 0;
  /// What those know who arrived in this phase, and in the last complete one.
  Clock *gathered = nullptr;
  Clock *completed = nullptr;
  std::vector<Thread *> waiting;
};

/// Returns the barrier at an address in shared memory, and ends the launch if
/// there is none.
MemoryBarrier &getMemoryBarrier(Machine &machine, uintptr_t address);

/// Counts bytes that have arrived.
void completeBytes(Machine &machine, MemoryBarrier &barrier, int64_t bytes);

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_MEMORYBARRIER_H
