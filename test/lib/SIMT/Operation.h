//===- Operation.h - What is no plain instruction of the host - -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_OPERATION_H
#define MEMREV_TEST_LIB_SIMT_OPERATION_H

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace memrev::simt {

class Machine;
struct AssemblyProgram;

/// The arguments and the results of an operation, each in eight bytes, of which
/// those of its type count.
struct Slots {
  const uint64_t *arguments = nullptr;
  uint64_t *results = nullptr;

  template <typename T>
  T get(unsigned i) const {
    static_assert(sizeof(T) <= sizeof(uint64_t), "expects a scalar");
    T value;
    std::memcpy(&value, &arguments[i], sizeof(T));
    return value;
  }
  template <typename T>
  void set(unsigned i, T value) const {
    static_assert(sizeof(T) <= sizeof(uint64_t), "expects a scalar");
    std::memcpy(&results[i], &value, sizeof(T));
  }
};

/// A call of an intrinsic function, or an inline assembly, in a kernel. Each
/// call has its own object, so that threads in the same object are at the same
/// place.
struct Operation {
  /// The intrinsic's name without "llvm.nvvm.", or the first opcode.
  std::string name;
  /// Executes it for the machine's current thread.
  void (*run)(Machine &, const Operation &, Slots) = nullptr;
  /// What `run` needs to know, by its own rules.
  unsigned parameters[6] = {};
  std::shared_ptr<const AssemblyProgram> assembly;
  uint32_t site = 0;
};

/// Finds out what executes the intrinsic called `name`, without "llvm.nvvm.".
/// Returns false for one that the emulator does not know.
bool selectIntrinsic(const std::string &name, Operation &operation);

/// Each of these looks among the intrinsics of its file.
bool selectScalarIntrinsic(const std::string &name, Operation &operation);
bool selectWarpIntrinsic(const std::string &name, Operation &operation);
bool selectMatrixIntrinsic(const std::string &name, Operation &operation);
bool selectBarrierIntrinsic(const std::string &name, Operation &operation);
bool selectAsyncCopyIntrinsic(const std::string &name, Operation &operation);
bool selectBulkCopyIntrinsic(const std::string &name, Operation &operation);
bool selectWarpgroupIntrinsic(const std::string &name, Operation &operation);
bool selectMemoryBarrierIntrinsic(const std::string &name,
                                  Operation &operation);

/// Finds out what executes wgmma.mma_async, which has no intrinsic function.
/// Sets the number of its results, which are its first operands.
bool selectWarpgroupProduct(const std::string &name, size_t numOperands,
                            Operation &operation, size_t &numResults);

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_OPERATION_H
