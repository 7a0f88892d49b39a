//===- Kernel.h - Compiled kernels ---------------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_KERNEL_H
#define MEMREV_TEST_LIB_SIMT_KERNEL_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace memrev::simt {

/// The special registers that compiled code reads.
enum Register {
  kTidX,
  kTidY,
  kTidZ,
  kNtidX,
  kNtidY,
  kNtidZ,
  kCtaidX,
  kCtaidY,
  kCtaidZ,
  kNctaidX,
  kNctaidY,
  kNctaidZ,
  kLaneId,
  kWarpId,
  kNwarpId,
  kWarpSizeRegister,
  kLanemaskEq,
  kLanemaskLe,
  kLanemaskLt,
  kLanemaskGe,
  kLanemaskGt,
  kZeroRegister,
  kOneRegister,
  kDynamicSharedBytes,
  kTotalSharedBytes,
  kNumRegisters
};

/// Bits of the flags of an access by compiled code, below its address space and
/// the logarithm of its alignment.
enum AccessFlag : unsigned {
  kAccessReads = 1,
  kAccessWrites = 2,
  /// Volatile accesses are atomic ones without an order.
  kAccessAtomic = 4,
  kAccessAcquires = 8,
  kAccessReleases = 16,
  kAccessSpaceShift = 5,
  kAccessAlignmentShift = 9,
};

/// A place in a kernel's code.
struct Site {
  std::string function;
  /// "file:line", or nothing without debug information.
  std::string location;
  std::string text;
};

/// Adds a site, which gets a number that is never used again.
uint32_t addSite(Site site);
const Site &getSite(uint32_t number);

/// A variable in shared memory.
struct SharedVariable {
  std::string name;
  size_t bytes = 0;
  size_t alignment = 1;
  /// Whether it has what the launch gives.
  bool isDynamic = false;
  /// Where compiled code finds its address.
  uintptr_t *address = nullptr;
};

struct Kernel {
  struct Parameter {
    size_t offset = 0;
    size_t bytes = 0;
  };

  std::string name;
  /// Runs a thread, given the buffer of parameters.
  void (*entry)(void *parameters) = nullptr;
  std::vector<Parameter> parameters;
  size_t parameterBytes = 0;
  std::vector<SharedVariable> shared;
  size_t staticSharedBytes = 0;
  /// What threads keep on their stacks.
  size_t localBytes = 0;
  /// Ranges of constants that the code may read, with their sizes.
  const std::vector<std::pair<uintptr_t, size_t>> *constants = nullptr;
  /// Limits on the threads of a block, or zero.
  unsigned maxThreads = 0;
  unsigned requiredThreads[3] = {0, 0, 0};
  /// What cuFuncSetAttribute sets.
  int maxDynamicShared = 0;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_KERNEL_H
