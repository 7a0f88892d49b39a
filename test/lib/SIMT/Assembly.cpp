//===- Assembly.cpp - Inline assembly in kernels --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Assembly.h"

bool memrev::simt::parseAssembly(const std::string &, unsigned, Operation &,
                                 std::string &error) {
  error = "unknown instruction";
  return false;
}
