//===- MemoryBarrier.cpp - Barriers that are objects in shared memory -----===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MemoryBarrier.h"
#include "Machine.h"
#include <algorithm>
#include <limits>

using namespace memrev::simt;

/// The object is eight bytes, which only these operations understand.
static void accessObject(Machine &machine, uintptr_t address, bool isAtomic) {
  Machine::OperationAccess access;
  access.address = address;
  access.bytes = access.alignment = 8;
  access.kind = AccessKind::Write;
  access.isAtomic = isAtomic;
  access.space = Machine::OperationAccess::Shared;
  machine.access(access);
}

MemoryBarrier &memrev::simt::getMemoryBarrier(Machine &machine,
                                              uintptr_t address) {
  accessObject(machine, address, /*isAtomic=*/true);
  auto found = machine.memoryBarriers.find(address);
  if (found == machine.memoryBarriers.end())
    machine.fail(kLaunchFailed, "expects a memory barrier that has been "
                                "initialized");
  return found->second;
}

static void completePhase(Machine &machine, MemoryBarrier &barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0)
    return;
  ClockPool &clocks = machine.getClocks();
  if (!barrier.completed) {
    barrier.completed = clocks.make();
    clocks.retain(barrier.completed);
  }
  // Who sees the end of a phase has seen those before.
  if (barrier.gathered) {
    barrier.completed->join(*barrier.gathered);
    clocks.release(barrier.gathered);
    barrier.gathered = nullptr;
  }
  machine.noteProgress();
  ++barrier.phase;
  barrier.completed->raise(barrier.agent, barrier.phase);
  barrier.pending = barrier.expected;
  std::vector<Thread *> waiting;
  waiting.swap(barrier.waiting);
  for (Thread *thread : waiting)
    machine.wake(*thread);
}

void memrev::simt::completeBytes(Machine &machine, MemoryBarrier &barrier,
                                 int64_t bytes) {
  barrier.bytes -= bytes;
  completePhase(machine, barrier);
}

static void gather(Machine &machine, MemoryBarrier &barrier) {
  ClockPool &clocks = machine.getClocks();
  if (!barrier.gathered) {
    barrier.gathered = clocks.make();
    clocks.retain(barrier.gathered);
  }
  machine.release(machine.getThread(), *barrier.gathered);
}

static void arrive(Machine &machine, MemoryBarrier &barrier, uint32_t count,
                   bool drop) {
  if (count == 0 || count > barrier.pending)
    machine.fail(kLaunchFailed, "arrives " + std::to_string(count) +
                                    " times at a memory barrier that expects " +
                                    std::to_string(barrier.pending) + " more");
  gather(machine, barrier);
  barrier.pending -= count;
  if (drop)
    barrier.expected -= count;
  completePhase(machine, barrier);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// Arguments: address, number of arrivals.
static void runInit(Machine &machine, const Operation &, Slots slots) {
  auto address = slots.get<uintptr_t>(0);
  auto count = slots.get<uint32_t>(1);
  constexpr uint32_t limit = (1u << 20) - 1;
  if (count == 0 || count > limit)
    machine.fail(kLaunchFailed, "expects 1 to 1048575 arrivals, but got " +
                                    std::to_string(count));
  accessObject(machine, address, /*isAtomic=*/false);
  MemoryBarrier barrier;
  barrier.expected = barrier.pending = count;
  barrier.agent = machine.makeAgent();
  if (!machine.memoryBarriers.emplace(address, barrier).second)
    machine.fail(kLaunchFailed,
                 "initializes a memory barrier that is in use already");
}

static void runInvalidate(Machine &machine, const Operation &, Slots slots) {
  auto address = slots.get<uintptr_t>(0);
  getMemoryBarrier(machine, address);
  accessObject(machine, address, /*isAtomic=*/false);
  machine.memoryBarriers.erase(address);
}

/// Argument: address; the number of arrivals or of bytes if the parameters say
/// so. Parameters: whether to arrive, whether to expect bytes, whether there is
/// a count, whether to drop.
static void runArrive(Machine &machine, const Operation &operation,
                      Slots slots) {
  const unsigned *p = operation.parameters;
  MemoryBarrier &barrier = getMemoryBarrier(machine, slots.get<uintptr_t>(0));
  if (p[1])
    barrier.bytes += slots.get<uint32_t>(1);
  if (p[0])
    arrive(machine, barrier, p[2] ? slots.get<uint32_t>(1) : 1, p[3] != 0);
}

static void runCompleteBytes(Machine &machine, const Operation &, Slots slots) {
  completeBytes(machine, getMemoryBarrier(machine, slots.get<uintptr_t>(0)),
                slots.get<uint32_t>(1));
}

/// Arguments: address, parity of the phase to wait for. Parameter: whether to
/// wait, which may yet end before the phase does.
static void runWaitParity(Machine &machine, const Operation &operation,
                          Slots slots) {
  MemoryBarrier &barrier = getMemoryBarrier(machine, slots.get<uintptr_t>(0));
  Thread &thread = machine.getThread();
  auto parity = slots.get<uint32_t>(1);
  if (parity > 1)
    machine.fail(kLaunchFailed,
                 "expects the parity of a phase, 0 or 1, but got " +
                     std::to_string(parity));
  if ((barrier.phase & 1) == parity) {
    if (operation.parameters[0] && machine.getRandom().below(2)) {
      barrier.waiting.push_back(&thread);
      machine.block(Wait::MemoryBarrier, 0);
    } else {
      machine.yield();
    }
  }
  bool isDone = (barrier.phase & 1) != parity;
  slots.set<uint8_t>(0, isDone);
  if (isDone && barrier.completed)
    machine.acquire(thread, *barrier.completed);
}

/// Argument: address. Arrives when the copies that the thread has started have
/// landed. Parameter: whether that is one of the arrivals that are expected.
static void runArriveAfterCopies(Machine &machine, const Operation &operation,
                                 Slots slots) {
  MemoryBarrier &barrier = getMemoryBarrier(machine, slots.get<uintptr_t>(0));
  Thread &thread = machine.getThread();
  commitCopies(thread.copies);
  landCopies(thread.copies, 0);
  if (!operation.parameters[0])
    ++barrier.pending;
  // Who waits for the barrier knows of the copies; this thread does not yet.
  gather(machine, barrier);
  barrier.gathered->raise(machine.getNumThreads() + thread.index,
                          thread.copies.committed);
  --barrier.pending;
  completePhase(machine, barrier);
}

bool memrev::simt::selectMemoryBarrierIntrinsic(const std::string &name,
                                                Operation &operation) {
  // Scopes and address spaces are one: a cluster is one block.
  std::string base = name;
  for (const char *suffix : {".space.cta", ".space.cluster", ".scope.cta",
                             ".scope.cluster", ".relaxed", ".shared"}) {
    std::string text = suffix;
    if (base.size() > text.size() &&
        base.compare(base.size() - text.size(), text.size(), text) == 0)
      base.resize(base.size() - text.size());
  }
  unsigned *p = operation.parameters;
  auto set = [&](unsigned arrives, unsigned bytes, unsigned count,
                 unsigned drop) {
    operation.run = runArrive;
    p[0] = arrives, p[1] = bytes, p[2] = count, p[3] = drop;
  };
  if (base == "mbarrier.init") {
    operation.run = runInit;
  } else if (base == "mbarrier.inval") {
    operation.run = runInvalidate;
  } else if (base == "mbarrier.arrive") {
    // The newer form has a count.
    set(1, 0, name.find(".scope.") != std::string::npos, 0);
  } else if (base == "mbarrier.arrive.noComplete") {
    set(1, 0, 1, 0);
  } else if (base == "mbarrier.arrive.drop") {
    set(1, 0, name.find(".scope.") != std::string::npos, 1);
  } else if (base == "mbarrier.arrive.expect.tx") {
    set(1, 1, 0, 0);
  } else if (base == "mbarrier.arrive.drop.expect.tx") {
    set(1, 1, 0, 1);
  } else if (base == "mbarrier.expect.tx") {
    set(0, 1, 0, 0);
  } else if (base == "mbarrier.complete.tx") {
    operation.run = runCompleteBytes;
  } else if (base == "mbarrier.try.wait.parity" ||
             base == "mbarrier.try.wait.parity.tl") {
    operation.run = runWaitParity;
    p[0] = 1;
  } else if (base == "mbarrier.test.wait.parity") {
    operation.run = runWaitParity;
  } else if (base == "cp.async.mbarrier.arrive" ||
             base == "cp.async.mbarrier.arrive.noinc") {
    operation.run = runArriveAfterCopies;
    p[0] = base.size() > sizeof("cp.async.mbarrier.arrive");
  }
  return operation.run;
}
