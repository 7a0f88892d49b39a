//===- StorageChain.cpp - The chain of stages of a function ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/StorageChain.h"
#include "BlockPlan.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Analysis/Drift.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Interfaces/CheckpointedLoop.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::memrev;

/// The most plans of a function's regions that are told apart.
static constexpr int kMaxLevels = 8;

/// Of longer loops not every number of iterations is tried to be stored.
static constexpr int64_t kMaxStoredCounts = 1024;

/// Iterations of a loop of unknown length that estimates go by.
static constexpr int64_t kUnknownCount = 64;

static int64_t multiply(int64_t a, int64_t b) {
  return std::min<uint64_t>(llvm::SaturatingMultiply<uint64_t>(a, b),
                            std::numeric_limits<int64_t>::max() / 4);
}

//===----------------------------------------------------------------------===//
// Contractions and convolutions
//===----------------------------------------------------------------------===//

/// Adds a stage for `candidate`, whose values are kept, or evaluated again.
static void addCandidate(const Candidate &candidate, bool isEvaluatedAgain,
                         const CostModel &model, StorageChain &chain) {
  int64_t bytes = candidate.bytes;
  StorageStage &stage = chain.stages.emplace_back();
  stage.op = candidate.op;
  stage.choices.resize(2);
  stage.choices[1].evaluatedAgain.push_back(candidate.op);
  ChainStage &options = chain.options.emplace_back(2);
  options[0].heldBytes = bytes;
  options[0].forwardBytes = options[0].backwardBytes = bytes;
  options[1].forwardBytes = options[1].runBytes = bytes;
  options[1].time = model.getTime(candidate.op);
  for (StageOption &option : options)
    option.endsDrift = false;
  chain.defaults.push_back(isEvaluatedAgain);
}

/// Adds to the options of each stage what is in use besides from its operation
/// to the next one's.
static void addOthers(const BlockPlan &plan, const MemoryTimeline &others,
                      StorageChain &chain) {
  for (auto [i, stage] : llvm::enumerate(chain.stages)) {
    unsigned begin = stage.op ? plan.getPosition(stage.op) : 0;
    unsigned end = i + 1 < chain.stages.size()
                       ? plan.getPosition(chain.stages[i + 1].op)
                       : plan.getSize();
    unsigned next = std::min(begin + 1, end);
    int64_t forward = others.getForwardBytes(next, end);
    int64_t backward = others.getBackwardBytes(next, end);
    int64_t ownForward = others.getForwardBytes(begin, next);
    int64_t ownBackward = others.getBackwardBytes(begin, next);
    for (auto [option, choice] :
         llvm::zip_equal(chain.options[i], stage.choices)) {
      int64_t saved = choice.savedBytes;
      option.forwardBytes += std::max(forward, ownForward - saved);
      option.backwardBytes += std::max(backward, ownBackward - saved);
    }
  }
}

/// Adds a stage for what comes before the others.
static void addBeginning(StorageChain &chain) {
  chain.stages.emplace_back().choices.emplace_back();
  StageOption &option = chain.options.emplace_back().emplace_back();
  option.endsDrift = false;
  chain.defaults.push_back(0);
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

namespace {

/// What is evaluated again in a region, and what that comes to.
struct RegionPlan {
  int64_t peakBytes = 0, time = 0;
  SmallVector<Operation *> evaluatedAgain;
};

/// The plans of a coupling's region, from the fastest on, each of less bytes
/// than the one before. The first one is that without a budget.
SmallVector<RegionPlan> planRegion(rev::CouplingOp coupling,
                                   const Activity &activity,
                                   const CostModel &model) {
  BlockPlan plan(coupling.getBody().front(), activity, /*isTaped=*/false);
  plan.run(/*lowersPeak=*/false);
  StorageChain chain;
  addBeginning(chain);
  for (const Candidate &candidate : plan.getCandidates())
    addCandidate(candidate, /*isEvaluatedAgain=*/false, model, chain);
  addOthers(plan, plan.getTimelineWithoutCandidates(), chain);
  SmallVector<RegionPlan> plans(1);
  int64_t most = getPeakBytes(chain.options, chain.defaults);
  std::optional<int64_t> fewest = getFewestBytes(chain.options);
  plans.front().peakBytes = plan.getPeakBytes();
  for (int level = kMaxLevels - 1; level >= 0 && *fewest < most; --level) {
    int64_t budget = *fewest + (most - *fewest) / kMaxLevels * level;
    auto chosen = chooseOptions(chain.options, budget);
    if (!chosen)
      continue;
    RegionPlan now;
    // Both peaks are estimates, of which the first one is the better.
    now.peakBytes =
        plan.getPeakBytes() - most + getPeakBytes(chain.options, *chosen);
    now.time = getTime(chain.options, *chosen);
    for (auto [stage, option] : llvm::zip_equal(chain.stages, *chosen))
      llvm::append_range(now.evaluatedAgain,
                         stage.choices[option].evaluatedAgain);
    if (now.peakBytes < plans.back().peakBytes)
      plans.push_back(std::move(now));
  }
  return plans;
}

/// A coupling, a call with an inverse, or a loop over such that the plan
/// inverts.
class InvertedStage {
public:
  InvertedStage(Operation *op, const Activity &activity, const CostModel &model,
                double maxDrift);

  /// False if nothing is saved by storing it.
  bool isWorthStoring() const { return time > 0; }
  void add(bool endsDrift, StorageChain &chain) const;

private:
  struct Coupling {
    /// How often the operation evaluates it.
    int64_t count;
    SmallVector<RegionPlan> plans;
  };

  /// What the regions do if none uses more than about `bytes`, for all
  /// iterations.
  RegionPlan getRegions(int64_t bytes) const;
  /// The different peaks of regions to choose from, the largest first.
  SmallVector<int64_t> getLevels() const;
  /// What inverting `numInverted` iterations takes, with states `period` apart
  /// and `stored` bytes of others.
  void fill(StageOption &option, int64_t numInverted, int64_t period,
            int64_t stored) const;
  /// The longest distance of stored states, in iterations.
  int64_t getLongestPeriod() const;

  Operation *op;
  const CostModel &model;
  double maxDrift;
  int64_t numBlocks = 1;
  bool isLoop;
  /// What an iteration stores, and the time of evaluating it again.
  int64_t storedBytes = 0, time = 0;
  int64_t stateBytes = 0;
  InverseRun inverses;
  SmallVector<Coupling> couplings;
};

} // namespace

/// The number of times that `inner` is evaluated in each evaluation of the
/// block of `op`, or in each iteration if that is a loop.
static int64_t getCount(Operation *inner, Operation *op) {
  int64_t count = 1;
  for (Operation *parent = inner; parent != op;) {
    parent = parent->getParentOp();
    auto loop = dyn_cast<scf::ForOp>(parent);
    if (loop && parent != op)
      count =
          multiply(count, getConstantTripCount(loop).value_or(kUnknownCount));
  }
  return count;
}

InvertedStage::InvertedStage(Operation *op, const Activity &activity,
                             const CostModel &model, double maxDrift)
    : op(op), model(model), maxDrift(maxDrift) {
  auto loop = dyn_cast<scf::ForOp>(op);
  isLoop = static_cast<bool>(loop);
  if (isLoop)
    // Nothing of a loop of unknown length is stored.
    numBlocks = getConstantTripCount(loop).value_or(0);
  op->walk<WalkOrder::PreOrder>([&](Operation *inner) {
    auto coupling = dyn_cast<rev::CouplingOp>(inner);
    auto call = dyn_cast<func::CallOp>(inner);
    if (!coupling && !(call && getPlannedEdge(call)))
      return WalkResult::advance();
    int64_t count = getCount(inner, op);
    if (call) {
      // Its operands are all that it stores: it is evaluated again either way.
      InverseEdge edge =
          cast<InvertibleOpInterface>(inner).getInverseEdges().front();
      for (Value value : edge.solved)
        if (value.getDefiningOp() != inner)
          storedBytes +=
              multiply(count, getApproximateBytes(value.getType()));
      time += multiply(count, model.getTime(call));
      return WalkResult::advance();
    }
    // The region's arguments, which are states that other couplings would give
    // back, are stored, too.
    BlockPlan region(coupling.getBody().front(), activity, /*isTaped=*/true);
    region.run(/*lowersPeak=*/false);
    storedBytes += multiply(count, region.getTapeBytes());
    time += multiply(count, model.getTime(coupling));
    couplings.push_back({count, planRegion(coupling, activity, model)});
    return WalkResult::skip();
  });
  // The first result of a coupling is its state.
  for (Type type :
       TypeRange(op->getResultTypes())
           .take_front(isa<rev::CouplingOp>(op) ? 1 : op->getNumResults()))
    stateBytes += getApproximateBytes(type);
  inverses = getInverseRun(op);
}

RegionPlan InvertedStage::getRegions(int64_t bytes) const {
  RegionPlan sum;
  for (const Coupling &coupling : couplings) {
    const RegionPlan *plan =
        llvm::find_if(coupling.plans, [&](const RegionPlan &p) {
          return p.peakBytes <= bytes;
        });
    if (plan == coupling.plans.end())
      plan = &coupling.plans.back();
    sum.peakBytes = std::max(sum.peakBytes, plan->peakBytes);
    sum.time += multiply(coupling.count, plan->time);
    llvm::append_range(sum.evaluatedAgain, plan->evaluatedAgain);
  }
  return sum;
}

SmallVector<int64_t> InvertedStage::getLevels() const {
  SmallVector<int64_t> levels;
  int64_t fewest = 0;
  for (const Coupling &coupling : couplings) {
    fewest = std::max(fewest, coupling.plans.back().peakBytes);
    for (const RegionPlan &plan : coupling.plans)
      levels.push_back(plan.peakBytes);
  }
  if (couplings.empty())
    levels.push_back(0);
  llvm::sort(levels, std::greater<>());
  levels.erase(llvm::unique(levels), levels.end());
  llvm::erase_if(levels, [&](int64_t bytes) { return bytes < fewest; });
  if (levels.size() > kMaxLevels) {
    SmallVector<int64_t> some;
    for (int i = 0; i < kMaxLevels; ++i)
      some.push_back(levels[i * (levels.size() - 1) / (kMaxLevels - 1)]);
    levels = std::move(some);
  }
  return levels;
}

int64_t InvertedStage::getLongestPeriod() const {
  int64_t low = 1, high = int64_t(1) << 40;
  while (low < high) {
    int64_t middle = low + (high - low + 1) / 2;
    if (inverses.getDrift(double(middle)) <= maxDrift)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

void InvertedStage::fill(StageOption &option, int64_t numInverted,
                         int64_t period, int64_t stored) const {
  int64_t count = numBlocks != 0 ? numInverted : kUnknownCount;
  int64_t states =
      period == 0 ? 0 : multiply(llvm::divideCeil(count, period), stateBytes);
  option.heldBytes = option.forwardBytes = stored + states;
  option.backwardBytes = option.heldBytes;
  option.time = multiply(count, time) + model.getStorageTime(option.heldBytes);
  option.endsDrift = false;
  if (maxDrift == kAnyDrift)
    return;
  // A loop may be of any length.
  double inverted = period != 0      ? double(period)
                    : numBlocks != 0 ? double(numInverted)
                                     : kAnyDrift;
  option.drift = inverses.getDrift(inverted);
  option.gain = inverses.getGain(inverted);
}

void InvertedStage::add(bool endsDrift, StorageChain &chain) const {
  StorageStage &stage = chain.stages.emplace_back();
  stage.op = op;
  ChainStage &options = chain.options.emplace_back();
  chain.defaults.push_back(0);
  SmallVector<RegionPlan> regions;
  for (int64_t level : getLevels())
    regions.push_back(getRegions(level));
  // The distances of states that are stored: none, and such that cut the loop
  // into a few parts, or into as many as there have to be.
  SmallVector<int64_t> periods{0};
  if (isLoop && maxDrift != kAnyDrift) {
    int64_t longest = getLongestPeriod();
    int64_t count = numBlocks != 0 ? numBlocks : longest + 1;
    for (int64_t parts : {2, 3, 4, 6, 8})
      if (int64_t part = (count + parts - 1) / parts; part < longest)
        periods.push_back(part);
    if (longest < count)
      periods.push_back(longest);
  }
  int64_t step =
      std::max<int64_t>(1, llvm::divideCeil(numBlocks, kMaxStoredCounts));
  // The last one is all of them.
  for (int64_t numLeft = numBlocks; numLeft > -step; numLeft -= step) {
    int64_t numStored = numBlocks - std::max<int64_t>(0, numLeft);
    int64_t stored = multiply(numStored, storedBytes);
    int64_t numInverted = numBlocks - numStored;
    if (numInverted == 0 && numBlocks != 0) {
      StageOption &option = options.emplace_back();
      option.heldBytes = option.forwardBytes = option.backwardBytes = stored;
      option.time = model.getStorageTime(stored);
      stage.choices.emplace_back().numStored = numStored;
      continue;
    }
    for (int64_t period : periods)
      if (numBlocks == 0 || period < numInverted)
        // Where there is room to store iterations, there is room for the values
        // of one.
        for (const RegionPlan &region : ArrayRef(regions).take_front(
                 numStored == 0 ? regions.size() : 1)) {
          StorageChoice &choice = stage.choices.emplace_back();
          choice.numStored = numStored;
          choice.period = period;
          choice.evaluatedAgain = region.evaluatedAgain;
          choice.savedBytes = regions.front().peakBytes - region.peakBytes;
          StageOption &option = options.emplace_back();
          fill(option, numInverted, period, stored);
          option.time += multiply(numInverted, region.time);
          option.endsDrift |= numStored != 0 || period != 0 || endsDrift;
        }
  }
  if (isLoop || maxDrift == kAnyDrift)
    return;
  // What the coupling was given is kept.
  StageOption &kept = options.emplace_back();
  kept.heldBytes = stateBytes;
  kept.forwardBytes = kept.backwardBytes = stateBytes;
  kept.time = time + model.getStorageTime(stateBytes);
  stage.choices.emplace_back().keepsState = true;
}

//===----------------------------------------------------------------------===//
// Loops with checkpoints
//===----------------------------------------------------------------------===//

/// How many iterations are run again if `slots` states are kept for a loop of
/// `count` iterations, beside the one before the last iteration: Griewank and
/// Walther, Revolve (ACM TOMS 26, 2000).
static int64_t getRepetitions(int64_t count, int64_t slots) {
  // From one state each iteration is reached anew.
  if (slots == 1)
    return multiply(count, count - 1) / 2;
  // Of each iteration, and how many iterations that is enough for:
  // C(slots + repeats, slots).
  int64_t repeats = 0, reach = 1;
  while (reach < count) {
    ++repeats;
    reach = multiply(reach, slots + repeats) / repeats;
  }
  // The first ones are repeated less often: C(slots + repeats, slots + 1).
  return std::max<int64_t>(0, multiply(repeats, count) -
                                  multiply(reach, repeats) / (slots + 1));
}

/// Whether `loop` may be run again: it computes, and nothing else.
static bool isRepeatable(scf::ForOp loop) {
  return isMemoryEffectFree(loop) &&
         !loop->walk([](func::CallOp) { return WalkResult::interrupt(); })
              .wasInterrupted() &&
         llvm::all_of(loop.getResultTypes(), [](Type type) {
           auto tensor = dyn_cast<RankedTensorType>(type);
           return !tensor || tensor.hasStaticShape();
         });
}

/// Adds a stage for a loop that is not inverted: it has tapes of all
/// iterations, or checkpoints.
static void addTapedLoop(scf::ForOp loop, const Activity &activity,
                         const CostModel &model, StorageChain &chain) {
  BlockPlan body(*loop.getBody(), activity, /*isTaped=*/true);
  body.run(/*lowersPeak=*/false);
  int64_t count = getConstantTripCount(loop).value_or(kUnknownCount);
  int64_t tape = body.getTapeBytes();
  int64_t iterationTime = model.getTime(loop) / std::max<int64_t>(1, count);
  StorageStage &stage = chain.stages.emplace_back();
  stage.op = loop;
  ChainStage &options = chain.options.emplace_back();
  chain.defaults.push_back(0);
  auto add = [&](int64_t slots, int64_t held, int64_t backward, int64_t time) {
    stage.choices.emplace_back().slots = slots;
    StageOption &option = options.emplace_back();
    option.heldBytes = option.forwardBytes = held;
    option.backwardBytes = backward;
    option.time = time + model.getStorageTime(held);
  };
  int64_t all = multiply(count, tape);
  add(0, all, all, 0);
  // The program may ask for the states of this one.
  if (loop->hasAttr(kStoredAttrName) || !getConstantTripCount(loop) ||
      !isRepeatable(loop))
    return;
  int64_t state = 0;
  for (Type type : loop.getResultTypes())
    state += getApproximateBytes(type);
  for (int64_t slots = 1; slots < count - 1;
       slots += std::max<int64_t>(1, slots / 4)) {
    int64_t held = multiply(slots + 1, state);
    // One iteration's values, and the state from which it is reached.
    int64_t backward = held + tape + state;
    if (backward < all)
      add(slots, held, backward,
          multiply(getRepetitions(count, slots), iterationTime));
  }
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// Whether what the inverse of `op` starts from is no inverse's result.
static bool startsFromExactValues(Operation *op, Block &block) {
  auto invertible = cast<InvertibleOpInterface>(op);
  InverseEdge edge = invertible.getInverseEdges()[*getPlannedEdge(op)];
  return llvm::none_of(edge.from, [&](Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      Operation *ancestor = block.findAncestorOpInBlock(*user);
      if (!ancestor || ancestor == op || !getPlannedEdge(ancestor))
        return false;
      auto other = cast<InvertibleOpInterface>(ancestor);
      return llvm::is_contained(
          other.getInverseEdges()[*getPlannedEdge(ancestor)].solved, value);
    });
  });
}

StorageChain memrev::buildStorageChain(Block &block, const Activity &activity,
                                       const CostModel &model,
                                       double maxDrift) {
  BlockPlan plan(block, activity, /*isTaped=*/false);
  plan.run(/*lowersPeak=*/true);
  SmallVector<Candidate> candidates = plan.getCandidates();
  const Candidate *next = candidates.begin();
  StorageChain chain;
  addBeginning(chain);
  for (Operation &op : block) {
    if (next != candidates.end() && next->op == &op) {
      addCandidate(*next++, plan.isEvaluatedAgain(&op), model, chain);
    } else if (isa<rev::CouplingOp, scf::ForOp, func::CallOp>(op) &&
               getPlannedEdge(&op) && !op.hasAttr(kKeepsStateAttrName)) {
      InvertedStage stage(&op, activity, model, maxDrift);
      if (stage.isWorthStoring())
        stage.add(startsFromExactValues(&op, block), chain);
    } else if (isTapedLoop(&op)) {
      addTapedLoop(cast<scf::ForOp>(op), activity, model, chain);
    }
  }
  addOthers(plan, plan.getTimelineWithoutCandidates(), chain);
  return chain;
}
