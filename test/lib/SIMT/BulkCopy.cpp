//===- BulkCopy.cpp - Copies of boxes of tensors --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cp.async.bulk.tensor copies boxes of tensors with one to five dimensions
// between global and shared memory, by a tensor map. Elements outside the
// tensor are filled or left alone. cp.async.bulk copies a range of bytes.
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

//===----------------------------------------------------------------------===//
// Loads, which memory barriers count
//===----------------------------------------------------------------------===//

/// Does the work of a load of `bytes` bytes, at once or later, and tells the
/// barrier at `address`.
static void startLoad(Machine &machine, uintptr_t address, int64_t bytes,
                      const std::function<void()> &work) {
  uint32_t phase = machine.memoryBarriers[address].phase;
  machine.addLate([&machine, address, bytes, phase, work] {
    auto found = machine.memoryBarriers.find(address);
    if (found == machine.memoryBarriers.end() || found->second.phase != phase) {
      machine.noteLate("a bulk copy arrives after the phase of its memory "
                       "barrier has ended, which expected too few bytes");
      return;
    }
    work();
    completeBytes(machine, found->second, bytes);
  });
}

/// Arguments: address in shared memory, memory barrier, tensor map, place of
/// the box, and for an intrinsic that has them a mask of blocks, a cache hint,
/// and whether there is a mask. Parameters: the rank, and whether it has them.
static void runLoad(Machine &machine, const Operation &operation, Slots slots) {
  unsigned rank = operation.parameters[0];
  if (operation.parameters[1] && slots.get<uint8_t>(5 + rank))
    machine.fail(kNotSupported, "expects a copy for one block");
  auto target = slots.get<uintptr_t>(0), address = slots.get<uintptr_t>(1);
  TensorMap map = readMap(machine, slots.get<uintptr_t>(2), rank);
  MemoryBarrier &barrier = getMemoryBarrier(machine, address);
  std::array<int32_t, TensorMap::kMaxRank> start = {};
  for (unsigned i = 0; i < rank; ++i)
    start[i] = slots.get<int32_t>(3 + i);
  checkAccesses(machine, map, target, start.data(), /*isLoad=*/true,
                barrier.agent, barrier.agent, barrier.phase + 1);
  startLoad(machine, address, getBoxBytes(map),
            [map, target, start] { load(map, target, start.data()); });
}

/// Checks the accesses of a copy of a range.
static void checkRange(Machine &machine, uintptr_t shared, uintptr_t global,
                       size_t bytes, bool isLoad, uint32_t sharedAgent,
                       uint32_t globalAgent, uint32_t time) {
  if (bytes % 16 != 0)
    machine.fail(kLaunchFailed, "expects a multiple of 16 bytes, but got " +
                                    std::to_string(bytes));
  Machine::OperationAccess access;
  access.bytes = bytes;
  access.alignment = 16;
  access.time = time;
  access.byAsyncProxy = true;
  access.agent = globalAgent;
  access.address = global;
  access.space = Machine::OperationAccess::Global;
  access.kind = isLoad ? AccessKind::Read : AccessKind::Write;
  machine.access(access);
  access.agent = sharedAgent;
  access.address = shared;
  access.space = Machine::OperationAccess::Shared;
  access.kind = isLoad ? AccessKind::Write : AccessKind::Read;
  machine.access(access);
}

/// Arguments: address in shared memory, memory barrier, address in global
/// memory, bytes, a mask of blocks if a parameter says so, a cache hint, and
/// whether there is a mask.
static void runRangeLoad(Machine &machine, const Operation &operation,
                         Slots slots) {
  if (operation.parameters[0] && slots.get<uint8_t>(6))
    machine.fail(kNotSupported, "expects a copy for one block");
  auto target = slots.get<uintptr_t>(0), address = slots.get<uintptr_t>(1),
       source = slots.get<uintptr_t>(2);
  auto bytes = slots.get<uint32_t>(3);
  MemoryBarrier &barrier = getMemoryBarrier(machine, address);
  checkRange(machine, target, source, bytes, /*isLoad=*/true, barrier.agent,
             barrier.agent, barrier.phase + 1);
  startLoad(machine, address, bytes, [=] {
    std::memcpy(reinterpret_cast<void *>(target),
                reinterpret_cast<const void *>(source), bytes);
  });
}

//===----------------------------------------------------------------------===//
// Stores, which a thread waits for in groups
//===----------------------------------------------------------------------===//

/// Returns the stores of the current thread, which have agents then.
static BulkStores &getStores(Machine &machine) {
  BulkStores &stores = machine.getThread().stores;
  if (stores.readAgent == 0) {
    stores.readAgent = machine.makeAgent();
    stores.writeAgent = machine.makeAgent();
  }
  return stores;
}

static void startStore(Machine &machine, BulkStores &stores,
                       const BulkStores::Work &work) {
  if (machine.areCopiesLate())
    stores.open.push_back(work);
  else
    work();
}

/// Arguments: address in shared memory, tensor map, place of the box.
static void runStore(Machine &machine, const Operation &operation,
                     Slots slots) {
  unsigned rank = operation.parameters[0];
  auto source = slots.get<uintptr_t>(0);
  TensorMap map = readMap(machine, slots.get<uintptr_t>(1), rank);
  std::array<int32_t, TensorMap::kMaxRank> start = {};
  for (unsigned i = 0; i < rank; ++i)
    start[i] = slots.get<int32_t>(2 + i);
  BulkStores &stores = getStores(machine);
  checkAccesses(machine, map, source, start.data(), /*isLoad=*/false,
                stores.readAgent, stores.writeAgent, stores.committed + 1);
  startStore(machine, stores,
             [map, source, start] { store(map, source, start.data()); });
}

/// Arguments: address in global memory, address in shared memory, bytes.
static void runRangeStore(Machine &machine, const Operation &, Slots slots) {
  auto target = slots.get<uintptr_t>(0), source = slots.get<uintptr_t>(1);
  auto bytes = slots.get<uint32_t>(2);
  BulkStores &stores = getStores(machine);
  checkRange(machine, source, target, bytes, /*isLoad=*/false, stores.readAgent,
             stores.writeAgent, stores.committed + 1);
  startStore(machine, stores, [=] {
    std::memcpy(reinterpret_cast<void *>(target),
                reinterpret_cast<const void *>(source), bytes);
  });
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
      // Inline assembly has no more operands than it needs.
      operation.parameters[1] =
          operation.name == name && name.find(".g2s.cta") == std::string::npos;
      return true;
    }
    if (name == "cp.async.bulk.tensor.s2g" + suffix) {
      operation.run = runStore;
      return true;
    }
  }
  if (name == "cp.async.bulk.global.to.shared.cluster" ||
      name == "cp.async.bulk.global.to.shared.cta") {
    operation.run = runRangeLoad;
    operation.parameters[0] = name == "cp.async.bulk.global.to.shared.cluster";
    return true;
  }
  if (name == "cp.async.bulk.shared.cta.to.global")
    operation.run = runRangeStore;
  else if (name == "cp.async.bulk.commit.group")
    operation.run = runCommit;
  else if (name == "cp.async.bulk.wait.group" ||
           name == "cp.async.bulk.wait.group.read")
    operation.run = runWait;
  operation.parameters[0] = name == "cp.async.bulk.wait.group";
  return operation.run;
}
