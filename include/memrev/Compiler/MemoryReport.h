//===- MemoryReport.h - What memory is for -------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_MEMORYREPORT_H
#define MEMREV_COMPILER_MEMORYREPORT_H

#include "memrev/ExecutionEngine/Array.h"

namespace mlir {
class ArrayAttr;
} // namespace mlir

namespace mlir::memrev {

/// A value that the backward pass needs, and how it gets it.
struct ValueMemory {
  std::string function;
  std::string location;
  int64_t bytes = 0;
  /// "inverted", "stored" or "recomputed".
  std::string strategy;
  std::string reason;
};

/// A buffer of the workspace.
struct BufferMemory {
  std::string location;
  std::string type;
  int64_t bytes = 0;
};

/// The memory of one function: what callers provide and what a call works in.
struct FunctionMemory {
  std::string function;
  int64_t argumentBytes = 0;
  int64_t resultBytes = 0;
  int64_t workspaceBytes = 0;
  std::vector<ValueMemory> values;
  /// What is live in the workspace when most of it is, largest first.
  std::vector<BufferMemory> atPeak;
  /// What a call was seen to hold on a device, if one was made.
  std::optional<int64_t> measuredBytes;

  /// Arguments, results and workspace live at once.
  int64_t getPeakBytes() const {
    return argumentBytes + resultBytes + workspaceBytes;
  }
};

/// Reads what differentiation decided from the dictionaries that it left. What
/// is missing or has another type is left empty.
std::vector<ValueMemory> parsePlan(ArrayAttr entries);

/// Reads the buffers that are live at the peak of an entry, which the bufferize
/// stage left on it. What is missing or has another type is left empty.
std::vector<BufferMemory> parsePeak(ArrayAttr buffers);

/// Adds up the memory of `function`. Takes the values that belong to it.
FunctionMemory measureMemory(const FunctionSignature &function,
                             llvm::ArrayRef<ValueMemory> plan,
                             std::vector<BufferMemory> atPeak);

/// Prints `memory` as a table for people, or as JSON.
void printMemoryText(llvm::raw_ostream &os,
                     llvm::ArrayRef<FunctionMemory> memory);
void printMemoryJSON(llvm::raw_ostream &os,
                     llvm::ArrayRef<FunctionMemory> memory);

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_MEMORYREPORT_H
