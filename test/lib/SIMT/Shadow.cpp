//===- Shadow.cpp - Who accessed which byte last --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Shadow.h"
#include <algorithm>

using namespace memrev::simt;

namespace {
enum ExtraKind : uint32_t { kNone, kSplit, kReaders, kManyBlocks };
} // namespace

static ExtraKind getKind(const Cell &cell) {
  return static_cast<ExtraKind>(cell.extra >> 30);
}
static uint32_t getIndex(const Cell &cell) {
  return cell.extra & ((1u << 30) - 1);
}
static uint32_t makeExtra(ExtraKind kind, size_t index) {
  return static_cast<uint32_t>(kind) << 30 | static_cast<uint32_t>(index);
}

/// Whether `epoch` has happened before what `actor` does.
static bool isOrdered(const Epoch &epoch, const Actor &actor) {
  if (epoch.block < actor.firstBlock)
    return true;
  return epoch.block == actor.epoch.block
             ? actor.knows(epoch.agent, epoch.time)
             : actor.knowsBlock(epoch.block, epoch.agent, epoch.time);
}

/// Whether both accesses at once are a race.
static bool isConflict(const Epoch &epoch, const Actor &actor) {
  return !(epoch.atomic && actor.epoch.atomic) && !isOrdered(epoch, actor);
}

void Shadow::split(Cell &cell) {
  Cell part = cell;
  std::array<Cell, 4> parts = {part, part, part, part};
  if (getKind(cell) == kReaders)
    for (Cell &byte : parts) {
      std::vector<Epoch> copy = readers[getIndex(cell)];
      byte.extra = makeExtra(kReaders, readers.size());
      readers.push_back(std::move(copy));
    }
  cell.extra = makeExtra(kSplit, splits.size());
  splits.push_back(parts);
}

void Shadow::noteRead(Cell &cell, const Actor &actor) {
  switch (getKind(cell)) {
  case kManyBlocks:
    cell.read.atomic &= actor.epoch.atomic;
    return;
  case kReaders: {
    // Who has happened before this read is covered by it.
    std::vector<Epoch> &others = readers[getIndex(cell)];
    if (others.front().block == actor.epoch.block) {
      others.erase(std::remove_if(others.begin(), others.end(),
                                  [&](const Epoch &other) {
                                    return isOrdered(other, actor);
                                  }),
                   others.end());
      others.push_back(actor.epoch);
      cell.read = actor.epoch;
      return;
    }
    cell.read.atomic &= actor.epoch.atomic;
    cell.extra = makeExtra(kManyBlocks, 0);
    return;
  }
  default:
    break;
  }
  if (isOrdered(cell.read, actor)) {
    cell.read = actor.epoch;
    return;
  }
  if (cell.read.block != actor.epoch.block) {
    cell.read.atomic &= actor.epoch.atomic;
    cell.extra = makeExtra(kManyBlocks, 0);
    return;
  }
  cell.extra = makeExtra(kReaders, readers.size());
  readers.push_back({cell.read, actor.epoch});
}

Shadow::Finding Shadow::accessCell(Cell &cell, AccessKind kind,
                                   const Actor &actor, bool mustBeWritten) {
  Finding finding;
  auto race = [&](const Epoch &other, bool isWrite) {
    finding.kind = Finding::Race;
    finding.other = other;
    finding.otherIsWrite = isWrite;
  };

  if (isConflict(cell.write, actor))
    race(cell.write, /*isWrite=*/true);
  if (kind == AccessKind::Read) {
    if (mustBeWritten && cell.write.block < actor.firstBlock &&
        finding.kind == Finding::None)
      finding.kind = Finding::Uninitialized;
    noteRead(cell, actor);
    return finding;
  }
  if (finding.kind == Finding::None) {
    if (getKind(cell) == kManyBlocks) {
      // Reads of many blocks are not told apart.
      if (!(cell.read.atomic && actor.epoch.atomic))
        race(cell.read, /*isWrite=*/false);
    } else if (getKind(cell) == kReaders) {
      for (const Epoch &reader : readers[getIndex(cell)])
        if (isConflict(reader, actor))
          race(reader, /*isWrite=*/false);
    } else if (isConflict(cell.read, actor)) {
      race(cell.read, /*isWrite=*/false);
    }
  }
  cell.write = actor.epoch;
  cell.read = Epoch();
  cell.extra = 0;
  return finding;
}

Shadow::Finding Shadow::access(size_t offset, size_t bytes, AccessKind kind,
                               const Actor &actor, bool mustBeWritten) {
  Finding first;
  auto note = [&](Finding finding, size_t at) {
    if (finding.kind == Finding::None || first.kind != Finding::None)
      return;
    first = finding;
    first.offset = at;
  };
  size_t end = offset + bytes;
  while (offset < end) {
    Cell &cell = cells[offset / 4];
    size_t inWord = offset % 4;
    size_t count = std::min(4 - inWord, end - offset);
    if (std::max(cell.write.block, cell.read.block) < actor.firstBlock)
      cell = Cell();
    if (count == 4 && getKind(cell) != kSplit) {
      note(accessCell(cell, kind, actor, mustBeWritten), offset);
    } else {
      if (getKind(cell) != kSplit)
        split(cell);
      // Keeps the cell from going to the past before its bytes do.
      cell.read.block = actor.epoch.block;
      uint32_t index = getIndex(cell);
      for (size_t i = 0; i < count; ++i)
        note(accessCell(splits[index][inWord + i], kind, actor, mustBeWritten),
             offset + i);
    }
    offset += count;
  }
  return first;
}
