//===- StoragePlan.h - Which blocks of a chain are stored ------ -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chain of invertible blocks is differentiated in less time where blocks are
// stored: their functions need not be evaluated again. What a block stores is
// held from its forward to its backward part, so that all blocks before a block
// weigh on its peak and none behind it does. Of equal blocks the last ones are
// stored: those are given back first, before any is inverted.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_STORAGEPLAN_H
#define MEMREV_ANALYSIS_STORAGEPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <optional>

namespace mlir::memrev {

/// Equal blocks of a chain, one after the other. All bytes that are in use at
/// once count, but those that stored blocks hold.
struct ChainStage {
  int64_t numBlocks = 1;
  /// What a stored block holds, in bytes.
  int64_t storedBytes = 0;
  /// The time that storing a block saves, in any unit.
  int64_t savedTime = 0;
  /// The most bytes in use while the blocks are evaluated, while a stored one
  /// is differentiated, and while one is inverted and differentiated.
  int64_t forwardBytes = 0, storedBackwardBytes = 0, invertedBackwardBytes = 0;
};

/// The numbers of blocks to store of each stage, so that at no time more than
/// `budget` bytes are in use and most time is saved, in the fewest bytes.
/// Nothing if storing none takes more.
///
/// A dynamic program over the stages: of two choices that save the same time up
/// to a stage, the one that holds fewer bytes there serves all that follow
/// better. Exact as long as at most `maxStates` such pairs of bytes and time
/// are kept apart; from there on bytes are rounded up to budget / maxStates.
std::optional<llvm::SmallVector<int64_t>>
chooseStoredBlocks(llvm::ArrayRef<ChainStage> chain, int64_t budget,
                   int64_t maxStates = 8192);

/// The most bytes that are in use at once if `stored` blocks of each stage are
/// stored.
int64_t getPeakBytes(llvm::ArrayRef<ChainStage> chain,
                     llvm::ArrayRef<int64_t> stored);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_STORAGEPLAN_H
