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
// plan takes with the least that any choice within the budget and the drift
// does, and the fewest bytes of the chain with those of all choices. What a
// choice takes is found by going through both parts, step by step. Prints how
// many chains had a plan.
//
// memrev-check-planning STAGES 0
//
// Plans one chain that is too long for that, and checks its peak.
//
// memrev-check-planning FILE
//
// Prints how many bytes the derivative of each function of a program keeps from
// the forward to the backward part without a budget, by the estimate that plans
// are made from.
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/StorageChain.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/InitAll.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

using namespace mlir;
using namespace mlir::memrev;

/// With values that lie far enough apart for sums not to hide differences.
static ChainStage makeStage(std::mt19937 &random) {
  auto below = [&](int64_t bound) { return int64_t(random() % bound); };
  ChainStage stage(1 + below(3));
  for (StageOption &option : stage) {
    option.forwardBytes = below(60);
    option.backwardBytes = below(60);
    option.time = below(30);
    switch (below(3)) {
    case 0: // Stored.
      option.heldBytes = below(6) * (1 + below(20));
      break;
    case 1: // Evaluated again.
      option.runBytes = below(40);
      option.endsDrift = below(2) != 0;
      break;
    case 2: // Inverted.
      option.gain = 1 + below(3) * 0.5;
      option.drift = 1 + below(2);
      option.endsDrift = below(3) == 0;
      break;
    }
  }
  return stage;
}

namespace {
struct Outcome {
  int64_t peakBytes = 0, time = 0;
  double drift = 0;
};
} // namespace

/// Goes through the chain, forwards and backwards.
static Outcome simulate(llvm::ArrayRef<ChainStage> chain,
                        llvm::ArrayRef<unsigned> chosen) {
  auto get = [&](size_t i) -> const StageOption & {
    return chain[i][chosen[i]];
  };
  Outcome outcome;
  int64_t held = 0;
  auto use = [&](int64_t bytes) {
    outcome.peakBytes = std::max(outcome.peakBytes, held + bytes);
  };
  for (size_t i = 0; i < chain.size(); ++i) {
    use(get(i).forwardBytes);
    held += get(i).heldBytes;
    use(0);
  }
  std::vector<int64_t> evaluated(chain.size());
  int64_t run = 0;
  double error = 0;
  for (size_t i = chain.size(); i-- > 0;) {
    if (get(i).runBytes > 0 && evaluated[i] == 0)
      for (size_t j = i + 1; j-- > 0 && get(j).runBytes > 0;) {
        evaluated[j] = get(j).runBytes;
        run += evaluated[j];
      }
    held -= get(i).heldBytes;
    use(run + get(i).backwardBytes);
    run -= evaluated[i];
    outcome.time += get(i).time;
    if (get(i).endsDrift)
      error = 0;
    error = get(i).gain * error + get(i).drift;
    outcome.drift = std::max(outcome.drift, error);
  }
  return outcome;
}

/// Goes through all choices for the stages from `first` on.
template <typename Visit>
static void search(llvm::ArrayRef<ChainStage> chain, size_t first,
                   std::vector<unsigned> &chosen, Visit visit) {
  if (first == chain.size())
    return visit(simulate(chain, chosen));
  for (unsigned option = 0; option < chain[first].size(); ++option) {
    chosen[first] = option;
    search(chain, first + 1, chosen, visit);
  }
}

/// Says what is wrong with the plan of the chain called `number`, if anything.
static bool check(int number, llvm::ArrayRef<ChainStage> chain, int64_t budget,
                  double maxDrift, bool isSearched, bool &isPlanned) {
  auto plan = chooseOptions(chain, budget, maxDrift);
  isPlanned = plan.has_value();
  auto fail = [&](const char *what, double is, double shouldBe) {
    std::fprintf(stderr, "chain %d: %s is %g, but the best one's is %g\n",
                 number, what, is, shouldBe);
    return false;
  };
  Outcome outcome;
  if (plan) {
    outcome = simulate(chain, *plan);
    if (outcome.peakBytes > budget)
      return fail("the peak", outcome.peakBytes, budget);
    if (outcome.drift > maxDrift)
      return fail("the drift", outcome.drift, maxDrift);
    if (outcome.peakBytes != getPeakBytes(chain, *plan) ||
        outcome.time != getTime(chain, *plan) ||
        outcome.drift != getDrift(chain, *plan))
      return fail("what is said of the peak", getPeakBytes(chain, *plan),
                  outcome.peakBytes);
  }
  if (!isSearched)
    return true;
  int64_t least = -1, fewest = -1;
  std::vector<unsigned> chosen(chain.size());
  search(chain, 0, chosen, [&](const Outcome &other) {
    if (other.drift > maxDrift)
      return;
    if (fewest < 0 || other.peakBytes < fewest)
      fewest = other.peakBytes;
    if (other.peakBytes <= budget && (least < 0 || other.time < least))
      least = other.time;
  });
  int64_t time = plan ? outcome.time : -1;
  if (time != least)
    return fail("the time", time, least);
  int64_t bytes = getFewestBytes(chain, maxDrift).value_or(-1);
  return bytes == fewest || fail("the fewest bytes", bytes, fewest);
}

/// Prints the bytes that derivatives of the functions of a program keep.
static int printEstimates(const char *file) {
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(file, &context);
  if (!module)
    return 1;
  for (auto function : module->getOps<func::FuncOp>()) {
    planFunction(function, rev::Policy::Invert);
    Block &body = function.getBody().front();
    Activity activity;
    for (BlockArgument argument : body.getArguments())
      if (rev::isDifferentiable(argument.getType()))
        activity.addRoot(argument);
    activity.propagate(body);
    StorageChain chain = buildStorageChain(body, activity, CostModel());
    int64_t bytes = 0;
    for (auto [options, chosen] :
         llvm::zip_equal(chain.options, chain.defaults))
      bytes += options[chosen].heldBytes;
    std::printf("%s keeps %lld bytes\n", function.getName().str().c_str(),
                static_cast<long long>(bytes));
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2)
    return printEstimates(argv[1]);
  if (argc != 3) {
    std::fprintf(stderr,
                 "expects a file, or a number of stages and one of chains\n");
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
    bool isLong = numChains == 0, isPlanned;
    int64_t budget = 30 + int64_t(random() % 200);
    if (isLong) {
      // No two sums are the same.
      for (ChainStage &stage : chain)
        for (StageOption &option : stage) {
          option.heldBytes = (option.heldBytes << 20) + random() % 100000;
          option.time = (option.time << 20) + random() % 100000;
        }
      budget = numStages * int64_t(10 << 20);
    }
    double maxDrift = random() % 2 ? kAnyDrift : 1 + double(random() % 12);
    if (!check(number, chain, budget, isLong ? kAnyDrift : maxDrift, !isLong,
               isPlanned))
      return 1;
    numPlanned += isPlanned;
  }
  std::printf("%d planned\n", numPlanned);
}
