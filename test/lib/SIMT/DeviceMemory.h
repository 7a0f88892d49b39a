//===- DeviceMemory.h - The memory of the emulated device ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_DEVICEMEMORY_H
#define MEMREV_TEST_LIB_SIMT_DEVICEMEMORY_H

#include "Shadow.h"
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace memrev::simt {

/// Global memory: a range of addresses of which each is given out once, so that
/// a use after free or beyond the end of an allocation never meets another one.
class DeviceMemory {
public:
  struct Allocation {
    uintptr_t begin = 0;
    size_t bytes = 0;
    bool freed = false;
  };

  /// `capacity` is what the device has, `fresh` each byte of memory at first.
  DeviceMemory(size_t capacity, uint8_t fresh);

  /// Returns 256-byte aligned memory, or zero if there is not enough.
  uintptr_t allocate(size_t bytes);

  /// Returns whether `address` is the begin of an allocation.
  bool free(uintptr_t address);

  /// Returns the allocation in use that `address` is in, or null.
  const Allocation *findInUse(uintptr_t address) const {
    const Allocation *found = find(address);
    return found && !found->freed && address - found->begin < found->bytes
               ? found
               : nullptr;
  }

  size_t getCapacity() const { return capacity; }
  size_t getUsed() const { return used; }

  /// Whether the address is one that this memory may give out.
  bool covers(uintptr_t address) const {
    return address - base < kAddressSpace;
  }
  size_t getOffset(uintptr_t address) const { return address - base; }

  /// Whether all the bytes belong to one allocation that is in use.
  bool isValid(uintptr_t address, size_t bytes) const {
    if (address - last.begin < last.bytes &&
        bytes <= last.bytes - (address - last.begin))
      return true;
    return isValidSlow(address, bytes);
  }

  /// Says what is wrong with an access that is not valid.
  std::string explain(uintptr_t address, size_t bytes) const;

  /// The bytes of allocations that are in use, by their addresses.
  using Contents = std::map<uintptr_t, std::vector<char>>;
  Contents save() const;
  void restore(const Contents &contents);

  Shadow shadow;

private:
  /// Of addresses, not of memory.
  static constexpr size_t kAddressSpace = size_t(1) << 38;

  bool isValidSlow(uintptr_t address, size_t bytes) const;
  /// Returns the last allocation that begins at or below `address`, or null.
  const Allocation *find(uintptr_t address) const;

  uintptr_t base = 0;
  uintptr_t next = 0;
  Cell *cells = nullptr;
  size_t capacity;
  uint8_t fresh;
  size_t used = 0;
  /// By their first address, those that were freed too.
  std::map<uintptr_t, Allocation> allocations;
  mutable Allocation last;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_DEVICEMEMORY_H
