//===- BarrierOperations.cpp - Barriers of a block, and fences ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include <map>

using namespace memrev::simt;

namespace {
enum ReductionMode { kNone, kAnd, kOr, kCount };
} // namespace

/// Arguments: the number of the barrier; the number of threads, if it is not
/// all; a predicate, if there is a reduction. Parameters: whether there is a
/// number of threads, whether warps arrive as a whole, whether to wait, and the
/// reduction.
static void runBarrier(Machine &machine, const Operation &operation,
                       Slots slots) {
  const unsigned *p = operation.parameters;
  unsigned count = p[0] ? slots.get<uint32_t>(1) : machine.getNumThreads();
  auto mode = static_cast<ReductionMode>(p[3]);
  bool predicate = mode != kNone && slots.get<uint8_t>(p[0] ? 2 : 1);
  unsigned numTrue = machine.arriveAtBarrier(slots.get<uint32_t>(0), count,
                                             p[1] != 0, p[2] != 0, predicate);
  if (mode == kAnd)
    slots.set<uint8_t>(0, numTrue == count);
  else if (mode == kOr)
    slots.set<uint8_t>(0, numTrue != 0);
  else if (mode == kCount)
    slots.set<uint32_t>(0, numTrue);
}

static void runFence(Machine &machine, const Operation &, Slots) {
  machine.fence(machine.getThread());
}

static void runProxyFence(Machine &machine, const Operation &, Slots) {
  machine.fenceProxy(machine.getThread());
}

bool memrev::simt::selectBarrierIntrinsic(const std::string &name,
                                          Operation &operation) {
  std::string prefix = "barrier.cta.";
  if (name.rfind(prefix, 0) == 0) {
    static const std::pair<const char *, ReductionMode> kinds[] = {
        {"sync.", kNone},
        {"arrive.", kNone},
        {"red.and.", kAnd},
        {"red.or.", kOr},
        {"red.popc.", kCount}};
    std::string rest = name.substr(prefix.size());
    for (auto [kind, mode] : kinds) {
      if (rest.rfind(kind, 0) != 0)
        continue;
      std::string form = rest.substr(std::string(kind).size());
      bool aligned = form.rfind("aligned.", 0) == 0;
      if (aligned)
        form.erase(0, 8);
      if (form != "all" && form != "count")
        return false;
      operation.run = runBarrier;
      operation.parameters[0] = form == "count";
      operation.parameters[1] = aligned;
      operation.parameters[2] = rest.rfind("arrive.", 0) != 0;
      operation.parameters[3] = mode;
      return true;
    }
    return false;
  }

  for (const char *fence :
       {"membar.cta", "membar.gl", "membar.sys", "fence.sc.cluster",
        "fence.mbarrier_init.release.cluster"})
    if (name == fence)
      operation.run = runFence;
  for (const char *fence :
       {"fence.proxy.async", "fence.proxy.async.global",
        "fence.proxy.async.shared_cluster", "fence.proxy.async.shared_cta"})
    if (name == fence)
      operation.run = runProxyFence;
  return operation.run;
}
