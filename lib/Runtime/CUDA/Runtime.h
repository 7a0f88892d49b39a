//===- Runtime.h - What the parts of the runtime share -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_RUNTIME_CUDA_RUNTIME_H
#define MEMREV_LIB_RUNTIME_CUDA_RUNTIME_H

#include "Driver.h"
#include "memrev/Runtime/CUDA/CUDARuntime.h"
#include <string>

namespace memrev::cuda {

/// What each thread knows.
struct ThreadState {
  bool failed = false;
  std::string error;
  /// Errors are kept, and not reported.
  bool isQuiet = false;
  int device = 0;
  /// Calls go to `stream`, without waiting, if there is one.
  bool hasStream = false;
  Stream stream = nullptr;
};

ThreadState &getThreadState();

/// Records an error of this thread and reports it. Returns false.
bool fail(const std::string &message);

/// Reports that `action` failed with `result`, unless it did not. Returns
/// whether it succeeded.
inline bool check(const Driver &driver, Result result, const char *action) {
  return result == kSuccess || fail(std::string("cannot ") + action + ": " +
                                    describe(driver, result));
}

/// Returns the driver with a context current, which goes to `context`; a null
/// pointer if this thread has failed before or fails now.
const Driver *enter(Context &context);
const Driver *enter();

/// Describes the device of the current context; `chip` becomes what it wants.
std::string describeDevice(const Driver &driver, std::string &chip);

/// Takes a stream of `context` that is not in use, made with `flags`. Returns a
/// null pointer after a failure.
Stream takeStream(const Driver &driver, Context context, unsigned flags);
void giveStreamBack(Context context, unsigned flags, Stream stream);

inline DevicePtr toDevice(const void *pointer) {
  return static_cast<DevicePtr>(reinterpret_cast<uintptr_t>(pointer));
}

/// Returns what a function of the C interface returns.
inline int toStatus(bool succeeded) { return succeeded ? 0 : 1; }

} // namespace memrev::cuda

#endif // MEMREV_LIB_RUNTIME_CUDA_RUNTIME_H
