//===- memrev-check-ordering.cpp - Orders against the best ones -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// memrev-check-ordering STEPS COUNT [--exact]
//
// Orders COUNT random graphs of STEPS steps. Checks that what comes out is an
// order of the graph, its peak the one that is said, no larger than that of the
// order that went in and no smaller than the lower bound, and with --exact,
// for up to 20 steps, that no order takes less than that bound. Prints how many
// could take less, how many of those do, how many get the best order, and how
// many are known to.
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/MemoryOrder.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

using namespace mlir::memrev;

namespace {
struct Graph {
  std::vector<OrderedStep> steps;
  std::vector<OrderedBuffer> buffers;
};
} // namespace

/// Most steps read some results of others and have a buffer for their own;
/// some have two, or write over one that they read.
static Graph makeGraph(int numSteps, std::mt19937 &random) {
  Graph graph;
  graph.steps.resize(numSteps);
  // Each step's result is in a buffer; the last one that wrote over it.
  std::vector<std::pair<unsigned, unsigned>> values;
  std::vector<std::vector<unsigned>> readers;
  int locality = 1 + random() % numSteps;
  for (int number = 0; number < numSteps; ++number) {
    OrderedStep &step = graph.steps[number];
    step.bytes = random() % 4 == 0 ? random() % 512 : 0;
    auto use = [&](unsigned value) {
      auto [buffer, writer] = values[value];
      llvm::SmallVector<unsigned> &users = graph.buffers[buffer].users;
      if (users.back() != static_cast<unsigned>(number))
        users.push_back(number);
      step.predecessors.push_back(writer);
    };
    int numReads = values.empty() ? 0 : random() % 4;
    for (int i = 0; i < numReads; ++i) {
      size_t back = random() % std::min<size_t>(values.size(), locality);
      unsigned value = values.size() - 1 - back;
      use(value);
      readers[value].push_back(number);
    }
    if (numReads > 0 && random() % 4 == 0) {
      // After all who read what was there.
      unsigned value = random() % values.size();
      use(value);
      llvm::append_range(step.predecessors, readers[value]);
      llvm::erase(step.predecessors, static_cast<unsigned>(number));
      values[value].second = number;
      readers[value].clear();
      continue;
    }
    for (unsigned i = 0; i <= (random() % 5 == 0); ++i) {
      int64_t bytes = 1 + random() % (random() % 3 == 0 ? 4096 : 512);
      values.emplace_back(graph.buffers.size(), number);
      readers.emplace_back();
      graph.buffers.push_back({bytes, {static_cast<unsigned>(number)}});
    }
  }
  return graph;
}

static bool isOrder(const Graph &graph, llvm::ArrayRef<unsigned> order) {
  std::vector<char> done(graph.steps.size());
  for (unsigned step : order) {
    if (step >= done.size() || done[step])
      return false;
    for (unsigned predecessor : graph.steps[step].predecessors)
      if (!done[predecessor])
        return false;
    done[step] = true;
  }
  return order.size() == done.size();
}

/// Returns the least peak, over all sets of steps that may be done first.
static int64_t getLeastPeak(const Graph &graph) {
  size_t numSteps = graph.steps.size();
  constexpr int64_t kNever = int64_t(1) << 60;
  std::vector<uint32_t> before(numSteps), users;
  for (auto [number, step] : llvm::enumerate(graph.steps))
    for (unsigned predecessor : step.predecessors)
      before[number] |= 1u << predecessor;
  for (const OrderedBuffer &buffer : graph.buffers) {
    uint32_t set = 0;
    for (unsigned user : buffer.users)
      set |= 1u << user;
    users.push_back(set);
  }
  std::vector<int64_t> peaks(size_t(1) << numSteps, kNever);
  peaks[0] = 0;
  for (uint32_t done = 0; done < peaks.size(); ++done) {
    if (peaks[done] == kNever)
      continue;
    for (size_t step = 0; step < numSteps; ++step) {
      if (done >> step & 1 || (before[step] & ~done))
        continue;
      uint32_t next = done | 1u << step;
      int64_t bytes = graph.steps[step].bytes;
      for (auto [buffer, set] : llvm::zip_equal(graph.buffers, users))
        if ((set & next) && (set & ~done))
          bytes += buffer.bytes;
      peaks[next] = std::min(peaks[next], std::max(peaks[done], bytes));
    }
  }
  return peaks.back();
}

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "expects a number of steps and one of graphs\n");
    return 2;
  }
  int numSteps = std::atoi(argv[1]), numGraphs = std::atoi(argv[2]);
  bool isExact = argc > 3;
  std::mt19937 random;
  int numImprovable = 0, numImproved = 0, numBest = 0, numKnown = 0;
  double sum = 0;
  for (int number = 0; number < numGraphs; ++number) {
    Graph graph = makeGraph(numSteps, random);
    std::vector<unsigned> given(numSteps);
    for (int i = 0; i < numSteps; ++i)
      given[i] = i;
    int64_t peak = getPeak(graph.steps, graph.buffers, given);
    MemoryOrder found = orderForMemory(graph.steps, graph.buffers);
    if (!isOrder(graph, found.order)) {
      std::fprintf(stderr, "graph %d: steps come before others they need\n",
                   number);
      return 1;
    }
    int64_t least = isExact ? getLeastPeak(graph) : found.lowerBound;
    if (found.peak != getPeak(graph.steps, graph.buffers, found.order) ||
        found.peak > peak || found.peak < least || found.lowerBound > least) {
      std::fprintf(stderr,
                   "graph %d: from %lld to %lld bytes, where %lld are needed "
                   "and %lld a bound\n",
                   number, (long long)peak, (long long)found.peak,
                   (long long)least, (long long)found.lowerBound);
      return 1;
    }
    numImprovable += least < peak;
    numImproved += found.peak < peak;
    numBest += found.peak == least;
    numKnown += found.peak == found.lowerBound;
    sum += double(found.peak) / double(std::max<int64_t>(least, 1));
  }
  std::printf("%d could be better, %d are, %d best, %d known to be, "
              "mean %.4f of the least\n",
              numImprovable, numImproved, numBest, numKnown, sum / numGraphs);
}
