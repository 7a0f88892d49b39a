//===- Machine.h - Blocks of threads under random schedules --- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_MACHINE_H
#define MEMREV_TEST_LIB_SIMT_MACHINE_H

#include "AsyncCopy.h"
#include "BulkCopy.h"
#include "Clock.h"
#include "DeviceMemory.h"
#include "Fiber.h"
#include "Kernel.h"
#include "MemoryBarrier.h"
#include "Operation.h"
#include "Options.h"
#include "Random.h"
#include "Result.h"
#include "Shadow.h"
#include "Traffic.h"
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace memrev::simt {

constexpr unsigned kWarpSize = 32;
constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kNumBarriers = 16;

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

/// What a launch asks for. The parameters are in a buffer as the kernel's
/// `Parameter` says.
struct Launch {
  const Kernel *kernel = nullptr;
  Dim3 grid, block;
  unsigned dynamicSharedBytes = 0;
  /// Aligned as tensor maps among them have to be.
  struct alignas(64) ParameterBlock {
    char bytes[64];
  };
  std::vector<ParameterBlock> parameterBlocks;

  char *getParameters() {
    return reinterpret_cast<char *>(parameterBlocks.data());
  }
  const char *getParameters() const {
    return reinterpret_cast<const char *>(parameterBlocks.data());
  }
};

/// What a thread that does not run waits for.
enum class Wait { Nothing, Barrier, Warp, Warpgroup, MemoryBarrier };

struct Thread {
  /// The special registers, which compiled code reads; has to come first.
  uint32_t registers[kNumRegisters] = {};
  unsigned index = 0;
  unsigned lane = 0, warp = 0;
  Fiber fiber;
  bool done = false;

  Wait wait = Wait::Nothing;
  /// The operation that the thread waits in, with its arguments and results.
  const Operation *operation = nullptr;
  Slots slots;
  uint32_t site = 0;
  /// The lanes that a warp's operation names, or a barrier's number.
  uint32_t waitsFor = 0;
  /// The operand of a barrier with a reduction.
  bool predicate = false;

  /// What the thread knows of others, shared with those it met last.
  Clock *clock = nullptr;
  /// The time of the thread's own accesses, and the last group of its
  /// asynchronous copies that it has waited for.
  uint32_t time = 1;
  uint32_t copiesKnown = 0;
  /// What the thread knew and had done at its last fence between proxies.
  Clock *fencedClock = nullptr;
  uint32_t fencedTime = 0;
  uint32_t fencedCopies = 0;

  /// What the thread knows of other blocks, what it has left to be known at its
  /// last fence, and what it knows after its next one.
  KnownBlocks knownBlocks, fenced, acquirable;

  AsyncCopies copies;
  BulkStores stores;
  /// Whether it may start products of its warpgroup, and whether it has some
  /// that it has not waited for.
  bool productsFenced = false;
  bool productsPending = false;
};

/// One of a block's numbered barriers.
struct Barrier {
  unsigned expected = 0;
  unsigned arrived = 0;
  bool aligned = false;
  std::vector<Thread *> waiting;
  /// What those know who arrived and went on.
  Clock *released = nullptr;
};

/// The products of a warpgroup.
struct WarpgroupState {
  /// Stands for what reads their operands.
  uint32_t agent = 0;
  /// Groups of products so far.
  uint32_t committed = 0;
};

/// Runs kernels, one launch after another. Not thread-safe.
class Machine {
public:
  Machine(DeviceMemory &memory, const Options &options);
  ~Machine();

  /// Runs a launch under as many schedules as the options say. Returns what
  /// went wrong.
  std::optional<Failure> run(const Launch &launch);

  //===--------------------------------------------------------------------===//
  // What runs on a thread's fiber
  //===--------------------------------------------------------------------===//

  Thread &getThread() { return *current; }
  /// Where compiled code finds the current thread.
  Thread *const *getCurrent() const { return &current; }

  /// Ends the launch with an error at the current thread, which does not go on.
  [[noreturn]] void fail(Result code, const std::string &message);

  /// Checks an access of the current thread by compiled code.
  void access(uintptr_t address, size_t bytes, unsigned flags, uint32_t site);

  /// Checks an access that is done for the current thread by the operation it
  /// runs; by `agent` at `time` if that is another. `alignment` is in bytes.
  struct OperationAccess {
    uintptr_t address = 0;
    size_t bytes = 0;
    size_t alignment = 1;
    AccessKind kind = AccessKind::Read;
    bool isAtomic = false;
    /// Where the address has to point to.
    enum { Any, Shared, Global } space = Any;
    /// Whether a fence has to be between this and other writes.
    bool byAsyncProxy = false;
    uint32_t agent = ~0u, time = 0;
    /// Whose knowledge counts, if it is not that of the current thread.
    const Thread *viewer = nullptr;
  };
  void access(const OperationAccess &access);

  /// Lets other threads run before the current one goes on.
  void yield();

  /// Suspends the current thread until it is woken.
  void block(Wait wait, uint32_t waitsFor);

  /// Suspends the current thread until all lanes in `mask` are in the same
  /// operation, whose results the last one computes with `evaluate`.
  void meetWarp(uint32_t mask, void (*evaluate)(Machine &, Thread *const *lanes,
                                                uint32_t mask));
  /// The same for four warps.
  void meetWarpgroup(void (*evaluate)(Machine &, Thread *const *threads));

  /// Arrives at a barrier of `count` threads, and waits unless told otherwise.
  /// Returns the number of threads whose predicate is true.
  unsigned arriveAtBarrier(unsigned number, unsigned count, bool aligned,
                           bool wait, bool predicate);

  /// Makes all threads know what any of them knows, and what `arrived` does.
  void synchronize(Thread *const *threads, size_t count, Clock *arrived);
  /// Makes a clock know what a thread knows and did.
  void release(Thread &thread, Clock &into);
  /// Makes a thread know what a clock does.
  void acquire(Thread &thread, const Clock &clock);

  void wake(Thread &thread);
  /// Says that something has changed that threads may have been asking for.
  void noteProgress() { idleYields = 0; }

  //===--------------------------------------------------------------------===//
  // The block that runs
  //===--------------------------------------------------------------------===//

  bool countsTraffic() const { return options.traffic > 0; }
  const Traffic &getTraffic() const { return traffic; }
  unsigned getChip() const { return options.chip; }
  unsigned getNumThreads() const { return numThreads; }
  Random &getRandom() { return random; }
  ClockPool &getClocks() { return clocks; }
  bool isShared(uintptr_t address) const {
    return address - sharedBase < kSharedWindow;
  }
  /// Whether asynchronous copies of this block are late.
  bool areCopiesLate() const { return copiesLate; }

  std::map<uintptr_t, MemoryBarrier> memoryBarriers;
  WarpgroupState &getWarpgroup(unsigned index);
  uintptr_t getSharedBase() const { return sharedBase; }

  /// Does work when no thread can go on without it, or at once if copies of
  /// this block are not late.
  void addLate(std::function<void()> work);
  /// Reports what late work finds wrong.
  void noteLate(const std::string &message);

  /// Orders what the thread did before and does after the fence for those that
  /// meet in atomic operations.
  void fence(Thread &thread);

  /// Makes all that the thread knows visible to the asynchronous proxy.
  void fenceProxy(Thread &thread);
  /// Ends the launch if the thread uses the result of a product that it has not
  /// waited for.
  void checkProducts(uint32_t site);

  /// Returns an agent that no other of this block uses.
  uint32_t makeAgent();

  /// "thread (1, 2, 3)"
  std::string describe(const Thread &thread) const;

  /// The size of the window of addresses of shared memory, which begins at a
  /// multiple of it below 4 GiB.
  static constexpr size_t kSharedWindow = size_t(1) << 18;

private:
  /// Fails if memory has not what another schedule has left there.
  void compareWith(const DeviceMemory::Contents &expected);
  /// Runs all blocks once.
  void runGrid();
  void runBlock(Dim3 index);
  void startThreads(Dim3 blockIndex);
  void layOutShared();
  void finishBlock();
  void completeBarrier(Barrier &barrier, unsigned number);
  Thread *pickReady();
  void noteFailure(Result code, const std::string &message);
  std::string describeLaunch() const;
  std::string describeDeadlock() const;
  std::string describeEpoch(const Epoch &epoch, bool isWrite) const;
  /// Reports an access that another one is not ordered with, or that reads what
  /// no one wrote. Returns if the options say so.
  void report(const Shadow::Finding &finding, AccessKind kind,
              uintptr_t address, bool shared, const Epoch &epoch);
  void failAccess(Result code, const char *what, uintptr_t address,
                  size_t bytes, AccessKind kind, uint32_t site,
                  const std::string &why);
  bool knows(const Thread &thread, uint32_t agent, uint32_t time) const;
  /// The same at the last fence between proxies of the thread, or of the one
  /// that wrote.
  bool knowsFenced(const Thread &thread, uint32_t agent, uint32_t time) const;
  void runLate();

  bool knowsBlock(const Thread &thread, uint32_t block, uint32_t agent,
                  uint32_t time) const;
  /// Returns what the thread knows now, itself included.
  KnownBlocks publish(Thread &thread);
  void learn(Thread &thread, const KnownBlocks &view);
  /// Orders what threads do around an atomic access, which happens next.
  void orderAtomic(Thread &thread, uintptr_t address, unsigned flags);
  /// Makes threads know of other blocks what any of them does.
  void shareBlocks(Thread *const *threads, size_t count);
  friend class ThreadActor;

  DeviceMemory &memory;
  const Options &options;
  Random random;
  uintptr_t sharedBase = 0;
  std::vector<Cell> sharedCells;
  Shadow shared;

  const Launch *launch = nullptr;
  std::optional<Failure> failure;
  unsigned schedule = 0;
  uint64_t numLaunches = 0;
  Dim3 blockIndex;
  uint32_t blockNumber = 0;
  uint32_t firstBlock = 0;
  size_t sharedBytes = 0;
  bool copiesLate = false;
  unsigned tournament = 1;
  uint32_t nextAgent = 0;
  /// What atomic operations of this launch have left at their addresses.
  std::unordered_map<uintptr_t, KnownBlocks> released;
  /// Races that were reported, by the sites of both accesses.
  std::set<std::pair<uint32_t, uint32_t>> reported;

  unsigned numThreads = 0;
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<unsigned> priorities;
  /// For each warp, a lane that was not where others wait for it.
  std::vector<Thread *> missingLanes;
  std::vector<Thread *> ready;
  unsigned numDone = 0;
  unsigned idleYields = 0;
  Thread *current = nullptr;
  Barrier barriers[kNumBarriers];
  ClockPool clocks;
  std::vector<WarpgroupState> warpgroups;
  std::vector<std::function<void()>> late;
  Traffic traffic;
};

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_MACHINE_H
