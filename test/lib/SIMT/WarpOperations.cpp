//===- WarpOperations.cpp - Operations of the lanes of a warp -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Numbers.h"
#include <algorithm>

using namespace memrev::simt;

//===----------------------------------------------------------------------===//
// Shuffles
//===----------------------------------------------------------------------===//

namespace {
enum ShuffleMode { kIndex, kUp, kDown, kButterfly };
enum VoteMode { kAll, kAny, kUniform, kBallot };
enum ReductionMode {
  kAdd,
  kMin,
  kMax,
  kUnsignedMin,
  kUnsignedMax,
  kAnd,
  kOr,
  kXor
};
} // namespace

/// Arguments: mask, value, lane, clamp and segment mask. Results: the value,
/// and whether the source lane was in range.
static void evaluateShuffle(Machine &machine, Thread *const *lanes,
                            uint32_t mask) {
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    Slots slots = lanes[lane]->slots;
    uint32_t operand = slots.get<uint32_t>(2), packed = slots.get<uint32_t>(3);
    uint32_t clamp = packed & 31, segment = packed >> 8 & 31;
    uint32_t high = (lane & segment) | (clamp & ~segment & 31);
    uint32_t low = lane & segment;
    int64_t source = 0;
    bool inRange = false;
    operand &= 31;
    switch (static_cast<ShuffleMode>(lanes[lane]->operation->parameters[0])) {
    case kUp:
      source = int64_t(lane) - operand;
      inRange = source >= high;
      break;
    case kDown:
      source = int64_t(lane) + operand;
      inRange = source <= high;
      break;
    case kButterfly:
      source = lane ^ operand;
      inRange = source <= high;
      break;
    case kIndex:
      source = low | (operand & ~segment);
      inRange = source <= high;
      break;
    }
    if (!inRange)
      source = lane;
    if (!(mask >> source & 1))
      machine.fail(kLaunchFailed, "reads from lane " + std::to_string(source) +
                                      ", which does not take part");
    slots.set(0, lanes[source]->slots.get<uint32_t>(1));
    if (lanes[lane]->operation->parameters[1])
      slots.set<uint8_t>(1, inRange);
  }
}

static void runShuffle(Machine &machine, const Operation &, Slots slots) {
  machine.meetWarp(slots.get<uint32_t>(0), evaluateShuffle);
}

//===----------------------------------------------------------------------===//
// Votes, reductions and their kin
//===----------------------------------------------------------------------===//

/// Arguments: mask, predicate.
static void evaluateVote(Machine &, Thread *const *lanes, uint32_t mask) {
  uint32_t ballot = 0;
  for (unsigned lane = 0; lane < kWarpSize; ++lane)
    if (mask >> lane & 1)
      ballot |= uint32_t(lanes[lane]->slots.get<uint8_t>(1)) << lane;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    Slots slots = lanes[lane]->slots;
    switch (static_cast<VoteMode>(lanes[lane]->operation->parameters[0])) {
    case kAll:
      slots.set<uint8_t>(0, ballot == mask);
      break;
    case kAny:
      slots.set<uint8_t>(0, ballot != 0);
      break;
    case kUniform:
      slots.set<uint8_t>(0, ballot == 0 || ballot == mask);
      break;
    case kBallot:
      slots.set(0, ballot);
      break;
    }
  }
}

static void runVote(Machine &machine, const Operation &, Slots slots) {
  machine.meetWarp(slots.get<uint32_t>(0), evaluateVote);
}

static uint32_t combine(ReductionMode mode, uint32_t x, uint32_t y) {
  auto signedX = static_cast<int32_t>(x), signedY = static_cast<int32_t>(y);
  switch (mode) {
  case kAdd:
    return x + y;
  case kMin:
    return static_cast<uint32_t>(std::min(signedX, signedY));
  case kMax:
    return static_cast<uint32_t>(std::max(signedX, signedY));
  case kUnsignedMin:
    return std::min(x, y);
  case kUnsignedMax:
    return std::max(x, y);
  case kAnd:
    return x & y;
  case kOr:
    return x | y;
  case kXor:
    return x ^ y;
  }
  return 0;
}

/// Arguments: value, mask.
static void evaluateReduction(Machine &, Thread *const *lanes, uint32_t mask) {
  bool isFirst = true;
  uint32_t result = 0;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    auto mode =
        static_cast<ReductionMode>(lanes[lane]->operation->parameters[0]);
    auto value = lanes[lane]->slots.get<uint32_t>(0);
    result = isFirst ? value : combine(mode, result, value);
    isFirst = false;
  }
  for (unsigned lane = 0; lane < kWarpSize; ++lane)
    if (mask >> lane & 1)
      lanes[lane]->slots.set(0, result);
}

static void runReduction(Machine &machine, const Operation &, Slots slots) {
  machine.meetWarp(slots.get<uint32_t>(1), evaluateReduction);
}

/// Arguments: mask, value. The result has the lanes with an equal value.
static void evaluateMatch(Machine &, Thread *const *lanes, uint32_t mask) {
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    uint32_t equal = 0;
    for (unsigned other = 0; other < kWarpSize; ++other)
      if (mask >> other & 1)
        equal |= uint32_t(lanes[other]->slots.get<uint32_t>(1) ==
                          lanes[lane]->slots.get<uint32_t>(1))
                 << other;
    lanes[lane]->slots.set(0, equal);
  }
}

static void runMatch(Machine &machine, const Operation &, Slots slots) {
  machine.meetWarp(slots.get<uint32_t>(0), evaluateMatch);
}

/// Argument: mask. Results: the first lane of it, and whether this is it.
static void evaluateElection(Machine &, Thread *const *lanes, uint32_t mask) {
  uint32_t leader = __builtin_ctz(mask);
  for (unsigned lane = 0; lane < kWarpSize; ++lane)
    if (mask >> lane & 1) {
      lanes[lane]->slots.set(0, leader);
      lanes[lane]->slots.set<uint8_t>(1, lane == leader);
    }
}

static void runElection(Machine &machine, const Operation &, Slots slots) {
  machine.meetWarp(slots.get<uint32_t>(0), evaluateElection);
}

static void runWarpBarrier(Machine &machine, const Operation &, Slots slots) {
  machine.meetWarp(slots.get<uint32_t>(0),
                   [](Machine &, Thread *const *, uint32_t) {});
}

bool memrev::simt::selectWarpIntrinsic(const std::string &name,
                                       Operation &operation) {
  if (name.rfind("shfl.sync.", 0) == 0) {
    std::string rest = name.substr(10);
    static const std::pair<const char *, ShuffleMode> modes[] = {
        {"idx.", kIndex},
        {"up.", kUp},
        {"down.", kDown},
        {"bfly.", kButterfly}};
    for (auto [prefix, mode] : modes)
      if (rest.rfind(prefix, 0) == 0) {
        operation.run = runShuffle;
        operation.parameters[0] = mode;
        operation.parameters[1] = rest.back() == 'p';
        return true;
      }
    return false;
  }
  static const std::pair<const char *, VoteMode> votes[] = {
      {"vote.all.sync", kAll},
      {"vote.any.sync", kAny},
      {"vote.uni.sync", kUniform},
      {"vote.ballot.sync", kBallot}};
  for (auto [known, mode] : votes)
    if (name == known) {
      operation.run = runVote;
      operation.parameters[0] = mode;
      return true;
    }
  static const std::pair<const char *, ReductionMode> reductions[] = {
      {"redux.sync.add", kAdd},
      {"redux.sync.min", kMin},
      {"redux.sync.max", kMax},
      {"redux.sync.umin", kUnsignedMin},
      {"redux.sync.umax", kUnsignedMax},
      {"redux.sync.and", kAnd},
      {"redux.sync.or", kOr},
      {"redux.sync.xor", kXor}};
  for (auto [known, mode] : reductions)
    if (name == known) {
      operation.run = runReduction;
      operation.parameters[0] = mode;
      return true;
    }
  if (name == "match.any.sync.i32")
    operation.run = runMatch;
  else if (name == "elect.sync")
    operation.run = runElection;
  else if (name == "bar.warp.sync")
    operation.run = runWarpBarrier;
  return operation.run;
}
