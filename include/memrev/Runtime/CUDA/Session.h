//===- Session.h - One thread's use of a device --------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_RUNTIME_CUDA_SESSION_H
#define MEMREV_RUNTIME_CUDA_SESSION_H

#include <memory>
#include <string>

namespace memrev::cuda {

struct ThreadState;

/// As long as it lives, what its thread asks of the runtime happens on one
/// device, and errors are kept in it instead of being reported. At its end the
/// thread is as it was: its context, its stream, its last error.
class Session {
public:
  /// Makes the primary context of `device` current.
  explicit Session(int device);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  /// Sets `chip` to LLVM's name of the device's chip, "sm_90" for example.
  /// Returns false after an error.
  bool getChip(std::string &chip);

  bool hasFailed() const;
  /// What failed first.
  const std::string &getError() const;

private:
  std::unique_ptr<ThreadState> previous;
  void *context = nullptr;
};

/// Returns the address of the function of the C interface called `name`, or a
/// null pointer if there is none: code that is loaded into a process has no
/// other way to functions which are not visible outside of their library.
void *findFunction(const std::string &name);

} // namespace memrev::cuda

#endif // MEMREV_RUNTIME_CUDA_SESSION_H
