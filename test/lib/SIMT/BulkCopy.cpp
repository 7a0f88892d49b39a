//===- BulkCopy.cpp - Copies of boxes of tensors --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cp.async.bulk.tensor: boxes of tensors with one to five dimensions, between
// global and shared memory, by a tensor map. Elements outside the tensor are
// filled or left alone.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "TensorMap.h"
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

using namespace memrev::simt;

static TensorMap readMap(Machine &machine, uintptr_t address, unsigned rank) {
  if (address % 64 != 0)
    machine.fail(kMisalignedAddress,
                 "expects a tensor map at a multiple of 64");
  Machine::OperationAccess access;
  access.address = address;
  access.bytes = sizeof(TensorMap);
  machine.access(access);
  TensorMap map;
  std::memcpy(&map, reinterpret_cast<const void *>(address), sizeof(map));
  if (map.magic != TensorMap::kMagic)
    machine.fail(kLaunchFailed, "expects a tensor map of the driver");
  if (map.rank != rank)
    machine.fail(kLaunchFailed,
                 "expects a tensor map of " + std::to_string(rank) +
                     " dimensions, but got " + std::to_string(map.rank));
  return map;
}

static size_t getBoxBytes(const TensorMap &map) {
  size_t bytes = map.elementBytes;
  for (unsigned i = 0; i < map.rank; ++i)
    bytes *= map.box[i];
  return bytes;
}

/// Calls `visit` for each row of a box along the innermost dimension, with its
/// offset in the box, its address in the tensor, and the range of its elements
/// that are in the tensor.
static void forEachRow(
    const TensorMap &map, const int32_t *start,
    const std::function<void(size_t, uintptr_t, int64_t, int64_t)> &visit) {
  size_t numRows = 1;
  for (unsigned i = 1; i < map.rank; ++i)
    numRows *= map.box[i];
  for (size_t row = 0; row < numRows; ++row) {
    size_t rest = row;
    bool inside = true;
    uintptr_t address = map.address;
    for (unsigned i = 1; i < map.rank; ++i) {
      int64_t at = start[i] + static_cast<int64_t>(rest % map.box[i]);
      rest /= map.box[i];
      inside &= at >= 0 && at < map.dimensions[i];
      address += static_cast<uintptr_t>(at * int64_t(map.strides[i - 1]));
    }
    address += static_cast<uintptr_t>(int64_t(start[0]) * map.elementBytes);
    int64_t first = std::max<int64_t>(0, -int64_t(start[0]));
    int64_t end =
        std::min<int64_t>(map.box[0], int64_t(map.dimensions[0]) - start[0]);
    if (!inside || end < first)
      first = end = 0;
    visit(row * map.box[0] * map.elementBytes, address, first, end);
  }
}

static void copyBytes(const TensorMap &map, uintptr_t shared, size_t offset,
                      size_t bytes,
                      const std::function<void(char *, size_t)> &f) {
  for (size_t i = 0; i < bytes; ++i)
    f(reinterpret_cast<char *>(
          swizzleAddress(map.swizzle, shared + offset + i)),
      i);
}

static void load(const TensorMap &map, uintptr_t target, const int32_t *start) {
  forEachRow(map, start,
             [&](size_t offset, uintptr_t address, int64_t first, int64_t end) {
               size_t size = map.elementBytes;
               copyBytes(map, target, offset, map.box[0] * size,
                         [&](char *to, size_t i) {
                           auto element = static_cast<int64_t>(i / size);
                           bool inside = element >= first && element < end;
                           *to = inside ? *reinterpret_cast<const char *>(
                                              address + i)
                                 : map.fillsNaN ? '\xff'
                                                : '\0';
                         });
             });
}

static void store(const TensorMap &map, uintptr_t source,
                  const int32_t *start) {
  forEachRow(map, start,
             [&](size_t offset, uintptr_t address, int64_t first, int64_t end) {
               size_t size = map.elementBytes;
               copyBytes(map, source, offset, map.box[0] * size,
                         [&](char *from, size_t i) {
                           auto element = static_cast<int64_t>(i / size);
                           if (element >= first && element < end)
                             *reinterpret_cast<char *>(address + i) = *from;
                         });
             });
}

/// Checks the accesses of a copy by an agent: a box in shared memory, and the
/// rows of the tensor.
static void checkAccesses(Machine &machine, const TensorMap &map,
                          uintptr_t shared, const int32_t *start, bool isLoad,
                          uint32_t sharedAgent, uint32_t globalAgent,
                          uint32_t time) {
  if (shared % 128 != 0)
    machine.fail(kMisalignedAddress,
                 "expects shared memory at a multiple of 128");
  Machine::OperationAccess access;
  access.agent = globalAgent;
  access.time = time;
  access.byAsyncProxy = true;
  access.space = Machine::OperationAccess::Global;
  access.kind = isLoad ? AccessKind::Read : AccessKind::Write;
  forEachRow(map, start,
             [&](size_t, uintptr_t address, int64_t first, int64_t end) {
               access.address = address + first * map.elementBytes;
               access.bytes = (end - first) * map.elementBytes;
               machine.access(access);
             });
  access.agent = sharedAgent;
  access.space = Machine::OperationAccess::Shared;
  access.kind = isLoad ? AccessKind::Write : AccessKind::Read;
  access.address = shared;
  access.bytes = getBoxBytes(map);
  machine.access(access);
}

/// Arguments: address in shared memory, memory barrier, tensor map, place of
/// the box. Parameter: the rank.
static void runLoad(Machine &machine, const Operation &operation, Slots slots) {
  unsigned rank = operation.parameters[0];
  auto target = slots.get<uintptr_t>(0), address = slots.get<uintptr_t>(1);
  TensorMap map = readMap(machine, slots.get<uintptr_t>(2), rank);
  MemoryBarrier &barrier = getMemoryBarrier(machine, address);
  std::array<int32_t, TensorMap::kMaxRank> start = {};
  for (unsigned i = 0; i < rank; ++i)
    start[i] = slots.get<int32_t>(3 + i);
  uint32_t phase = barrier.phase;
  checkAccesses(machine, map, target, start.data(), /*isLoad=*/true,
                barrier.agent, barrier.agent, phase + 1);
  // Other threads may go on before the copy arrives.
  machine.addLate([&machine, map, target, address, start, phase] {
    auto found = machine.memoryBarriers.find(address);
    if (found == machine.memoryBarriers.end() || found->second.phase != phase) {
      machine.noteLate("a bulk copy arrives after the phase of its memory "
                       "barrier has ended, which expected too few bytes");
      return;
    }
    load(map, target, start.data());
    completeBytes(machine, found->second, getBoxBytes(map));
  });
}

//===----------------------------------------------------------------------===//
// Stores, which a thread waits for in groups
//===----------------------------------------------------------------------===//

/// Arguments: address in shared memory, tensor map, place of the box.
static void runStore(Machine &machine, const Operation &operation,
                     Slots slots) {
  unsigned rank = operation.parameters[0];
  auto source = slots.get<uintptr_t>(0);
  TensorMap map = readMap(machine, slots.get<uintptr_t>(1), rank);
  std::array<int32_t, TensorMap::kMaxRank> start = {};
  for (unsigned i = 0; i < rank; ++i)
    start[i] = slots.get<int32_t>(2 + i);
  BulkStores &stores = machine.getThread().stores;
  if (stores.readAgent == 0) {
    stores.readAgent = machine.makeAgent();
    stores.writeAgent = machine.makeAgent();
  }
  checkAccesses(machine, map, source, start.data(), /*isLoad=*/false,
                stores.readAgent, stores.writeAgent, stores.committed + 1);
  auto work = [map, source, start] { store(map, source, start.data()); };
  if (machine.areCopiesLate())
    stores.open.push_back(work);
  else
    work();
}

void memrev::simt::commitStores(BulkStores &stores) {
  ++stores.committed;
  stores.groups.push_back(std::move(stores.open));
  stores.open.clear();
}

void memrev::simt::landStores(BulkStores &stores, size_t pending) {
  while (stores.groups.size() > pending) {
    for (const auto &work : stores.groups.front())
      work();
    stores.groups.pop_front();
  }
}

static void runCommit(Machine &machine, const Operation &, Slots) {
  commitStores(machine.getThread().stores);
}

/// Argument: the number of groups that may be pending. Parameter: whether to
/// wait for the writes, not only until shared memory has been read.
static void runWait(Machine &machine, const Operation &operation, Slots slots) {
  Thread &thread = machine.getThread();
  BulkStores &stores = thread.stores;
  auto pending = slots.get<uint32_t>(0);
  landStores(stores, pending);
  if (stores.readAgent != 0 && stores.committed > pending) {
    Clock known;
    known.raise(stores.readAgent, stores.committed - pending);
    if (operation.parameters[0])
      known.raise(stores.writeAgent, stores.committed - pending);
    machine.acquire(thread, known);
  }
}

bool memrev::simt::selectBulkCopyIntrinsic(const std::string &name,
                                           Operation &operation) {
  for (unsigned rank = 1; rank <= TensorMap::kMaxRank; ++rank) {
    std::string suffix = ".tile." + std::to_string(rank) + "d";
    operation.parameters[0] = rank;
    if (name == "cp.async.bulk.tensor.g2s" + suffix ||
        name == "cp.async.bulk.tensor.g2s.cta" + suffix) {
      operation.run = runLoad;
      return true;
    }
    if (name == "cp.async.bulk.tensor.s2g" + suffix) {
      operation.run = runStore;
      return true;
    }
  }
  if (name == "cp.async.bulk.commit.group")
    operation.run = runCommit;
  else if (name == "cp.async.bulk.wait.group" ||
           name == "cp.async.bulk.wait.group.read")
    operation.run = runWait;
  operation.parameters[0] = name == "cp.async.bulk.wait.group";
  return operation.run;
}
