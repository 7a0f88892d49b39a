//===- PlannedStorage.h - Store as much as a plan has room for -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_PLANNEDSTORAGE_H
#define MEMREV_LIB_TRANSFORMS_PLANNEDSTORAGE_H

#include "memrev/Analysis/Activity.h"
#include "memrev/Analysis/CostModel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::memrev {

/// Chooses how the derivative of `function`, whose plan of inverse edges is
/// made, has values back: those choices that take the least time within as many
/// bytes more than by default as its `rev.storage_bytes` say, by estimate, and
/// in the fewest bytes if none is within them; with `rev.drift_tolerance` those
/// that drift no further.
///   - Couplings and last iterations of loops that are stored lose their
///   inverse
///     edges; a loop of which only some iterations are stored becomes two.
///   - Loops that store states for others to be inverted from become loops of
///     loops; couplings that do so are marked.
///   - Loops without an inverse may get checkpoints.
///   - What is evaluated again although it takes long is marked so.
/// Returns whether couplings are stored, which are to be expanded then. Fails
/// after an error if all choices drift too far.
FailureOr<bool> planStorage(func::FuncOp function, const Activity &activity,
                            const CostModel &model);

/// Gives `function`, which has the operations of `part` in it, the tolerance of
/// `part` if that is tighter.
void tightenDriftTolerance(func::FuncOp function, func::FuncOp part);

/// Whether `function` says how much it may store, or how far it may drift.
bool hasStoragePlan(func::FuncOp function);

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_PLANNEDSTORAGE_H
