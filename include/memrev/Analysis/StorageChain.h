//===- StorageChain.h - The chain of stages of a function ------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function as a chain of stages (StoragePlan.h), before it is differentiated:
// couplings and loops over them that are inverted or stored, loops that keep
// checkpoints, and contractions and convolutions whose results are kept or
// evaluated again. Bytes are estimates, made before anything is fused or
// placed: they rank plans.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_STORAGECHAIN_H
#define MEMREV_ANALYSIS_STORAGECHAIN_H

#include "memrev/Analysis/Activity.h"
#include "memrev/Analysis/CostModel.h"
#include "memrev/Analysis/StoragePlan.h"
#include "mlir/IR/Operation.h"

namespace mlir::memrev {

/// What an option does.
struct StorageChoice {
  /// The last iterations of a loop, or 1 for a coupling, that are stored.
  int64_t numStored = 0;
  /// How many iterations are inverted at most from one state that is stored to
  /// the one before; 0 for all.
  int64_t period = 0;
  /// The number of binomial checkpoints of a loop that is not inverted; 0 for
  /// tapes of all iterations.
  int64_t slots = 0;
  /// The state of a coupling is kept instead of inverted.
  bool keepsState = false;
  /// Operations that are evaluated again: the stage's own, or such in the
  /// regions of its couplings.
  SmallVector<Operation *> evaluatedAgain;
  /// What the regions of couplings use less, if any of them is in one.
  int64_t savedBytes = 0;
};

/// An operation, and the options of the stage that begins with it.
struct StorageStage {
  /// Null for what comes before the first one.
  Operation *op = nullptr;
  SmallVector<StorageChoice, 2> choices;
};

struct StorageChain {
  SmallVector<StorageStage> stages;
  /// By stage and choice.
  SmallVector<ChainStage> options;
  /// What is done if there is no budget: all that can be is inverted, and the
  /// peak lowered at little cost.
  SmallVector<unsigned> defaults;
};

/// The chain of `block`, the body of a function, as its plan of inverse edges
/// and `activity` have it, with the times of `model`. If `maxDrift` is finite
/// there are options that store the states of loops and couplings every now and
/// then, so that what inverses give is no further from the true values than
/// that, relative to them. Changes nothing.
StorageChain buildStorageChain(Block &block, const Activity &activity,
                               const CostModel &model,
                               double maxDrift = kAnyDrift);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_STORAGECHAIN_H
