//===- Machine.cpp - Blocks of threads under random schedules -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <sys/mman.h>

using namespace memrev::simt;

/// A thread that only yields this often while no other does anything waits for
/// what will not come.
static constexpr unsigned kMaxIdleYields = 1 << 24;

static constexpr size_t kStackBytes = 64 << 10;

Machine::Machine(DeviceMemory &memory, const Options &options)
    : memory(memory), options(options) {
  // Addresses of shared memory have 32 bits where code asks for that, and
  // descriptors of matrices their lower 18.
  void *window =
      mmap(nullptr, 2 * kSharedWindow, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);
  if (window == MAP_FAILED) {
    std::perror("memrev-simt: cannot map shared memory below 4 GiB");
    std::abort();
  }
  auto address = reinterpret_cast<uintptr_t>(window);
  sharedBase = (address + kSharedWindow - 1) / kSharedWindow * kSharedWindow;
  sharedCells.resize(kSharedWindow / 4);
  shared.cover(sharedCells.data());
}

Machine::~Machine() = default;

//===----------------------------------------------------------------------===//
// Grids and blocks
//===----------------------------------------------------------------------===//

std::optional<Failure> Machine::run(const Launch &toRun) {
  launch = &toRun;
  failure.reset();
  reported.clear();
  numThreads = toRun.block.x * toRun.block.y * toRun.block.z;
  while (threads.size() < numThreads)
    threads.push_back(std::make_unique<Thread>());

  DeviceMemory::Contents before, after;
  if (options.schedules > 1)
    before = memory.save();
  for (schedule = 0; schedule < options.schedules && !failure; ++schedule) {
    if (schedule > 0)
      memory.restore(before);
    // No two launches of a program have the same order of threads.
    random = Random((options.seed + schedule) * 0x9e3779b9 + numLaunches);
    runGrid();
    if (failure || options.schedules == 1)
      break;
    if (schedule == 0)
      after = memory.save();
    else
      compareWith(after);
  }
  ++numLaunches;
  launch = nullptr;
  return failure;
}

void Machine::compareWith(const DeviceMemory::Contents &expected) {
  for (const auto &[begin, bytes] : memory.save()) {
    const std::vector<char> &first = expected.at(begin);
    auto differs =
        std::mismatch(bytes.begin(), bytes.end(), first.begin()).first;
    if (differs == bytes.end())
      continue;
    failure = {kLaunchFailed,
               "kernel '" + launch->kernel->name +
                   "' depends on the schedule: byte " +
                   std::to_string(differs - bytes.begin()) +
                   " of an allocation of " + std::to_string(bytes.size()) +
                   " bytes differs with seeds " + std::to_string(options.seed) +
                   " and " + std::to_string(options.seed + schedule)};
    return;
  }
}

void Machine::runGrid() {
  memory.shadow.forget();
  firstBlock = blockNumber + 1;
  released.clear();
  Dim3 grid = launch->grid;
  size_t count = size_t(grid.x) * grid.y * grid.z;
  if (options.traffic)
    traffic.startLaunch(*launch->kernel, count);
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[random.below(i)]);
  if (options.traffic > 0 && options.traffic < count)
    order.resize(options.traffic);
  for (uint32_t number : order) {
    runBlock(
        {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y});
    if (failure)
      return;
  }
}

void Machine::layOutShared() {
  // In the order of ptxas: what has a fixed size comes first.
  uintptr_t next = sharedBase;
  for (bool dynamic : {false, true})
    for (const SharedVariable &variable : launch->kernel->shared) {
      if (variable.isDynamic != dynamic)
        continue;
      next = (next + variable.alignment - 1) / variable.alignment *
             variable.alignment;
      *variable.address = next;
      // All names for the dynamic memory stand for the same.
      next += variable.isDynamic ? 0 : variable.bytes;
    }
  sharedBytes = next - sharedBase + launch->dynamicSharedBytes;
}

void Machine::startThreads(Dim3 index) {
  const Launch &l = *launch;
  Clock *nothing = clocks.make();
  for (unsigned i = 0; i < numThreads; ++i) {
    Thread &thread = *threads[i];
    thread.index = i;
    thread.lane = i % kWarpSize;
    thread.warp = i / kWarpSize;
    uint32_t *r = thread.registers;
    r[kTidX] = i % l.block.x;
    r[kTidY] = i / l.block.x % l.block.y;
    r[kTidZ] = i / l.block.x / l.block.y;
    r[kNtidX] = l.block.x, r[kNtidY] = l.block.y, r[kNtidZ] = l.block.z;
    r[kCtaidX] = index.x, r[kCtaidY] = index.y, r[kCtaidZ] = index.z;
    r[kNctaidX] = l.grid.x, r[kNctaidY] = l.grid.y, r[kNctaidZ] = l.grid.z;
    r[kLaneId] = thread.lane;
    r[kWarpId] = thread.warp;
    r[kNwarpId] = (numThreads + kWarpSize - 1) / kWarpSize;
    r[kWarpSizeRegister] = kWarpSize;
    uint32_t bit = 1u << thread.lane;
    r[kLanemaskEq] = bit;
    r[kLanemaskLt] = bit - 1;
    r[kLanemaskLe] = bit | (bit - 1);
    r[kLanemaskGe] = ~(bit - 1);
    r[kLanemaskGt] = ~(bit | (bit - 1));
    r[kZeroRegister] = 0;
    r[kOneRegister] = 1;
    r[kDynamicSharedBytes] = l.dynamicSharedBytes;
    r[kTotalSharedBytes] = sharedBytes;
    thread.done = false;
    thread.wait = Wait::Nothing;
    thread.clock = nothing;
    clocks.retain(nothing);
    thread.time = 1;
    thread.copiesKnown = 0;
    thread.fencedClock = nothing;
    clocks.retain(nothing);
    thread.fencedTime = 0;
    thread.fencedCopies = 0;
    thread.knownBlocks = thread.fenced = thread.acquirable = nullptr;
    thread.copies = AsyncCopies();
    thread.stores = BulkStores();
    thread.productsFenced = false;
    thread.productsPending = false;
    thread.fiber.start(
        kStackBytes + 4 * l.kernel->localBytes,
        [](void *argument) {
          auto &machine = *static_cast<Machine *>(argument);
          machine.launch->kernel->entry(
              const_cast<char *>(machine.launch->getParameters()));
          Thread &self = machine.getThread();
          commitCopies(self.copies);
          landCopies(self.copies, 0);
          commitStores(self.stores);
          landStores(self.stores, 0);
          self.done = true;
          ++machine.numDone;
          machine.noteProgress();
          self.fiber.suspend();
        },
        this);
    ready.push_back(&thread);
  }
}

void Machine::runBlock(Dim3 index) {
  blockIndex = index;
  ++blockNumber;
  layOutShared();
  std::memset(reinterpret_cast<void *>(sharedBase), 0xff, sharedBytes);
  std::fill(sharedCells.begin(), sharedCells.begin() + sharedBytes / 4 + 1,
            Cell());
  shared.forget();

  ready.clear();
  numDone = 0;
  idleYields = 0;
  nextAgent = 2 * numThreads;
  copiesLate = options.async == AsyncMode::Random
                   ? random.below(2)
                   : options.async == AsyncMode::Wait;
  // Some schedules are fair, others let some warps run ahead of others.
  tournament = random.below(2) ? 1 : 8;
  missingLanes.assign(kMaxThreads / kWarpSize, nullptr);
  priorities.resize((numThreads + kWarpSize - 1) / kWarpSize);
  for (unsigned &priority : priorities)
    priority = random.below(1 << 30);
  startThreads(index);

  while (!failure && numDone < numThreads) {
    // Threads that only ask again and again wait for late work, too.
    if (!late.empty() && (ready.empty() || idleYields > 4 * numThreads)) {
      runLate();
      continue;
    }
    if (ready.empty()) {
      noteFailure(kLaunchFailed, describeDeadlock());
      break;
    }
    current = pickReady();
    current->fiber.resume();
  }
  if (!failure && !late.empty())
    noteLate("ends before its bulk copies have arrived");
  finishBlock();
}

void Machine::addLate(std::function<void()> work) {
  if (copiesLate)
    late.push_back(std::move(work));
  else
    work();
}

void Machine::runLate() {
  std::swap(late[random.below(late.size())], late.back());
  std::function<void()> work = std::move(late.back());
  late.pop_back();
  work();
  idleYields = 0;
}

WarpgroupState &Machine::getWarpgroup(unsigned index) {
  while (warpgroups.size() <= index) {
    warpgroups.emplace_back();
    warpgroups.back().agent = makeAgent();
  }
  return warpgroups[index];
}

void Machine::finishBlock() {
  if (options.traffic)
    traffic.finishBlock(*launch->kernel);
  auto drop = [&](Clock *&clock) {
    clocks.release(clock);
    clock = nullptr;
  };
  for (unsigned i = 0; i < numThreads; ++i)
    drop(threads[i]->clock), drop(threads[i]->fencedClock);
  for (Barrier &barrier : barriers) {
    drop(barrier.released);
    barrier = Barrier();
  }
  for (auto &[address, barrier] : memoryBarriers) {
    drop(barrier.gathered);
    drop(barrier.completed);
  }
  memoryBarriers.clear();
  warpgroups.clear();
  late.clear();
  current = nullptr;
}

Thread *Machine::pickReady() {
  unsigned best = random.below(ready.size());
  // Warps that ask again and again must not keep others from their work.
  unsigned rounds = idleYields > numThreads ? 1 : tournament;
  for (unsigned i = 1; i < rounds; ++i) {
    unsigned other = random.below(ready.size());
    if (priorities[ready[other]->warp] > priorities[ready[best]->warp])
      best = other;
  }
  std::swap(ready[best], ready.back());
  Thread *thread = ready.back();
  ready.pop_back();
  return thread;
}

uint32_t Machine::makeAgent() {
  // Epochs have room for so many.
  if (nextAgent >= 4096)
    fail(kNotSupported, "needs more agents than the emulator can tell apart");
  return nextAgent++;
}

//===----------------------------------------------------------------------===//
// Threads that wait and go on
//===----------------------------------------------------------------------===//

void Machine::wake(Thread &thread) {
  thread.wait = Wait::Nothing;
  ready.push_back(&thread);
  idleYields = 0;
}

void Machine::yield() {
  // All that is ready only yields once the count exceeds any fair share.
  if (++idleYields > kMaxIdleYields)
    fail(kLaunchFailed, "spins without end, waiting for what no thread of its "
                        "block will do");
  ready.push_back(current);
  current->fiber.suspend();
}

void Machine::block(Wait wait, uint32_t waitsFor) {
  Thread &self = *current;
  self.wait = wait;
  self.waitsFor = waitsFor;
  self.fiber.suspend();
}

void Machine::meetWarp(uint32_t mask,
                       void (*evaluate)(Machine &, Thread *const *lanes,
                                        uint32_t mask)) {
  Thread &self = *current;
  if (!(mask >> self.lane & 1))
    fail(kLaunchFailed, "is not in the mask of the lanes that take part");
  auto isHere = [&](const Thread &other) {
    return other.wait == Wait::Warp && other.waitsFor == mask &&
           other.operation == self.operation;
  };
  // Most lanes find that one which another has missed is still not here.
  Thread *&missing = missingLanes[self.warp];
  bool isMissing = missing && missing != &self && !missing->done &&
                   mask >> missing->lane & 1 && !isHere(*missing);
  if (isMissing) {
    block(Wait::Warp, mask);
    return;
  }
  Thread *lanes[kWarpSize] = {};
  Thread *taking[kWarpSize];
  unsigned numTaking = 0, numHere = 1;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    unsigned index = self.warp * kWarpSize + lane;
    if (index >= numThreads)
      fail(kLaunchFailed, "expects lane " + std::to_string(lane) +
                              " of its warp, which the block does not have");
    Thread &other = *threads[index];
    if (other.done)
      fail(kLaunchFailed, "expects lane " + std::to_string(lane) +
                              " of its warp, which has ended");
    if (isHere(other))
      ++numHere;
    else if (&other != &self)
      missing = &other;
    lanes[lane] = &other;
    taking[numTaking++] = &other;
  }
  self.wait = Wait::Warp;
  self.waitsFor = mask;
  if (numHere == numTaking) {
    evaluate(*this, lanes, mask);
    synchronize(taking, numTaking, nullptr);
    for (unsigned i = 0; i < numTaking; ++i)
      wake(*taking[i]);
  }
  self.fiber.suspend();
}

void Machine::meetWarpgroup(void (*evaluate)(Machine &, Thread *const *)) {
  constexpr unsigned size = 4 * kWarpSize;
  Thread &self = *current;
  unsigned first = self.index / size * size;
  if (first + size > numThreads)
    fail(kLaunchFailed, "expects a warpgroup of 128 threads, but the block "
                        "ends before");
  Thread *members[size];
  unsigned numHere = 1;
  for (unsigned i = 0; i < size; ++i) {
    Thread &other = *threads[first + i];
    if (other.done)
      fail(kLaunchFailed, "expects all threads of its warpgroup, but " +
                              describe(other) + " has ended");
    numHere +=
        other.wait == Wait::Warpgroup && other.operation == self.operation;
    members[i] = &other;
  }
  self.wait = Wait::Warpgroup;
  if (numHere == size) {
    evaluate(*this, members);
    synchronize(members, size, nullptr);
    for (Thread *member : members)
      wake(*member);
  }
  self.fiber.suspend();
}

unsigned Machine::arriveAtBarrier(unsigned number, unsigned count, bool aligned,
                                  bool wait, bool predicate) {
  Thread &self = *current;
  if (number >= kNumBarriers)
    fail(kLaunchFailed,
         "expects a barrier from 0 to 15, but got " + std::to_string(number));
  // All the threads of a block need not be whole warps, but others do.
  if (count == 0 || count > numThreads ||
      (count != numThreads && count % kWarpSize != 0))
    fail(kLaunchFailed, "expects a number of threads that are whole warps of "
                        "the block, but got " +
                            std::to_string(count));
  Barrier &barrier = barriers[number];
  if (barrier.arrived > 0 && barrier.expected != count)
    fail(kLaunchFailed, "expects " + std::to_string(barrier.expected) +
                            " threads at barrier " + std::to_string(number) +
                            " as those before it, but got " +
                            std::to_string(count));
  if (barrier.arrived > 0 && barrier.aligned != aligned)
    fail(kLaunchFailed, "arrives at barrier " + std::to_string(number) +
                            " by an instruction of another kind than those "
                            "before it");
  barrier.expected = count;
  barrier.aligned = aligned;
  ++barrier.arrived;
  self.predicate = predicate;
  if (wait) {
    barrier.waiting.push_back(&self);
    self.wait = Wait::Barrier;
    self.waitsFor = number;
  } else {
    if (!barrier.released) {
      barrier.released = clocks.make();
      clocks.retain(barrier.released);
    }
    release(self, *barrier.released);
  }
  if (barrier.arrived == barrier.expected)
    completeBarrier(barrier, number);
  if (!wait)
    return 0;
  self.fiber.suspend();
  // The number of true predicates comes back in the same place.
  return self.waitsFor;
}

void Machine::completeBarrier(Barrier &barrier, unsigned number) {
  unsigned numTrue = 0;
  std::vector<Thread *> waiting;
  waiting.swap(barrier.waiting);
  if (barrier.aligned) {
    // A warp comes as a whole, at one instruction.
    std::vector<unsigned> lanes(priorities.size());
    std::vector<Thread *> first(priorities.size());
    for (Thread *thread : waiting) {
      Thread *&leader = first[thread->warp];
      if (!leader)
        leader = thread;
      if (leader->operation != thread->operation)
        fail(kLaunchFailed, "waits at barrier " + std::to_string(number) +
                                ", but " + describe(*leader) +
                                " of its warp at another instruction");
      ++lanes[thread->warp];
    }
    for (unsigned warp = 0; warp < lanes.size(); ++warp) {
      unsigned size = std::min(kWarpSize, numThreads - warp * kWarpSize);
      if (lanes[warp] != 0 && lanes[warp] != size)
        fail(kLaunchFailed, "expects warps as a whole at barrier " +
                                std::to_string(number) + ", but got " +
                                std::to_string(lanes[warp]) + " of the " +
                                std::to_string(size) + " threads of warp " +
                                std::to_string(warp));
    }
  }
  for (Thread *thread : waiting)
    numTrue += thread->predicate;
  synchronize(waiting.data(), waiting.size(), barrier.released);
  if (barrier.released)
    clocks.release(barrier.released);
  barrier = Barrier();
  for (Thread *thread : waiting) {
    wake(*thread);
    thread->waitsFor = numTrue;
  }
}

//===----------------------------------------------------------------------===//
// What threads know
//===----------------------------------------------------------------------===//

bool Machine::knows(const Thread &thread, uint32_t agent, uint32_t time) const {
  if (agent == thread.index)
    return true;
  if (agent == numThreads + thread.index)
    return time <= thread.copiesKnown;
  return time <= thread.clock->get(agent);
}

bool Machine::knowsFenced(const Thread &thread, uint32_t agent,
                          uint32_t time) const {
  if (agent >= 2 * numThreads)
    return knows(thread, agent, time);
  bool isCopy = agent >= numThreads;
  const Thread &writer = *threads[isCopy ? agent - numThreads : agent];
  if (time <= (isCopy ? writer.fencedCopies : writer.fencedTime))
    return knows(thread, agent, time);
  return time <= thread.fencedClock->get(agent);
}

void Machine::fenceProxy(Thread &thread) {
  clocks.retain(thread.clock);
  clocks.release(thread.fencedClock);
  thread.fencedClock = thread.clock;
  thread.fencedTime = thread.time;
  thread.fencedCopies = thread.copiesKnown;
  ++thread.time;
}

void Machine::release(Thread &thread, Clock &into) {
  into.join(*thread.clock);
  into.raise(thread.index, thread.time);
  into.raise(numThreads + thread.index, thread.copiesKnown);
  ++thread.time;
}

void Machine::acquire(Thread &thread, const Clock &clock) {
  if (thread.clock->references > 1) {
    Clock *own = clocks.make();
    own->join(*thread.clock);
    clocks.release(thread.clock);
    clocks.retain(own);
    thread.clock = own;
  }
  thread.clock->join(clock);
}

void Machine::synchronize(Thread *const *participants, size_t count,
                          Clock *arrived) {
  if (count == 0)
    return;
  Clock *common = participants[0]->clock;
  bool isCommon = common->references == count;
  for (size_t i = 1; i < count && isCommon; ++i)
    isCommon = participants[i]->clock == common;
  if (!isCommon) {
    common = clocks.make();
    const Clock *last = nullptr;
    for (size_t i = 0; i < count; ++i) {
      if (participants[i]->clock != last)
        common->join(*participants[i]->clock);
      last = participants[i]->clock;
    }
  }
  if (arrived)
    common->join(*arrived);
  shareBlocks(participants, count);
  for (size_t i = 0; i < count; ++i) {
    Thread &thread = *participants[i];
    common->raise(thread.index, thread.time);
    common->raise(numThreads + thread.index, thread.copiesKnown);
    ++thread.time;
    if (thread.clock != common) {
      clocks.retain(common);
      clocks.release(thread.clock);
      thread.clock = common;
    }
  }
}
