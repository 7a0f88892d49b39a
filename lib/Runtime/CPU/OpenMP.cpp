//===- OpenMP.cpp - The OpenMP library of compiled programs ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Runtime/CPU/OpenMP.h"
#include <dlfcn.h>

using namespace mlir::memrev::runtime;

const OpenMP *OpenMP::get(std::string &error) {
  struct Loaded {
    OpenMP library;
    std::string error;
  };
  static const Loaded loaded = [] {
    Loaded result;
    // Debian's libomp5-*, a development package, Intel's build.
    for (const char *name : {"libomp.so.5", "libomp.so",
                             "/usr/lib/llvm-22/lib/libomp.so", "libiomp5.so"}) {
      void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
      if (!handle)
        continue;
      void *symbol = dlsym(handle, "omp_set_num_threads");
      // Some systems alias the name to a library without LLVM's entry points.
      if (!symbol || !dlsym(handle, "__kmpc_fork_call")) {
        dlclose(handle);
        continue;
      }
      result.library.handle = handle;
      result.library.setNumThreads = reinterpret_cast<void (*)(int)>(symbol);
      return result;
    }
    result.error = "the OpenMP library libomp.so.5 was not found; install the "
                   "package libomp5-19, or compile for one thread";
    return result;
  }();
  if (!loaded.library.handle) {
    error = loaded.error;
    return nullptr;
  }
  return &loaded.library;
}

void *OpenMP::lookup(const char *symbol) const { return dlsym(handle, symbol); }

void OpenMP::setThreads(int threads) const { setNumThreads(threads); }
