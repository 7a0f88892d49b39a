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
  /// The time of inverting or evaluating again, or that of evaluating again
  /// that storing saves, each time that the value is needed; in the unit of
  /// `CostModel`. Nothing if there is no model for the target.
  std::optional<int64_t> cost;
};

/// A plan of a function: how many bytes a call takes, with arguments and
/// results, and how long by estimate, in the unit of `CostModel`.
struct MemoryPoint {
  int64_t peakBytes = 0;
  int64_t time = 0;
};

/// A buffer of the workspace.
struct BufferMemory {
  std::string location;
  std::string type;
  int64_t bytes = 0;
  /// Its place, in bytes from the beginning of the workspace.
  int64_t offset = 0;
  /// The part of a call during which it is in use, from 0 to 1 in the order of
  /// the program.
  double begin = 0, end = 0;
  /// Whether it is in use when most bytes are.
  bool isAtPeak = false;
};

/// The memory of one function: what callers provide and what a call works in.
struct FunctionMemory {
  std::string function;
  int64_t argumentBytes = 0;
  int64_t resultBytes = 0;
  int64_t workspaceBytes = 0;
  /// For a function whose arguments leave extents open, d0, d1, ..., the same
  /// as formulas, and the numbers are 0; else empty.
  std::string argumentFormula, resultFormula, workspaceFormula, peakFormula;
  std::vector<ValueMemory> values;
  /// What lies in the workspace but for small buffers away from its peak.
  std::vector<BufferMemory> buffers;
  /// How long a call takes by estimate, in the unit of `CostModel`. Nothing if
  /// there is no model for the target.
  std::optional<int64_t> time;
  /// What other amounts of storage come to, if that was asked for: the plans
  /// that no other beats in bytes and time, fewest bytes first.
  std::vector<MemoryPoint> curve;
  /// What a call was seen to hold on a device, if one was made.
  std::optional<int64_t> measuredBytes;

  /// Arguments, results and workspace live at once.
  int64_t getPeakBytes() const {
    return argumentBytes + resultBytes + workspaceBytes;
  }

  /// What is in use in the workspace when most bytes are, largest first.
  std::vector<BufferMemory> getBuffersAtPeak() const;
};

/// Reads what differentiation decided from the dictionaries that it left. What
/// is missing or has another type is left empty.
std::vector<ValueMemory> parsePlan(ArrayAttr entries);

/// Reads the buffers of an entry's arena, which the bufferize stage left on it.
/// What is missing or has another type is left empty.
std::vector<BufferMemory> parseBuffers(ArrayAttr buffers);

/// Adds up the memory of `function`. Takes the values that belong to it.
FunctionMemory measureMemory(const FunctionSignature &function,
                             llvm::ArrayRef<ValueMemory> plan,
                             std::vector<BufferMemory> buffers);

/// How a report is written: tables for people, JSON for programs, or a page
/// with pictures, which needs no other file.
enum class ReportFormat { Text, JSON, HTML };

/// The format called `name`: text, json or html.
std::optional<ReportFormat> parseReportFormat(llvm::StringRef name);

/// Prints `memory`.
void printMemory(llvm::raw_ostream &os, llvm::ArrayRef<FunctionMemory> memory,
                 ReportFormat format);

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_MEMORYREPORT_H
