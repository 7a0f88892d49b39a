//===- Instrument.h - Kernels for the host, with checks ------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_INSTRUMENT_H
#define MEMREV_TEST_LIB_SIMT_INSTRUMENT_H

#include "Kernel.h"
#include "Operation.h"
#include "llvm/IR/Module.h"
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace memrev::simt {

/// What instrumented code refers to.
struct Instrumentation {
  /// In a deque, so that their addresses stay.
  std::deque<Operation> operations;
  std::deque<uintptr_t> sharedAddresses;
  std::deque<Kernel> kernels;
  /// The symbol of each kernel's entry.
  std::vector<std::string> entries;
  /// The symbols of constants, with their sizes.
  std::vector<std::pair<std::string, size_t>> constants;
};

/// Rewrites LLVM IR for NVPTX so that the host can run it: each load and store
/// is checked first, special registers come from the current thread, and
/// everything else that the host has no instruction for is an operation of the
/// machine. Returns false and says why in `error` for code that the emulator
/// does not know.
bool instrument(llvm::Module &module, Machine &machine,
                Instrumentation &instrumentation, std::string &error);

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_INSTRUMENT_H
