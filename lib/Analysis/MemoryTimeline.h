//===- MemoryTimeline.h - What lives when, estimated -----------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An estimate of the memory of a block and its derivative, made before the
// derivative exists and before anything is fused or placed. It only has to rank
// plans: what it takes for a buffer may turn out to be none.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_ANALYSIS_MEMORYTIMELINE_H
#define MEMREV_LIB_ANALYSIS_MEMORYTIMELINE_H

#include "memrev/Analysis/Activity.h"
#include "mlir/IR/Block.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include <vector>

namespace mlir::memrev {

/// The operations whose derivatives read a value, as positions in the block.
/// The backward part meets the last one first.
struct Readers {
  unsigned first, last;
};

/// What the estimate is made of, besides the program.
struct TimelineInput {
  /// The values that are kept for the backward part, and when it reads them.
  llvm::DenseMap<Value, Readers> kept;
  /// The values that it evaluates again.
  llvm::DenseMap<Value, Readers> evaluatedAgain;
  /// Values that count for nothing.
  llvm::DenseSet<Value> excluded;
  /// Bytes that live inside of an operation (a loop, a coupling), in each part.
  llvm::DenseMap<Operation *, int64_t> inside;
  /// Bytes that an operation keeps from its forward to its backward part.
  llvm::DenseMap<Operation *, int64_t> tapes;
};

class MemoryTimeline {
public:
  /// `positions` numbers the operations of `block` from 0.
  MemoryTimeline(Block &block, const Activity &activity,
                 const llvm::DenseMap<Operation *, unsigned> &positions)
      : block(block), activity(activity), positions(positions) {}

  void build(const TimelineInput &input);

  int64_t getPeakBytes() const { return peakBytes; }
  /// The most bytes in use while the operations from position `begin` up to,
  /// but without, `end` are evaluated, and while they are differentiated.
  int64_t getForwardBytes(unsigned begin, unsigned end) const;
  int64_t getBackwardBytes(unsigned begin, unsigned end) const;
  /// True if `value` is kept at the peak while neither part reads it.
  bool isIdleAtPeak(Value value) const;

private:
  /// From `begin` up to, but without, `end`.
  struct Interval {
    int64_t begin, end, bytes;
  };

  int64_t getForwardTime(unsigned position) const { return 2 * position; }
  int64_t getBackwardTime(unsigned position) const;
  /// The time at which the derivative of `op` is taken.
  int64_t getDerivativeTime(Operation *op) const;
  void add(int64_t begin, int64_t end, int64_t bytes);
  void addValue(Value value, const TimelineInput &input);
  void addCotangent(Value value);
  void addUp();
  int64_t getMost(int64_t begin, int64_t end) const;

  Block &block;
  const Activity &activity;
  const llvm::DenseMap<Operation *, unsigned> &positions;
  SmallVector<Interval> intervals;
  /// The bytes in use at each time.
  std::vector<int64_t> used;
  /// When a kept value is not read: after its last use up to its first read.
  llvm::DenseMap<Value, std::pair<int64_t, int64_t>> idle;
  int64_t peakTime = 0, peakBytes = 0;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_ANALYSIS_MEMORYTIMELINE_H
