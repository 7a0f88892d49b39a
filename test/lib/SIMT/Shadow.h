//===- Shadow.h - Who accessed which byte last ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_SHADOW_H
#define MEMREV_TEST_LIB_SIMT_SHADOW_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace memrev::simt {

/// An access by an agent of a block. Blocks have numbers that are never used
/// again, from one; zero stands for no access.
struct Epoch {
  uint32_t block = 0;
  uint32_t time : 31;
  uint32_t atomic : 1;
  uint32_t agent : 12;
  uint32_t site : 20;

  Epoch() : time(0), atomic(0), agent(0), site(0) {}
};

/// What is known of four bytes, or of one if they have been accessed one by
/// one: the last write, and the reads since.
struct Cell {
  Epoch write;
  Epoch read;
  /// Zero, or a kind in the upper two bits and an index below.
  uint32_t extra = 0;
};

enum class AccessKind { Read, Write };

/// Who accesses memory, and what it knows.
class Actor {
public:
  Epoch epoch;
  /// The first block whose accesses count: those before are in the past.
  uint32_t firstBlock = 1;

  /// Whether all that `agent` of this block did until `time` has happened
  /// before what this actor does now.
  virtual bool knows(uint32_t agent, uint32_t time) const = 0;
  /// The same for an agent of another block.
  virtual bool knowsBlock(uint32_t block, uint32_t agent,
                          uint32_t time) const = 0;

protected:
  ~Actor() = default;
};

/// Finds accesses of one memory that are not ordered.
class Shadow {
public:
  /// What an access finds wrong.
  struct Finding {
    enum Kind { None, Race, Uninitialized } kind = None;
    /// Of the first byte that is concerned.
    size_t offset = 0;
    Epoch other;
    bool otherIsWrite = false;
  };

  /// Covers memory with a cell for each four bytes.
  void cover(Cell *first) { cells = first; }

  /// Forgets what cells refer to, after all accesses so far went to the past.
  void forget() {
    splits.clear();
    readers.clear();
  }

  /// Notes an access of `bytes` bytes at `offset`. Returns what is wrong with
  /// it. `mustBeWritten` asks for bytes that are read before they were written.
  Finding access(size_t offset, size_t bytes, AccessKind kind,
                 const Actor &actor, bool mustBeWritten);

private:
  Finding accessCell(Cell &cell, AccessKind kind, const Actor &actor,
                     bool mustBeWritten);
  void noteRead(Cell &cell, const Actor &actor);
  void split(Cell &cell);

  Cell *cells = nullptr;
  /// The bytes of words that were accessed one by one.
  std::vector<std::array<Cell, 4>> splits;
  /// The readers of cells that have several, none of which knows of another.
  std::vector<std::vector<Epoch>> readers;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_SHADOW_H
