//===- DeviceMemory.cpp - The memory of the emulated device ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceMemory.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

using namespace memrev::simt;

static constexpr size_t kPage = 4096;
/// What the driver aligns to. Allocations are not aligned to more, so that code
/// which relies on more fails.
static constexpr size_t kAlignment = 256;

static size_t roundToPages(size_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

static void *reserve(size_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("memrev-simt: cannot reserve addresses");
    std::abort();
  }
  return memory;
}

/// Makes the pages of a range usable, or unusable and empty.
static bool setUsable(uintptr_t begin, uintptr_t end, bool usable) {
  begin = begin / kPage * kPage;
  end = roundToPages(end);
  void *memory = reinterpret_cast<void *>(begin);
  if (!usable)
    madvise(memory, end - begin, MADV_DONTNEED);
  return mprotect(memory, end - begin,
                  usable ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

DeviceMemory::DeviceMemory(size_t capacity, uint8_t fresh)
    : capacity(capacity), fresh(fresh) {
  base = reinterpret_cast<uintptr_t>(reserve(kAddressSpace));
  next = base + kPage;
  cells = static_cast<Cell *>(reserve(kAddressSpace / 4 * sizeof(Cell)));
  shadow.cover(cells);
}

uintptr_t DeviceMemory::allocate(size_t bytes) {
  size_t span = roundToPages(kAlignment + bytes);
  if (bytes > capacity - used || span > base + kAddressSpace - next - kPage)
    return 0;
  uintptr_t begin = next + kAlignment;
  auto firstCell = reinterpret_cast<uintptr_t>(cells + (next - base) / 4);
  auto endCell = reinterpret_cast<uintptr_t>(cells + (next + span - base) / 4);
  if (!setUsable(next, next + span, true) ||
      !setUsable(firstCell, endCell, true))
    return 0;
  next += span + kPage;
  used += bytes;
  allocations[begin] = {begin, bytes, false};
  std::memset(reinterpret_cast<void *>(begin), fresh, bytes);
  return begin;
}

bool DeviceMemory::free(uintptr_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end() || found->second.freed)
    return false;
  Allocation &allocation = found->second;
  allocation.freed = true;
  used -= allocation.bytes;
  last = Allocation();
  // Between allocations lies a page, so that they share no page of cells.
  auto firstCell = reinterpret_cast<uintptr_t>(cells + (address - base) / 4);
  auto endCell = reinterpret_cast<uintptr_t>(
      cells + (address + allocation.bytes - base) / 4 + 1);
  setUsable(address, address + allocation.bytes, false);
  setUsable(firstCell, endCell, false);
  return true;
}

const DeviceMemory::Allocation *DeviceMemory::find(uintptr_t address) const {
  auto after = allocations.upper_bound(address);
  return after == allocations.begin() ? nullptr : &std::prev(after)->second;
}

DeviceMemory::Contents DeviceMemory::save() const {
  Contents contents;
  for (const auto &[begin, allocation] : allocations) {
    auto *bytes = reinterpret_cast<const char *>(begin);
    if (!allocation.freed)
      contents[begin].assign(bytes, bytes + allocation.bytes);
  }
  return contents;
}

void DeviceMemory::restore(const Contents &contents) {
  for (const auto &[begin, bytes] : contents)
    std::memcpy(reinterpret_cast<void *>(begin), bytes.data(), bytes.size());
}

bool DeviceMemory::isValidSlow(uintptr_t address, size_t bytes) const {
  const Allocation *allocation = find(address);
  if (!allocation || allocation->freed ||
      address - allocation->begin > allocation->bytes ||
      bytes > allocation->bytes - (address - allocation->begin))
    return false;
  last = *allocation;
  return true;
}

std::string DeviceMemory::explain(uintptr_t address, size_t bytes) const {
  const Allocation *allocation = find(address);
  if (!allocation)
    return "before all allocations";
  size_t offset = address - allocation->begin;
  std::string where = std::to_string(allocation->bytes) + " bytes";
  if (allocation->freed && offset < allocation->bytes)
    return "at byte " + std::to_string(offset) + " of " + where +
           " that were freed";
  return "at byte " + std::to_string(offset) + " of an allocation of " + where;
}
