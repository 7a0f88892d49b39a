//===- Library.h - NVIDIA's libraries, found at run time ------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_RUNTIME_CUDA_LIBRARY_H
#define MEMREV_LIB_RUNTIME_CUDA_LIBRARY_H

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

} // namespace memrev::cuda

#endif // MEMREV_LIB_RUNTIME_CUDA_LIBRARY_H
