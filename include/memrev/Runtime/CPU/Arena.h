//===- Arena.h - The memory of a call ------------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime is linked into programs of users, so it includes nothing of MLIR
// or LLVM.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_RUNTIME_CPU_ARENA_H
#define MEMREV_RUNTIME_CPU_ARENA_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace mlir::memrev::runtime {

/// The alignment of an arena and of all buffers in it, in bytes.
inline constexpr size_t kArenaAlignment = 64;

/// Memory for the buffers of one call of a compiled function. The compiler
/// states how many bytes a function needs; two calls at once need an arena
/// each.
class Arena {
public:
  Arena() = default;
  ~Arena();
  Arena(Arena &&other) noexcept;
  Arena &operator=(Arena &&other) noexcept;

  /// Makes room for `bytes` bytes, keeping the memory if it is large enough.
  /// Returns false and sets `error` if there is not enough memory.
  [[nodiscard]] bool reserve(size_t bytes, std::string &error);

  void *getData() const { return data; }
  size_t getSize() const { return size; }

private:
  void *data = nullptr;
  size_t size = 0;
};

/// What all arenas of the process together did since its start.
struct ArenaCounters {
  uint64_t allocations = 0;
  uint64_t liveBytes = 0;
  uint64_t peakBytes = 0;
};
ArenaCounters getArenaCounters();

} // namespace mlir::memrev::runtime

#endif // MEMREV_RUNTIME_CPU_ARENA_H
