//===- Library.h - NVIDIA's libraries, found at run time ------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_RUNTIME_CUDA_LIBRARY_H
#define MEMREV_LIB_RUNTIME_CUDA_LIBRARY_H

#include "Runtime.h"
#include <cstring>
#include <dlfcn.h>
#include <string>
#include <vector>

namespace memrev::cuda {

/// Loads the first of the files `names`, newest versions first, that is found:
/// by the loader, then in the toolkits that CUDA_ROOT, CUDA_HOME and CUDA_PATH
/// name, then in NVIDIA's Python packages, whose folders below `nvidia` are
/// `packages`. Returns a null pointer if there is none, and says in `error`
/// that the program expects `title` and where it was searched for.
void *openLibrary(const std::vector<std::string> &names,
                  const std::vector<std::string> &packages,
                  const std::string &title, std::string &error);

/// Finds the function `name` of the library called `title`.
template <typename FunctionType>
bool findFunction(void *library, const std::string &title, const char *name,
                  FunctionType &function, std::string &error) {
  function = reinterpret_cast<FunctionType>(dlsym(library, name));
  if (!function)
    error =
        "expects another version of " + title + ": the one found lacks " + name;
  return function != nullptr;
}

/// Fails, and says that the library called `title` cannot do `action`, unless
/// `status`, whose name is `name` if it has one, is the zero of success.
inline bool checkStatus(const std::string &title, int status, const char *name,
                        const std::string &action) {
  if (status == 0)
    return true;
  return fail(title + " cannot " + action + ": " +
              (name ? name : "status " + std::to_string(status)));
}

/// Compares descriptions of calls by their members, which are all integers.
template <typename Description>
struct IsBefore {
  bool operator()(const Description &left, const Description &right) const {
    return std::memcmp(&left, &right, sizeof(left)) < 0;
  }
};

/// As long as it lives, its thread may do what is no part of a graph that it
/// records: the library allocates and loads kernels when it first needs them.
class OutsideOfRecordings {
public:
  explicit OutsideOfRecordings(const Driver &driver) : driver(driver) {
    driver.exchangeCaptureMode(&mode);
  }
  ~OutsideOfRecordings() { driver.exchangeCaptureMode(&mode); }
  OutsideOfRecordings(const OutsideOfRecordings &) = delete;
  OutsideOfRecordings &operator=(const OutsideOfRecordings &) = delete;

private:
  const Driver &driver;
  int mode = kCaptureRelaxed;
};

/// Returns the library whose functions are `Functions`, which the first call
/// loads with `load`. If it cannot be had, returns a null pointer and says why
/// in `error`.
template <typename Functions>
const Functions *getLibrary(bool (*load)(Functions &, std::string &),
                            std::string &error) {
  struct Loaded {
    explicit Loaded(bool (*load)(Functions &, std::string &))
        : usable(load(functions, error)) {}
    Functions functions = {};
    std::string error;
    bool usable;
  };
  static const Loaded &loaded = *new Loaded(load);
  error = loaded.error;
  return loaded.usable ? &loaded.functions : nullptr;
}

/// Makes the current context that of the thread's work and returns the library;
/// a null pointer after an error.
template <typename Functions>
const Functions *enterLibrary(bool (*load)(Functions &, std::string &),
                              const Driver *&driver, Context &context) {
  driver = enter(context);
  if (!driver)
    return nullptr;
  std::string error;
  const Functions *library = getLibrary(load, error);
  if (!library)
    fail(error);
  return library;
}

/// Returns the first multiple of 256 in `workspace`, which is that much longer
/// than what a library is told.
inline void *alignWorkspace(void *workspace) {
  constexpr uintptr_t alignment = 256;
  uintptr_t address = reinterpret_cast<uintptr_t>(workspace);
  return reinterpret_cast<void *>((address + alignment - 1) / alignment *
                                  alignment);
}

} // namespace memrev::cuda

#endif // MEMREV_LIB_RUNTIME_CUDA_LIBRARY_H
