//===- DriftCheck.h - How far inverses are off ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_DRIFTCHECK_H
#define MEMREV_COMPILER_DRIFTCHECK_H

#include "memrev/Compiler/Compiler.h"

namespace mlir::memrev {

/// What an inverse gave back in one iteration of the loops around it, against
/// what was there.
struct BlockDrift {
  /// The number of the operation in `CompiledProgram::getDriftSites`.
  size_t site;
  /// The iterations, that of the outermost loop first.
  std::vector<int64_t> iterations;
  /// The largest absolute difference, and the largest absolute element of what
  /// was there.
  double difference, largest;
};

/// Records the drift of calls on this thread of a program that was compiled
/// with `checkDrift`, until it is destroyed. One at a time.
class DriftRecorder {
public:
  DriftRecorder();
  ~DriftRecorder();
  DriftRecorder(const DriftRecorder &) = delete;
  DriftRecorder &operator=(const DriftRecorder &) = delete;

  /// Lets `program`, which has not been loaded yet, tell recorders.
  static llvm::Error connect(CompiledProgram &program);

  /// What the calls so far gave back, in the order of the backward pass.
  llvm::ArrayRef<BlockDrift> getBlocks() const { return blocks; }

private:
  static void report(const int64_t *site, const int64_t *iterations,
                     const double *difference, const double *largest);

  std::vector<BlockDrift> blocks;
};

/// Prints a line for each of `blocks`, of `program`, and one for the largest.
void printDrift(llvm::raw_ostream &os, const CompiledProgram &program,
                llvm::ArrayRef<BlockDrift> blocks);

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_DRIFTCHECK_H
