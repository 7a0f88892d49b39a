//===- memrev-check-planning.cpp - Plans against all that there are -------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// memrev-check-planning STAGES COUNT
//
// Plans COUNT random chains of STAGES stages, and compares the time that each
// plan saves with the most that any choice within the budget does. Prints how
// many chains had a plan.
//
// memrev-check-planning STAGES 0
//
// Plans one chain that is too long for that, and checks its peak.
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/StoragePlan.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

using namespace mlir::memrev;

static ChainStage makeStage(std::mt19937 &random) {
  auto below = [&](int64_t bound) { return int64_t(random() % bound); };
  ChainStage stage;
  stage.numBlocks = 1 + below(3);
  stage.storedBytes = below(6) * (1 + below(20));
  stage.savedTime = below(30);
  stage.forwardBytes = below(60);
  stage.storedBackwardBytes = below(60);
  stage.invertedBackwardBytes = below(60);
  return stage;
}

static int64_t getSaved(llvm::ArrayRef<ChainStage> chain,
                        llvm::ArrayRef<int64_t> stored) {
  int64_t saved = 0;
  for (auto [stage, count] : llvm::zip_equal(chain, stored))
    saved += count * stage.savedTime;
  return saved;
}

/// Goes through all choices for the stages from `first` on.
static void search(llvm::ArrayRef<ChainStage> chain, size_t first,
                   std::vector<int64_t> &stored, int64_t budget,
                   int64_t &most) {
  if (first == chain.size()) {
    if (getPeakBytes(chain, stored) <= budget)
      most = std::max(most, getSaved(chain, stored));
    return;
  }
  for (int64_t count = 0; count <= chain[first].numBlocks; ++count) {
    stored[first] = count;
    search(chain, first + 1, stored, budget, most);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "expects a number of stages and one of chains\n");
    return 2;
  }
  size_t numStages = std::atoi(argv[1]);
  int numChains = std::atoi(argv[2]);
  std::mt19937 random;
  int numPlanned = 0;
  for (int number = 0; number < std::max(numChains, 1); ++number) {
    std::vector<ChainStage> chain(numStages);
    for (ChainStage &stage : chain)
      stage = makeStage(random);
    int64_t budget = numChains == 0 ? 100 * int64_t(numStages)
                                    : 30 + int64_t(random() % 200);
    auto plan = chooseStoredBlocks(chain, budget);
    if (plan && getPeakBytes(chain, *plan) > budget) {
      std::fprintf(stderr, "chain %d: the plan takes %lld of %lld bytes\n",
                   number, (long long)getPeakBytes(chain, *plan),
                   (long long)budget);
      return 1;
    }
    numPlanned += plan.has_value();
    if (numChains == 0)
      break;
    int64_t most = -1, saved = plan ? getSaved(chain, *plan) : -1;
    std::vector<int64_t> stored(numStages);
    search(chain, 0, stored, budget, most);
    if (saved != most) {
      std::fprintf(stderr, "chain %d: the plan saves %lld, the best one %lld\n",
                   number, (long long)saved, (long long)most);
      return 1;
    }
  }
  std::printf("%d planned\n", numPlanned);
}
