//===- Module.h - Loaded kernels ------------------------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_MODULE_H
#define MEMREV_TEST_LIB_SIMT_MODULE_H

#include "Kernel.h"
#include "Result.h"
#include <memory>
#include <optional>
#include <string>

namespace memrev::simt {

class Machine;

/// The kernels of one image, compiled for the host.
class Module {
public:
  ~Module();

  /// Loads LLVM bitcode for NVPTX, whose size it says itself. Returns null and
  /// sets `failure` for anything else.
  static std::unique_ptr<Module> load(const void *image, Machine &machine,
                                      Failure &failure);

  /// Returns the kernel called `name`, or null.
  Kernel *find(const std::string &name);

private:
  struct Code;
  Module();
  std::unique_ptr<Code> code;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_MODULE_H
