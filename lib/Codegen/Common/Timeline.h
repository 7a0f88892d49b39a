//===- Timeline.h - When buffers live ------------------------ -*- C++ -*- ===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_COMMON_TIMELINE_H
#define MEMREV_LIB_CODEGEN_COMMON_TIMELINE_H

#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::memrev {

/// The time of each operation of a function, those in regions during the one
/// that holds the region.
class Timeline {
public:
  explicit Timeline(func::FuncOp func);

  /// The first and the last time at which the buffer of `op` or one of its
  /// views is used; nobody uses it if the first is later.
  std::pair<int64_t, int64_t> getLiveRange(memref::AllocOp op) const;

  /// The last time.
  int64_t getEnd() const { return time; }

private:
  BufferViewFlowAnalysis views;
  DenseMap<Operation *, std::pair<int64_t, int64_t>> spans;
  int64_t time = 0;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_COMMON_TIMELINE_H
