//===- Arena.cpp - The memory that a call works in ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Runtime/CPU/Arena.h"
#include <algorithm>
#include <cstdlib>
#include <utility>

using namespace mlir::memrev::runtime;

/// The bytes behind those of a call: each differs from the next, so that no run
/// of one number looks like them.
static constexpr size_t kGuardBytes = 64;
static unsigned char getGuard(size_t i) {
  return static_cast<unsigned char>(0xa7 + 29 * i);
}

Arena::~Arena() { std::free(data); }

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
  std::free(data);
  data = nullptr;
  size = 0;
  // Room for the guard, and a multiple of the alignment.
  size_t rounded = (bytes + kGuardBytes + kArenaAlignment - 1) /
                   kArenaAlignment * kArenaAlignment;
  // The sum wraps around for sizes near the end of the address space.
  if (rounded >= bytes)
    data = std::aligned_alloc(kArenaAlignment, rounded);
  if (!data) {
    error = "out of memory: the call needs an arena of " +
            std::to_string(bytes) + " bytes";
    return false;
  }
  size = bytes;
  return true;
}

void Arena::guard(size_t bytes) {
  if (!data)
    return;
  auto *end = static_cast<unsigned char *>(data) + bytes;
  for (size_t i = 0; i < kGuardBytes; ++i)
    end[i] = getGuard(i);
}

bool Arena::isGuardIntact(size_t bytes) const {
  if (!data)
    return true;
  const auto *end = static_cast<const unsigned char *>(data) + bytes;
  for (size_t i = 0; i < kGuardBytes; ++i) {
    if (end[i] != getGuard(i))
      return false;
  }
  return true;
}

std::shared_ptr<ArenaPool> ArenaPool::get() {
  static std::mutex mutex;
  static std::weak_ptr<ArenaPool> known;
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<ArenaPool> pool = known.lock();
  if (!pool)
    known = pool = std::make_shared<ArenaPool>();
  return pool;
}

Arena ArenaPool::take(size_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  if (idle.empty())
    return Arena();
  auto best = std::min_element(
      idle.begin(), idle.end(), [bytes](const Arena &a, const Arena &b) {
        bool aFits = a.getSize() >= bytes, bFits = b.getSize() >= bytes;
        if (aFits != bFits)
          return aFits;
        return aFits ? a.getSize() < b.getSize() : a.getSize() > b.getSize();
      });
  Arena arena = std::move(*best);
  std::swap(*best, idle.back());
  idle.pop_back();
  return arena;
}

void ArenaPool::giveBack(Arena arena) {
  std::lock_guard<std::mutex> lock(mutex);
  idle.push_back(std::move(arena));
}

size_t ArenaPool::getIdleBytes() {
  std::lock_guard<std::mutex> lock(mutex);
  size_t bytes = 0;
  for (const Arena &arena : idle)
    bytes += arena.getSize();
  return bytes;
}
