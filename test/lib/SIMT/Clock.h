//===- Clock.h - Which thread knows of which access ----------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_CLOCK_H
#define MEMREV_TEST_LIB_SIMT_CLOCK_H

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace memrev::simt {

/// A vector clock of the agents of a block: how far the holder knows what each
/// has done. Agents are the threads, and what works on their behalf: the
/// asynchronous copies of a thread, the matrix unit of a warpgroup, the copies
/// that a memory barrier counts. Threads that have just met share one clock.
struct Clock {
  unsigned references = 0;
  /// The latest time of each agent that is known; zero for those beyond.
  std::vector<uint32_t> times;

  uint32_t get(uint32_t agent) const {
    return agent < times.size() ? times[agent] : 0;
  }
  void raise(uint32_t agent, uint32_t time) {
    if (agent >= times.size())
      times.resize(agent + 1);
    times[agent] = std::max(times[agent], time);
  }
  void join(const Clock &other) {
    if (times.size() < other.times.size())
      times.resize(other.times.size());
    for (size_t i = 0, e = other.times.size(); i < e; ++i)
      times[i] = std::max(times[i], other.times[i]);
  }
};

/// What is known of several blocks, by their numbers.
using KnownBlocks =
    std::shared_ptr<const std::map<uint32_t, std::shared_ptr<const Clock>>>;

/// The clocks of a block, used again when no one refers to them.
class ClockPool {
public:
  ~ClockPool() {
    for (Clock *clock : all)
      delete clock;
  }

  /// Returns a clock that knows nothing, with no references.
  Clock *make() {
    if (unused.empty()) {
      all.push_back(new Clock());
      unused.push_back(all.back());
    }
    Clock *clock = unused.back();
    unused.pop_back();
    clock->times.clear();
    clock->references = 0;
    return clock;
  }

  void retain(Clock *clock) { ++clock->references; }
  void release(Clock *clock) {
    if (clock && --clock->references == 0)
      unused.push_back(clock);
  }

private:
  std::vector<Clock *> all;
  std::vector<Clock *> unused;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_CLOCK_H
