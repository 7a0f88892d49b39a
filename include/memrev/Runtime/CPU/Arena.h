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
#include <memory>
#include <mutex>
#include <string>
#include <vector>

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

  /// Puts a pattern behind the first `bytes` bytes, of which there are no more
  /// than `getSize()`, and looks whether it is still there.
  void guard(size_t bytes);
  [[nodiscard]] bool isGuardIntact(size_t bytes) const;

  void *getData() const { return data; }
  size_t getSize() const { return size; }

private:
  void *data = nullptr;
  size_t size = 0;
};

/// Arenas that no call uses at the moment, so that a call need not allocate.
/// All programs of a process share one pool: they take as much memory as the
/// largest of them needs, times the calls that ran at once.
class ArenaPool {
public:
  /// The pool of the process as long as somebody refers to it; after that its
  /// memory is given back.
  static std::shared_ptr<ArenaPool> get();

  /// An idle arena: the smallest that has `bytes` bytes, else the largest, else
  /// one without memory.
  Arena take(size_t bytes);
  void giveBack(Arena arena);
  size_t getIdleBytes();

private:
  std::mutex mutex;
  std::vector<Arena> idle;
};

} // namespace mlir::memrev::runtime

#endif // MEMREV_RUNTIME_CPU_ARENA_H
