//===- Recomputation.h - Which values are evaluated again ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of the memory plan that chooses, among values that are not inverted,
// those that the backward part evaluates again instead of keeping them.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_RECOMPUTATION_H
#define MEMREV_ANALYSIS_RECOMPUTATION_H

#include "memrev/Analysis/Activity.h"
#include "memrev/Analysis/CostModel.h"
#include "mlir/IR/Block.h"
#include "llvm/ADT/StringRef.h"

namespace mlir::memrev {

/// On an operation: the numbers of its results that the backward part evaluates
/// again (array of i64). The others are stored.
inline constexpr llvm::StringLiteral kRecomputeAttrName = "rev.recompute";

/// Writes into the function, loop or region with the body `block` which values
/// that the derivative of its operations reads are evaluated again: those that
/// elementwise operations compute from others that are there anyway, or that
/// take fewer bytes, unless nothing expensive happens before they are read.
///
/// The plan of inverse edges has been made, and what has no derivative of its
/// own is expanded.
void planRecomputation(Block &block, const Activity &activity);

/// A coupling, or a loop over couplings, that the plan inverts.
struct InvertedOp {
  Operation *op;
  /// The bytes that it, or each iteration of the loop, holds from its forward to
  /// its backward part if it is stored, and the time that this saves, in the unit
  /// of `CostModel`.
  int64_t storedBytes = 0, savedTime = 0;
  /// The bytes in use in the block while it is evaluated, and while it is
  /// inverted and differentiated.
  int64_t forwardBytes = 0, backwardBytes = 0;
};

/// What is known of memory before a function is differentiated, all in estimated
/// bytes.
struct StorageEstimate {
  /// In the order of the block.
  SmallVector<InvertedOp> inverted;
  /// The most bytes in use at once if all of them are inverted.
  int64_t peakBytes = 0;
};

/// Estimates what storing would cost and save for the operations of `block` that
/// the plan inverts. Changes nothing.
StorageEstimate estimateStorage(Block &block, const Activity &activity,
                                const CostModel &model);

/// True if the plan says that the backward part evaluates `value` again.
bool isRecomputed(Value value);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_RECOMPUTATION_H
