//===- StoragePlan.h - How each stage of a chain is had back ---*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The backward part of a program meets its stages in the opposite order, and
// has the values of each back in one of several ways: they were stored, an
// inverse gives them, or they are evaluated again. What a stage stores is held
// from its forward to its backward part, so that it weighs on all stages behind
// it, in both parts, and on none before it.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_STORAGEPLAN_H
#define MEMREV_ANALYSIS_STORAGEPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <limits>
#include <optional>

namespace mlir::memrev {

/// One way to have a stage's values back.
struct StageOption {
  /// What the stage holds from its forward to its backward part, in bytes.
  int64_t heldBytes = 0;
  /// The most bytes in use in its forward part, and in its backward part,
  /// beside those that other stages hold.
  int64_t forwardBytes = 0, backwardBytes = 0;
  /// The time that it takes, in any unit: of evaluating its values again, of
  /// writing and reading what it stores.
  int64_t time = 0;
  /// The bytes that it evaluates again where the first stage behind it that
  /// does not is done, and that live until its own backward part: it is
  /// evaluated from what the stages before it have. 0 for other options.
  int64_t runBytes = 0;
  /// What an inverse makes of an error of what it starts from: `gain` times the
  /// error, and `drift` more, in units of rounding. The gain is at least 1.
  double gain = 1, drift = 0;
  /// True if the stage's values do not come from inverses behind it.
  bool endsDrift = true;
};

/// A stage: its options.
using ChainStage = llvm::SmallVector<StageOption, 2>;

/// No bound for the drift of inverses.
inline constexpr double kAnyDrift = std::numeric_limits<double>::infinity();

/// The number of the option of each stage with which at no time more than
/// `budget` bytes are in use, no value is further from the true one than
/// `maxDrift` units of rounding, and the chain takes the least time. Nothing if
/// no choice does that.
///
/// A dynamic program over the stages: of two choices up to a stage, the one
/// that holds fewer bytes there, drifts less and takes less time serves all
/// that follow better. Exact as long as at most `maxStates` choices that are
/// not comparable are kept apart; from there on bytes are rounded up to budget
/// / maxStates.
std::optional<llvm::SmallVector<unsigned>>
chooseOptions(llvm::ArrayRef<ChainStage> chain, int64_t budget,
              double maxDrift = kAnyDrift, int64_t maxStates = 8192);

/// The fewest bytes that any choice takes. Nothing if all drift further than
/// `maxDrift`.
std::optional<int64_t> getFewestBytes(llvm::ArrayRef<ChainStage> chain,
                                      double maxDrift = kAnyDrift);

/// The most bytes that are in use at once if `chosen` are the options.
int64_t getPeakBytes(llvm::ArrayRef<ChainStage> chain,
                     llvm::ArrayRef<unsigned> chosen);

/// The furthest that a value is from the true one, in units of rounding.
double getDrift(llvm::ArrayRef<ChainStage> chain,
                llvm::ArrayRef<unsigned> chosen);

/// The time of all stages.
int64_t getTime(llvm::ArrayRef<ChainStage> chain,
                llvm::ArrayRef<unsigned> chosen);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_STORAGEPLAN_H
