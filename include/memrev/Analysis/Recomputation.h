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
/// Operations that take long are evaluated again if they are marked, or, with
/// `lowersPeak`, if that lowers the peak at little cost.
///
/// The plan of inverse edges has been made, and what has no derivative of its
/// own is expanded.
void planRecomputation(Block &block, const Activity &activity, bool lowersPeak);

/// True if the plan says that the backward part evaluates `value` again.
bool isRecomputed(Value value);

/// Says so.
void setRecomputed(OpResult result);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_RECOMPUTATION_H
