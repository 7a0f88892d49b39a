//===- MemoryOrder.cpp - An order of steps that takes less memory ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/MemoryOrder.h"
#include "MinimumCut.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <deque>
#include <queue>

using namespace mlir::memrev;
using namespace llvm;

/// Each round cuts the best order that those before found.
static constexpr int kMaxRounds = 8;
/// How often a round cuts.
static constexpr int kMaxCuts = 64;
/// How many sets of steps the search for the best order looks at, and of how
/// many steps: of more there are too many.
static constexpr size_t kMaxSets = 1 << 14, kMaxSearched = 64;

namespace {
/// Looks for an order.
class Orderer {
public:
  Orderer(ArrayRef<OrderedStep> steps, ArrayRef<OrderedBuffer> buffers);

  MemoryOrder run();

private:
  /// Consecutive places of the order.
  struct Part {
    size_t begin, end;
  };

  void measure();
  size_t findPeak() const;
  SmallVector<char> getSides(Part part, size_t place) const;
  bool cut(Part part, size_t &place, bool prefersEarlier);
  bool runRound(bool prefersEarlier);
  void search();

  ArrayRef<OrderedStep> steps;
  ArrayRef<OrderedBuffer> buffers;
  SmallVector<SmallVector<unsigned>> successors, buffersOf;
  /// The order, the place of each step in it and what lives at each place.
  SmallVector<unsigned> order, places;
  SmallVector<int64_t> live;
  MemoryOrder best;
};
} // namespace

/// Returns what lives at each place of `order`.
static SmallVector<int64_t> getLive(ArrayRef<OrderedStep> steps,
                                    ArrayRef<OrderedBuffer> buffers,
                                    ArrayRef<unsigned> places) {
  SmallVector<int64_t> live(steps.size() + 1);
  for (const OrderedBuffer &buffer : buffers) {
    if (buffer.users.empty())
      continue;
    unsigned first = places[buffer.users.front()], last = first;
    for (unsigned user : buffer.users) {
      first = std::min(first, places[user]);
      last = std::max(last, places[user]);
    }
    live[first] += buffer.bytes;
    live[last + 1] -= buffer.bytes;
  }
  for (size_t place = 1; place < live.size(); ++place)
    live[place] += live[place - 1];
  live.pop_back();
  for (auto [step, place] : llvm::zip_equal(steps, places))
    live[place] += step.bytes;
  return live;
}

static SmallVector<unsigned> getPlaces(ArrayRef<unsigned> order) {
  SmallVector<unsigned> places(order.size());
  for (auto [place, step] : llvm::enumerate(order))
    places[step] = place;
  return places;
}

int64_t mlir::memrev::getPeak(ArrayRef<OrderedStep> steps,
                              ArrayRef<OrderedBuffer> buffers,
                              ArrayRef<unsigned> order) {
  int64_t peak = 0;
  for (int64_t bytes : getLive(steps, buffers, getPlaces(order)))
    peak = std::max(peak, bytes);
  return peak;
}

Orderer::Orderer(ArrayRef<OrderedStep> steps, ArrayRef<OrderedBuffer> buffers)
    : steps(steps), buffers(buffers), successors(steps.size()),
      buffersOf(steps.size()),
      order(llvm::to_vector(llvm::seq<unsigned>(0, steps.size()))) {
  for (auto [number, step] : llvm::enumerate(steps))
    for (unsigned predecessor : step.predecessors)
      successors[predecessor].push_back(number);
  for (auto [number, buffer] : llvm::enumerate(buffers))
    for (unsigned user : buffer.users)
      buffersOf[user].push_back(number);
}

void Orderer::measure() {
  places = getPlaces(order);
  live = getLive(steps, buffers, places);
}

/// Returns the first place where most lives.
size_t Orderer::findPeak() const {
  return std::max_element(live.begin(), live.end()) - live.begin();
}

/// Which of the steps of `part` have to come before the one at `place`, -1, and
/// which after, 1.
SmallVector<char> Orderer::getSides(Part part, size_t place) const {
  SmallVector<char> sides(part.end - part.begin);
  // Places rise along edges, so that one sweep each way reaches all.
  auto isOn = [&](unsigned step, char side) {
    size_t other = places[step];
    return other >= part.begin && other < part.end &&
           (other == place || sides[other - part.begin] == side);
  };
  for (size_t i = place; i-- > part.begin;)
    if (llvm::any_of(successors[order[i]],
                     [&](unsigned step) { return isOn(step, -1); }))
      sides[i - part.begin] = -1;
  for (size_t i = place + 1; i < part.end; ++i)
    if (llvm::any_of(steps[order[i]].predecessors,
                     [&](unsigned step) { return isOn(step, 1); }))
      sides[i - part.begin] = 1;
  return sides;
}

/// Orders `part` so that the least lives at `place`, which becomes where that
/// step is then. False if the order is such a one. Of equal cuts it takes the
/// one that moves the fewest steps, and rather lets some come earlier than
/// others later, or the other way round.
bool Orderer::cut(Part part, size_t &place, bool prefersEarlier) {
  SmallVector<char> sides = getSides(part, place);
  // Nodes: the two ends, the steps, and two for each buffer, of which the
  // second one is on the side of the source if all users are.
  size_t numSteps = part.end - part.begin;
  DenseMap<unsigned, SmallVector<unsigned>> usersOf;
  for (size_t i = part.begin; i < part.end; ++i)
    for (unsigned buffer : buffersOf[order[i]])
      usersOf[buffer].push_back(order[i]);
  MinimumCut graph(2 + numSteps + 2 * usersOf.size());
  auto getNode = [&](unsigned step) -> unsigned {
    size_t i = places[step];
    if (i < part.begin || (i < part.end && sides[i - part.begin] < 0))
      return 0;
    if (i >= part.end || sides[i - part.begin] > 0)
      return 1;
    return 2 + i - part.begin;
  };
  // A step that moves costs less than a byte.
  int64_t total = 0;
  for (const OrderedBuffer &buffer : buffers)
    total = llvm::SaturatingAdd<uint64_t>(total, buffer.bytes);
  int64_t earlier = prefersEarlier ? 1 : 2, later = prefersEarlier ? 2 : 1;
  int64_t scale = 2 * numSteps + 1;
  bool countsMoves = total >= 0 && total < MinimumCut::kUncut / scale;
  if (!countsMoves)
    scale = 1;
  for (size_t i = part.begin; i < part.end; ++i) {
    unsigned node = getNode(order[i]);
    if (i == place)
      continue;
    if (node > 1 && countsMoves)
      i < place ? graph.addEdge(0, node, later)
                : graph.addEdge(node, 1, earlier);
    for (unsigned predecessor : steps[order[i]].predecessors)
      if (unsigned other = getNode(predecessor);
          other != node && node != 1 && other != 0)
        graph.addEdge(node, other, MinimumCut::kUncut);
  }
  unsigned numNodes = 2 + numSteps;
  for (auto &[number, users] : usersOf) {
    // What the step uses lives in any case.
    if (llvm::is_contained(users, order[place]))
      continue;
    unsigned begun = numNodes++, done = numNodes++;
    graph.addEdge(begun, done, buffers[number].bytes * scale);
    for (unsigned user : buffers[number].users) {
      unsigned node = getNode(user);
      if (node != 1)
        graph.addEdge(node, begun, MinimumCut::kUncut);
      if (node != 0)
        graph.addEdge(done, node, MinimumCut::kUncut);
    }
  }
  graph.run();

  SmallVector<unsigned> before, after;
  for (size_t i = part.begin; i < part.end; ++i)
    if (i != place)
      (graph.isOnSourceSide(getNode(order[i])) ? before : after)
          .push_back(order[i]);
  unsigned step = order[place];
  SmallVector<unsigned> previous = order;
  int64_t bytes = live[place];
  place = part.begin + before.size();
  llvm::copy(before, order.begin() + part.begin);
  order[place] = step;
  llvm::copy(after, order.begin() + place + 1);
  measure();
  if (live[place] < bytes)
    return true;
  order = std::move(previous);
  measure();
  return false;
}

/// Cuts at one peak after the other. True if that makes a better order.
bool Orderer::runRound(bool prefersEarlier) {
  order = best.order;
  measure();
  std::vector<Part> parts{{0, order.size()}};
  bool isBetter = false;
  for (int numCuts = 0; numCuts < kMaxCuts; ++numCuts) {
    size_t place = findPeak();
    auto part = llvm::find_if(parts, [&](const Part &part) {
      return place >= part.begin && place < part.end;
    });
    // What is cut already lives at its least.
    if (part == parts.end())
      break;
    bool isChanged = cut(*part, place, prefersEarlier);
    if (numCuts == 0)
      best.lowerBound = std::max(best.lowerBound, live[place]);
    if (!isChanged)
      break;
    Part rest{place + 1, part->end};
    part->end = place;
    parts.push_back(rest);
    int64_t peak = live[findPeak()];
    if (peak >= best.peak)
      continue;
    isBetter = true;
    best.peak = peak;
    best.order = order;
  }
  return isBetter;
}

namespace {
/// Steps that are done first, in the best order of them so far.
struct StepSet {
  BitVector done;
  int64_t peak = 0;
  /// The set without the last step.
  const StepSet *previous = nullptr;
  unsigned last = 0;
};
} // namespace

/// Looks for an order with a lower peak by way of all sets of steps that may be
/// done first, those with low peaks first: a shortest path whose length is its
/// largest edge. If there are not too many, the order is the best one then.
void Orderer::search() {
  SmallVector<BitVector> before(steps.size(), BitVector(steps.size()));
  for (auto [set, step] : llvm::zip_equal(before, steps))
    for (unsigned predecessor : step.predecessors)
      set.set(predecessor);
  SmallVector<BitVector> users(buffers.size(), BitVector(steps.size()));
  for (auto [set, buffer] : llvm::zip_equal(users, buffers))
    for (unsigned user : buffer.users)
      set.set(user);

  std::deque<StepSet> sets;
  DenseSet<BitVector> seen;
  auto isWorse = [](const StepSet *a, const StepSet *b) {
    return std::make_pair(a->peak, b->done.count()) >
           std::make_pair(b->peak, a->done.count());
  };
  std::priority_queue<StepSet *, std::vector<StepSet *>, decltype(isWorse)>
      queue(isWorse);
  sets.push_back({BitVector(steps.size()), 0, nullptr, 0});
  queue.push(&sets.back());
  while (!queue.empty()) {
    const StepSet &set = *queue.top();
    queue.pop();
    if (!seen.insert(set.done).second)
      continue;
    if (set.done.all()) {
      best.peak = best.lowerBound = set.peak;
      best.order.clear();
      for (const StepSet *at = &set; at->previous; at = at->previous)
        best.order.push_back(at->last);
      std::reverse(best.order.begin(), best.order.end());
      return;
    }
    if (seen.size() > kMaxSets)
      return;
    int64_t alive = 0;
    for (auto [buffer, all] : llvm::zip_equal(buffers, users))
      if (all.anyCommon(set.done) && all.test(set.done))
        alive += buffer.bytes;
    for (unsigned step = 0; step < steps.size(); ++step) {
      if (set.done.test(step) || before[step].test(set.done))
        continue;
      int64_t bytes = alive + steps[step].bytes;
      for (unsigned buffer : buffersOf[step])
        if (!users[buffer].anyCommon(set.done))
          bytes += buffers[buffer].bytes;
      if (bytes >= best.peak)
        continue;
      StepSet next{set.done, std::max(set.peak, bytes), &set, step};
      next.done.set(step);
      if (seen.contains(next.done))
        continue;
      sets.push_back(std::move(next));
      queue.push(&sets.back());
    }
  }
  // Every order reaches that peak somewhere.
  best.lowerBound = best.peak;
}

MemoryOrder Orderer::run() {
  best.order = order;
  best.peak = getPeak(steps, buffers, order);
  if (order.empty())
    return std::move(best);
  // Until neither preference finds anything.
  int numVain = 0;
  for (int round = 0; round < kMaxRounds && numVain < 2; ++round) {
    if (best.peak == best.lowerBound)
      break;
    numVain = runRound(/*prefersEarlier=*/round % 2 == 0) ? 0 : numVain + 1;
  }
  if (best.peak > best.lowerBound && steps.size() <= kMaxSearched)
    search();
  return std::move(best);
}

MemoryOrder mlir::memrev::orderForMemory(ArrayRef<OrderedStep> steps,
                                         ArrayRef<OrderedBuffer> buffers) {
  return Orderer(steps, buffers).run();
}
