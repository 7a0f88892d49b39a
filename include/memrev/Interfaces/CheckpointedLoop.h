//===- CheckpointedLoop.h - Loops that keep a few of their states ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The form that a loop with `#rev.binomial` has between the pass that gives it
// this form and the rule that runs it backwards.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_CHECKPOINTEDLOOP_H
#define MEMREV_INTERFACES_CHECKPOINTEDLOOP_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringRef.h"

namespace mlir::memrev {

/// On an scf.for that keeps states: how many, besides the one before its last
/// iteration (i64).
inline constexpr llvm::StringLiteral kSlotsAttrName = "rev.slots";

/// On a loop whose state is stored though the plan could invert it: the program
/// asks for checkpoints (unit).
inline constexpr llvm::StringLiteral kStoredAttrName = "rev.stored";

/// A view of a loop from 0 by 1 whose iteration arguments are
///   - the state;
///   - a stack for each part of the state, with one slice per slot and one
///     more;
///   - a stack of the iterations that the slots belong to;
///   - the iteration that the next checkpoint is made before;
///   - the number of slots in use.
struct CheckpointedLoop {
  /// Nothing if `op` is not of this form.
  static std::optional<CheckpointedLoop> get(Operation *op);

  unsigned getStackIndex(unsigned state) const { return numStates + state; }
  unsigned getPositionsIndex() const { return 2 * numStates; }
  unsigned getNextIndex() const { return 2 * numStates + 1; }
  unsigned getUsedIndex() const { return 2 * numStates + 2; }

  scf::ForOp loop;
  int64_t slots;
  unsigned numStates;
};

/// The type of a stack of `size` values of type `type`.
RankedTensorType getStackType(Type type, int64_t size);

/// Emits the slice `index` of `stack`, of type `type`.
Value buildReadStack(OpBuilder &builder, Location loc, Value stack, Type type,
                     Value index);

/// Emits `stack` with `value` as its slice `index`.
Value buildWriteStack(OpBuilder &builder, Location loc, Value stack,
                      Value value, Value index);

/// Emits the distance from a checkpoint to the next one, for the least number
/// of iterations that are run again: `length` iterations from the checkpoint on
/// have to be run backwards, with room for `slots` checkpoints, this one
/// included. Griewank and Walther, Revolve (ACM TOMS 26, 2000).
Value buildCheckpointDistance(OpBuilder &builder, Location loc, Value length,
                              Value slots);

} // namespace mlir::memrev

#endif // MEMREV_INTERFACES_CHECKPOINTEDLOOP_H
