//===- StoragePlan.cpp - Which blocks of a chain are stored ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/StoragePlan.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <limits>
#include <vector>

using namespace mlir::memrev;

namespace {
/// What choices for the stages up to one come to.
struct State {
  int64_t bytes = 0;
  int64_t saved = 0;
  /// The state of the stages before, and the choice for this one.
  unsigned before = 0;
  int64_t numStored = 0;
};
} // namespace

/// Whether the stage's peaks fit, if blocks before it hold `before` bytes.
static bool fits(const ChainStage &stage, int64_t before, int64_t numStored,
                 int64_t budget) {
  int64_t held = before + numStored * stage.storedBytes;
  if (held + stage.forwardBytes > budget)
    return false;
  if (numStored > 0 && held + stage.storedBackwardBytes > budget)
    return false;
  return numStored == stage.numBlocks ||
         before + stage.invertedBackwardBytes <= budget;
}

/// Keeps of states with the same bytes or more only those that save more time.
static void prune(std::vector<State> &states) {
  llvm::sort(states, [](const State &a, const State &b) {
    return std::pair(a.bytes, -a.saved) < std::pair(b.bytes, -b.saved);
  });
  int64_t most = std::numeric_limits<int64_t>::min();
  llvm::erase_if(states, [&](const State &state) {
    if (state.saved <= most)
      return true;
    most = state.saved;
    return false;
  });
}

std::optional<llvm::SmallVector<int64_t>>
mlir::memrev::chooseStoredBlocks(llvm::ArrayRef<ChainStage> chain,
                                 int64_t budget, int64_t maxStates) {
  if (budget < 0)
    return std::nullopt;
  std::vector<std::vector<State>> reached{{State()}};
  for (const ChainStage &stage : chain) {
    std::vector<State> next;
    for (auto [index, state] : llvm::enumerate(reached.back()))
      for (int64_t k = 0; k <= stage.numBlocks; ++k) {
        // More of them hold more.
        if (k > 0 && k * stage.storedBytes > budget - state.bytes)
          break;
        if (fits(stage, state.bytes, k, budget))
          next.push_back({state.bytes + k * stage.storedBytes,
                          state.saved + k * stage.savedTime,
                          static_cast<unsigned>(index), k});
      }
    prune(next);
    if (static_cast<int64_t>(next.size()) > maxStates) {
      int64_t unit = llvm::divideCeil(budget, maxStates);
      for (State &state : next)
        state.bytes = llvm::alignTo(state.bytes, unit);
      prune(next);
    }
    if (next.empty())
      return std::nullopt;
    reached.push_back(std::move(next));
  }
  llvm::SmallVector<int64_t> stored(chain.size());
  // The last state saves most.
  size_t index = reached.back().size() - 1;
  for (size_t stage = chain.size(); stage > 0; --stage) {
    const State &state = reached[stage][index];
    stored[stage - 1] = state.numStored;
    index = state.before;
  }
  return stored;
}

int64_t mlir::memrev::getPeakBytes(llvm::ArrayRef<ChainStage> chain,
                                   llvm::ArrayRef<int64_t> stored) {
  int64_t peak = 0, held = 0;
  for (auto [stage, numStored] : llvm::zip_equal(chain, stored)) {
    if (numStored < stage.numBlocks)
      peak = std::max(peak, held + stage.invertedBackwardBytes);
    held += numStored * stage.storedBytes;
    peak = std::max(peak, held + stage.forwardBytes);
    if (numStored > 0)
      peak = std::max(peak, held + stage.storedBackwardBytes);
  }
  return peak;
}
