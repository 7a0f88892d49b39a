//===- OpenMP.h - The threads of compiled programs ------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled programs call LLVM's OpenMP entry points. Loaded into a process,
// they run on the threads of the OpenMP library that the process works with
// already, so that no second pool of threads waits on the same processors:
// PyTorch's, be it GNU's or LLVM's, or else another one, or else libomp, which
// is loaded then.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_RUNTIME_CPU_OPENMP_H
#define MEMREV_RUNTIME_CPU_OPENMP_H

#include <string>

namespace mlir::memrev::runtime {

class OpenMP {
public:
  /// Returns what compiled code calls as the entry point `symbol`, or null if
  /// there is no such entry point.
  static void *lookup(const char *symbol);

  /// Chooses the library for calls that start from now on; costs next to
  /// nothing unless the process has loaded libraries since. Returns false with
  /// a reason in `error` if there is none.
  [[nodiscard]] static bool choose(std::string &error);

  /// The file of the library in use; empty before the first choice.
  static std::string getFile();

  /// While it lives, parallel loops of the current thread have as many threads.
  class NumThreads {
  public:
    explicit NumThreads(int number);
    ~NumThreads();
    NumThreads(const NumThreads &) = delete;
    NumThreads &operator=(const NumThreads &) = delete;

  private:
    void (*set)(int);
    int before;
  };
};

} // namespace mlir::memrev::runtime

#endif // MEMREV_RUNTIME_CPU_OPENMP_H
