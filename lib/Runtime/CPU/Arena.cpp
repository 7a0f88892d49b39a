//===- Arena.cpp - The memory that a call works in ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Runtime/CPU/Arena.h"
#include <atomic>
#include <cstdlib>
#include <utility>

using namespace mlir::memrev::runtime;

static std::atomic<uint64_t> allocations, liveBytes, peakBytes;

static void countAllocation(size_t bytes) {
  allocations.fetch_add(1);
  uint64_t live = liveBytes.fetch_add(bytes) + bytes;
  uint64_t peak = peakBytes.load();
  while (live > peak && !peakBytes.compare_exchange_weak(peak, live)) {
  }
}

Arena::~Arena() {
  liveBytes.fetch_sub(size);
  std::free(data);
}

Arena::Arena(Arena &&other) noexcept
    : data(std::exchange(other.data, nullptr)),
      size(std::exchange(other.size, 0)) {}

Arena &Arena::operator=(Arena &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  return *this;
}

bool Arena::reserve(size_t bytes, std::string &error) {
  if (bytes <= size)
    return true;
  liveBytes.fetch_sub(size);
  std::free(data);
  data = nullptr;
  size = 0;
  size_t rounded =
      (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
  // The sum wraps around for sizes near the end of the address space.
  if (rounded >= bytes)
    data = std::aligned_alloc(kArenaAlignment, rounded);
  if (!data) {
    error = "out of memory: the call needs an arena of " +
            std::to_string(bytes) + " bytes";
    return false;
  }
  size = bytes;
  countAllocation(bytes);
  return true;
}

ArenaCounters mlir::memrev::runtime::getArenaCounters() {
  return {allocations.load(), liveBytes.load(), peakBytes.load()};
}
