//===- StoragePlan.cpp - How each stage of a chain is had back ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/StoragePlan.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <tuple>
#include <vector>

using namespace mlir::memrev;

namespace {

/// The inverses that give the values of a stage back, one behind the other:
/// what they make of an error of what the last of them starts from, and how far
/// from the true one the stage's values are.
struct Drift {
  double gain = 1, units = 0;

  bool operator==(const Drift &other) const {
    return gain == other.gain && units == other.units;
  }
};

/// What choices for the stages up to one come to.
struct State {
  int64_t heldBytes = 0;
  /// What the last stages evaluate again, if they do.
  int64_t runBytes = 0;
  Drift drift;
  int64_t time = 0;
  /// The state of the stages before, and the choice for this one.
  unsigned before = 0, option = 0;

  /// Whether both do the same but for the bytes that they hold and their time.
  bool isOfKindOf(const State &other) const {
    return runBytes == other.runBytes && drift == other.drift;
  }
  /// Whether what follows has it no worse than after `other`, but for the bytes
  /// that both hold and their time.
  bool isOfBetterKindThan(const State &other) const {
    return runBytes <= other.runBytes && drift.gain <= other.drift.gain &&
           drift.units <= other.drift.units;
  }
};

using States = std::vector<State>;

} // namespace

static int64_t add(int64_t a, int64_t b) {
  return std::min<uint64_t>(llvm::SaturatingAdd<uint64_t>(a, b),
                            std::numeric_limits<int64_t>::max());
}

/// The bytes that the stages up to one evaluate again, with `option` for it.
static int64_t getRun(int64_t before, const StageOption &option) {
  return option.runBytes == 0 ? 0 : add(before, option.runBytes);
}

/// The most bytes in use while the stage is evaluated or differentiated.
static int64_t getUsed(int64_t held, int64_t run, const StageOption &option) {
  return add(held, std::max(option.forwardBytes,
                            add(getRun(run, option), option.backwardBytes)));
}

/// Goes on to a stage with `option`. Gives how far its values are off.
static double advance(Drift &before, const StageOption &option) {
  double units = before.units + before.gain * option.drift;
  before = option.endsDrift ? Drift() : Drift{before.gain * option.gain, units};
  return units;
}

/// Keeps of states of a kind only those of which none of that or a better kind
/// holds as few bytes and takes as little time. Sorts them by kind, then by
/// bytes.
static void prune(States &states) {
  auto order = [](const State &state) {
    return std::tuple(state.runBytes, state.drift.gain, state.drift.units,
                      state.heldBytes, state.time);
  };
  llvm::sort(states, [&](const State &a, const State &b) {
    return order(a) < order(b);
  });
  States kept;
  // Where kinds begin among the kept ones. Times fall along a kind.
  std::vector<size_t> kinds;
  auto isOutdone = [&](const State &state) {
    for (auto [i, first] : llvm::enumerate(kinds)) {
      if (!kept[first].isOfBetterKindThan(state))
        continue;
      auto end =
          i + 1 < kinds.size() ? kept.begin() + kinds[i + 1] : kept.end();
      auto next = std::upper_bound(
          kept.begin() + first, end, state.heldBytes,
          [](int64_t bytes, const State &s) { return bytes < s.heldBytes; });
      if (next != kept.begin() + first && std::prev(next)->time <= state.time)
        return true;
    }
    return false;
  };
  for (const State &state : states) {
    if (isOutdone(state))
      continue;
    if (kept.empty() || !kept.back().isOfKindOf(state))
      kinds.push_back(kept.size());
    kept.push_back(state);
  }
  states = std::move(kept);
}

std::optional<llvm::SmallVector<unsigned>>
mlir::memrev::chooseOptions(llvm::ArrayRef<ChainStage> chain, int64_t budget,
                            double maxDrift, int64_t maxStates) {
  if (budget < 0)
    return std::nullopt;
  std::vector<States> reached{{State()}};
  for (const ChainStage &stage : chain) {
    States next;
    for (auto [index, state] : llvm::enumerate(reached.back()))
      for (auto [number, option] : llvm::enumerate(stage)) {
        State now = state;
        if (getUsed(state.heldBytes, state.runBytes, option) > budget ||
            advance(now.drift, option) > maxDrift)
          continue;
        now.heldBytes = add(now.heldBytes, option.heldBytes);
        now.runBytes = getRun(now.runBytes, option);
        now.time = add(now.time, option.time);
        now.before = index;
        now.option = number;
        // If nothing tells drifts apart, nothing has to.
        if (maxDrift == kAnyDrift)
          now.drift = Drift();
        if (now.heldBytes <= budget)
          next.push_back(now);
      }
    prune(next);
    if (static_cast<int64_t>(next.size()) > maxStates) {
      int64_t unit = llvm::divideCeil(budget, maxStates);
      for (State &state : next) {
        state.heldBytes = llvm::alignTo(state.heldBytes, unit);
        state.runBytes = llvm::alignTo(state.runBytes, unit);
      }
      prune(next);
    }
    if (next.empty())
      return std::nullopt;
    reached.push_back(std::move(next));
  }
  llvm::SmallVector<unsigned> chosen(chain.size());
  auto best =
      llvm::min_element(reached.back(), [](const State &a, const State &b) {
        return std::pair(a.time, a.heldBytes) < std::pair(b.time, b.heldBytes);
      });
  size_t index = best - reached.back().begin();
  for (size_t stage = chain.size(); stage > 0; --stage) {
    const State &state = reached[stage][index];
    chosen[stage - 1] = state.option;
    index = state.before;
  }
  return chosen;
}

std::optional<int64_t>
mlir::memrev::getFewestBytes(llvm::ArrayRef<ChainStage> chain,
                             double maxDrift) {
  // Where time is nothing, few states are kept apart.
  llvm::SmallVector<ChainStage> timeless(chain);
  for (ChainStage &stage : timeless)
    for (StageOption &option : stage)
      option.time = 0;
  auto choose = [&](int64_t budget) {
    return chooseOptions(timeless, budget, maxDrift);
  };
  auto some = choose(std::numeric_limits<int64_t>::max());
  if (!some)
    return std::nullopt;
  int64_t enough = getPeakBytes(chain, *some), tooFew = -1;
  while (enough - tooFew > 1) {
    int64_t middle = tooFew + (enough - tooFew) / 2;
    if (auto chosen = choose(middle))
      enough = getPeakBytes(chain, *chosen);
    else
      tooFew = middle;
  }
  return enough;
}

int64_t mlir::memrev::getPeakBytes(llvm::ArrayRef<ChainStage> chain,
                                   llvm::ArrayRef<unsigned> chosen) {
  int64_t peak = 0, held = 0, run = 0;
  for (auto [stage, number] : llvm::zip_equal(chain, chosen)) {
    const StageOption &option = stage[number];
    peak = std::max(peak, getUsed(held, run, option));
    held = add(held, option.heldBytes);
    peak = std::max(peak, held);
    run = getRun(run, option);
  }
  return peak;
}

double mlir::memrev::getDrift(llvm::ArrayRef<ChainStage> chain,
                              llvm::ArrayRef<unsigned> chosen) {
  double furthest = 0;
  Drift drift;
  for (auto [stage, number] : llvm::zip_equal(chain, chosen))
    furthest = std::max(furthest, advance(drift, stage[number]));
  return furthest;
}

int64_t mlir::memrev::getTime(llvm::ArrayRef<ChainStage> chain,
                              llvm::ArrayRef<unsigned> chosen) {
  int64_t time = 0;
  for (auto [stage, number] : llvm::zip_equal(chain, chosen))
    time = add(time, stage[number].time);
  return time;
}
