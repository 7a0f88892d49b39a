//===- OpenMP.h - The OpenMP library -------------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_RUNTIME_CPU_OPENMP_H
#define MEMREV_RUNTIME_CPU_OPENMP_H

#include <string>

namespace mlir::memrev::runtime {

/// The OpenMP library (libomp), loaded when the first program needs it.
class OpenMP {
public:
  /// Returns the library, or null with a reason in `error`.
  static const OpenMP *get(std::string &error);

  /// Returns the address of `symbol`, or null.
  void *lookup(const char *symbol) const;

  /// Sets the number of threads for calls by the current thread.
  void setThreads(int threads) const;

private:
  void *handle = nullptr;
  void (*setNumThreads)(int) = nullptr;
};

} // namespace mlir::memrev::runtime

#endif // MEMREV_RUNTIME_CPU_OPENMP_H
