//===- Processor.h - What machine code needs of a machine ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_PROCESSOR_H
#define MEMREV_EXECUTIONENGINE_PROCESSOR_H

#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace mlir::memrev {

/// A kind of processor: LLVM's triple, and the features, by LLVM's names, that
/// code for it may use.
struct Processor {
  std::string triple;
  std::vector<std::string> features;
};

/// Returns the kind that `machine` emits code for.
Processor getProcessor(const llvm::TargetMachine &machine);

/// Fails if this machine cannot run code for `processor`.
llvm::Error verifyHost(const Processor &processor);

} // namespace mlir::memrev

#endif // MEMREV_EXECUTIONENGINE_PROCESSOR_H
