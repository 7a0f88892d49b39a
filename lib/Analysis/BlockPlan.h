//===- BlockPlan.h - What of a block is evaluated again --------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_ANALYSIS_BLOCKPLAN_H
#define MEMREV_LIB_ANALYSIS_BLOCKPLAN_H

#include "MemoryTimeline.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include <memory>

namespace mlir::memrev {

/// True if `op` is a loop that keeps what the derivative of its body reads on
/// tapes.
bool isTapedLoop(Operation *op);

/// An operation that takes long, and can be evaluated again instead of storing
/// `values`: its results, or what others compute from them quickly.
struct Candidate {
  Operation *op = nullptr;
  SmallVector<Value> values;
  int64_t bytes = 0;
  /// What is evaluated to have them: `op`, and those that compute from it.
  SmallVector<Operation *> evaluated;
};

/// Plans one block: what its operations' derivatives read.
class BlockPlan {
public:
  /// With `isTaped` what the block stores is stored once for each evaluation.
  /// Operations that take long and are marked (kRecomputeAttrName) may be
  /// evaluated again.
  BlockPlan(Block &block, const Activity &activity, bool isTaped);

  /// Plans the block and those inside of it. With `lowersPeak` operations that
  /// take long are evaluated again, too, as long as that lowers the peak and
  /// takes a fraction of the time.
  void run(bool lowersPeak);
  /// Writes the plan into them.
  void write() const;

  /// The estimate of what lives in the block at once.
  int64_t getPeakBytes() const { return timeline.getPeakBytes(); }
  /// What each evaluation of the block stores.
  int64_t getTapeBytes() const;
  unsigned getPosition(Operation *op) const { return positions.lookup(op); }
  unsigned getSize() const { return positions.size(); }

  /// In the order of the block.
  SmallVector<Candidate> getCandidates() const;
  /// Whether the plan evaluates the candidate `op` again.
  bool isEvaluatedAgain(Operation *op) const {
    return chosen.expensive.contains(op);
  }
  /// What lives in the block if neither the forward nor the backward part had
  /// the values of candidates, and no loop had tapes.
  MemoryTimeline getTimelineWithoutCandidates() const;

private:
  /// What is evaluated again, the rest of what is needed being stored.
  struct Choice {
    llvm::DenseSet<Value> stored, recomputed;
    /// Operations that take long, and may be evaluated again nevertheless.
    llvm::SmallDenseSet<Operation *> expensive;
  };

  void planInside(Operation *op);
  void collectNeeds(Operation *op, unsigned position);
  void need(Value value, unsigned position);

  /// True if `value` is at hand in the backward part, stored or not.
  bool isFree(Value value, const Choice &choice) const;
  /// True if nothing expensive happens between the last use of `value` and the
  /// first time that its derivative reads it.
  bool isReadAtOnce(Value value, const Readers &readers) const;
  /// The values that `value` is evaluated from, if it may be.
  std::optional<SmallVector<Value>> getOperands(Value value,
                                                const Choice &choice) const;
  /// Chooses whether the needed `value` is stored.
  void choose(Value value, Choice &choice) const;
  Choice chooseAll(llvm::SmallDenseSet<Operation *> expensive) const;
  /// Says to `input` what `choice` keeps and evaluates again.
  void describe(const Choice &choice, TimelineInput &input) const;
  void estimate(const Choice &choice);
  Choice lowerPeak(Choice choice);

  Block &block;
  const Activity &activity;
  bool isTaped;
  DenseMap<Operation *, unsigned> positions;
  /// How many expensive operations come before each position.
  SmallVector<unsigned> numExpensive;
  llvm::MapVector<Value, Readers> needs;
  /// What inverses beside couplings and loops start from, and what they give.
  llvm::DenseSet<Value> atHand;
  TimelineInput input;
  MemoryTimeline timeline;
  Choice chosen;
  /// The plans of the regions of operations of the block.
  llvm::MapVector<Operation *, std::unique_ptr<BlockPlan>> inner;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_ANALYSIS_BLOCKPLAN_H
