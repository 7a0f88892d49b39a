//===- Assembly.h - Inline assembly in kernels ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_ASSEMBLY_H
#define MEMREV_TEST_LIB_SIMT_ASSEMBLY_H

#include "Operation.h"

namespace memrev::simt {

/// Reads PTX in LLVM's inline assembly. Its operands are results and then
/// arguments; `ties` has for each result the argument that it starts with, or
/// -1. Returns false and says why in `error` if there is an instruction that
/// the emulator does not know.
bool parseAssembly(const std::string &text, const std::vector<int> &ties,
                   Operation &operation, std::string &error);

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_ASSEMBLY_H
