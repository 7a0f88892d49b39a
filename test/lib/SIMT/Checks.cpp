//===- Checks.cpp - Accesses of memory and what is wrong with them --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include <cstdio>

using namespace memrev::simt;

namespace memrev::simt {
/// What the current thread knows when it accesses memory.
class ThreadActor final : public Actor {
public:
  ThreadActor(const Machine &machine, const Thread &thread)
      : machine(machine), thread(thread) {}
  bool knows(uint32_t agent, uint32_t time) const override {
    return needsFence ? machine.knowsFenced(thread, agent, time)
                      : machine.knows(thread, agent, time);
  }

  bool knowsBlock(uint32_t block, uint32_t agent,
                  uint32_t time) const override {
    return machine.knowsBlock(thread, block, agent, time);
  }

  /// Whether what others wrote has to be visible to the asynchronous proxy.
  bool needsFence = false;

private:
  const Machine &machine;
  const Thread &thread;
};
} // namespace memrev::simt

//===----------------------------------------------------------------------===//
// Descriptions
//===----------------------------------------------------------------------===//

static std::string describeIndex(unsigned x, unsigned y, unsigned z) {
  return "(" + std::to_string(x) + ", " + std::to_string(y) + ", " +
         std::to_string(z) + ")";
}

std::string Machine::describe(const Thread &thread) const {
  return "thread " + describeIndex(thread.registers[kTidX],
                                   thread.registers[kTidY],
                                   thread.registers[kTidZ]);
}

std::string Machine::describeLaunch() const {
  return "kernel '" + launch->kernel->name + "', block " +
         describeIndex(blockIndex.x, blockIndex.y, blockIndex.z);
}

static std::string describeSite(uint32_t number) {
  const Site &site = getSite(number);
  std::string text = site.location.empty() ? "" : site.location + ", ";
  return " (" + text + "'" + site.text + "')";
}

std::string Machine::describeEpoch(const Epoch &epoch, bool isWrite) const {
  std::string what = isWrite ? "wrote" : "read";
  if (epoch.block != blockNumber)
    return "another block " + what + " it" + describeSite(epoch.site);
  if (epoch.agent < numThreads)
    return describe(*threads[epoch.agent]) + " " + what + " it" +
           describeSite(epoch.site);
  if (epoch.agent < 2 * numThreads)
    return "an asynchronous copy of " +
           describe(*threads[epoch.agent - numThreads]) + " " + what + " it" +
           describeSite(epoch.site);
  return "an asynchronous operation " + what + " it" + describeSite(epoch.site);
}

std::string Machine::describeDeadlock() const {
  std::string text = "deadlock in " + describeLaunch();
  // Threads that wait at one place are one group.
  std::map<std::string, std::pair<unsigned, const Thread *>> groups;
  for (unsigned i = 0; i < numThreads; ++i) {
    const Thread &thread = *threads[i];
    std::string what;
    if (thread.done)
      what = "ended";
    else if (thread.wait == Wait::Barrier)
      what = "waits at barrier " + std::to_string(thread.waitsFor) +
             describeSite(thread.site);
    else if (thread.wait == Wait::Warp || thread.wait == Wait::Warpgroup)
      what = "waits for other lanes in " + thread.operation->name +
             describeSite(thread.site);
    else
      what = "waits at a memory barrier" + describeSite(thread.site);
    auto &[count, first] = groups[what];
    first = count++ == 0 ? &thread : first;
  }
  const char *separator = ": ";
  for (const auto &[what, group] : groups) {
    text += separator + describe(*group.second) + " " + what;
    if (group.first > 1)
      text += ", as " + std::to_string(group.first - 1) + " more";
    separator = "; ";
  }
  return text;
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

void Machine::noteFailure(Result code, const std::string &message) {
  if (failure)
    return;
  failure = {code,
             message + "; schedule " + std::to_string(options.seed + schedule)};
}

void Machine::fail(Result code, const std::string &message) {
  std::string where =
      current->operation ? " in " + current->operation->name : "";
  noteFailure(code, "error in " + describeLaunch() + ": " + describe(*current) +
                        where + describeSite(current->site) + " " + message);
  for (;;)
    current->fiber.suspend();
}

void Machine::noteLate(const std::string &message) {
  noteFailure(kLaunchFailed, "error in " + describeLaunch() + ": " + message);
}

void Machine::checkProducts(uint32_t site) {
  if (!current->productsPending)
    return;
  current->operation = nullptr;
  current->site = site;
  fail(kLaunchFailed, "uses the result of a product before wgmma.wait_group");
}

void Machine::failAccess(Result code, const char *what, uintptr_t address,
                         size_t bytes, AccessKind kind, uint32_t site,
                         const std::string &why) {
  char number[32];
  std::snprintf(number, sizeof(number), "0x%zx", static_cast<size_t>(address));
  noteFailure(code, std::string(what) + " in " + describeLaunch() + ": " +
                        describe(*current) +
                        (kind == AccessKind::Read ? " reads " : " writes ") +
                        std::to_string(bytes) + " bytes at " + number + ", " +
                        why + describeSite(site));
  for (;;)
    current->fiber.suspend();
}

void Machine::report(const Shadow::Finding &finding, AccessKind kind,
                     uintptr_t address, bool isShared, const Epoch &epoch) {
  uint32_t site = epoch.site;
  if (!reported.insert({site, finding.other.site}).second)
    return;
  std::string where = isShared ? "shared byte " : "global address ";
  char number[32];
  if (isShared)
    std::snprintf(number, sizeof(number), "%zu",
                  static_cast<size_t>(address - sharedBase));
  else
    std::snprintf(number, sizeof(number), "0x%zx",
                  static_cast<size_t>(address));
  bool isRace = finding.kind == Shadow::Finding::Race;
  std::string who = describe(*current);
  if (epoch.agent >= 2 * numThreads)
    who = "an asynchronous operation of " + who;
  else if (epoch.agent >= numThreads)
    who = "an asynchronous copy of " + who;
  std::string message =
      std::string(isRace ? "race" : "uninitialized memory") + " in " +
      describeLaunch() + ": " + who +
      (kind == AccessKind::Read ? " reads " : " writes ") + where + number +
      describeSite(site) +
      (isRace ? ", and " + describeEpoch(finding.other, finding.otherIsWrite) +
                    " without synchronization"
              : ", which no one wrote");
  if (options.keepGoing) {
    std::fprintf(stderr, "memrev-simt: %s\n", message.c_str());
    return;
  }
  noteFailure(kLaunchFailed, message);
  for (;;)
    current->fiber.suspend();
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

void Machine::access(uintptr_t address, size_t bytes, unsigned flags,
                     uint32_t site) {
  current->operation = nullptr;
  current->site = site;
  OperationAccess access;
  access.address = address;
  access.bytes = bytes;
  access.alignment = size_t(1) << (flags >> kAccessAlignmentShift);
  access.kind = flags & kAccessWrites ? AccessKind::Write : AccessKind::Read;
  access.isAtomic = flags & kAccessAtomic;
  unsigned space = flags >> kAccessSpaceShift &
                   ((1u << (kAccessAlignmentShift - kAccessSpaceShift)) - 1);
  access.space = space == 3   ? OperationAccess::Shared
                 : space == 1 ? OperationAccess::Global
                              : OperationAccess::Any;
  // A thread that watches memory lets others change it.
  if (access.isAtomic)
    yield();
  this->access(access);
  if (access.isAtomic)
    orderAtomic(*current, address, flags);
}

void Machine::access(const OperationAccess &a) {
  if (a.bytes == 0)
    return;
  uint32_t site = current->site;
  if (a.address % a.alignment != 0)
    failAccess(kMisalignedAddress, "misaligned access", a.address, a.bytes,
               a.kind, site,
               "which is not a multiple of " + std::to_string(a.alignment));
  bool inShared = isShared(a.address);
  bool inGlobal = !inShared && memory.covers(a.address);
  if (!inShared && !inGlobal) {
    // The stack, the parameters and constants are a thread's own.
    bool isOwn = current->fiber.owns(reinterpret_cast<void *>(a.address));
    auto contains = [&](uintptr_t begin, size_t size) {
      return a.address - begin < size && a.bytes <= size - (a.address - begin);
    };
    if (a.kind == AccessKind::Read) {
      isOwn |= contains(reinterpret_cast<uintptr_t>(launch->getParameters()),
                        launch->kernel->parameterBytes);
      for (const auto &[begin, size] : *launch->kernel->constants)
        isOwn |= contains(begin, size);
    }
    if (isOwn && a.space != OperationAccess::Shared)
      return;
  }
  bool isWrongSpace = (a.space == OperationAccess::Shared && !inShared) ||
                      (a.space == OperationAccess::Global && !inGlobal);
  if (isWrongSpace || (!inShared && !inGlobal))
    failAccess(kIllegalAddress, "illegal address", a.address, a.bytes, a.kind,
               site,
               a.space == OperationAccess::Shared   ? "outside shared memory"
               : a.space == OperationAccess::Global ? "outside global memory"
                                                    : "outside all memory");

  // Matrices that an agent reads by descriptor have no lanes.
  if (options.traffic && !a.byAsyncProxy)
    traffic.note(current->warp, current->lane, site, a.address, a.bytes,
                 inShared);

  ThreadActor actor(*this, a.viewer ? *a.viewer : *current);
  actor.needsFence = a.byAsyncProxy && a.kind == AccessKind::Read;
  actor.epoch.block = blockNumber;
  actor.epoch.agent = a.agent == ~0u ? current->index : a.agent;
  actor.epoch.time = a.agent == ~0u ? current->time : a.time;
  actor.epoch.site = site;
  actor.epoch.atomic = a.isAtomic;
  if (inShared) {
    size_t offset = a.address - sharedBase;
    if (offset + a.bytes > sharedBytes)
      failAccess(kIllegalAddress, "illegal address", a.address, a.bytes, a.kind,
                 site,
                 "at byte " + std::to_string(offset) + " of the block's " +
                     std::to_string(sharedBytes) + " bytes of shared memory");
    actor.firstBlock = blockNumber;
    Shadow::Finding finding =
        shared.access(offset, a.bytes, a.kind, actor,
                      /*mustBeWritten=*/a.kind == AccessKind::Read);
    if (finding.kind != Shadow::Finding::None)
      report(finding, a.kind, sharedBase + finding.offset, true, actor.epoch);
    return;
  }
  if (!memory.isValid(a.address, a.bytes))
    failAccess(kIllegalAddress, "illegal address", a.address, a.bytes, a.kind,
               site, memory.explain(a.address, a.bytes));
  actor.firstBlock = firstBlock;
  size_t offset = memory.getOffset(a.address);
  Shadow::Finding finding = memory.shadow.access(offset, a.bytes, a.kind, actor,
                                                 /*mustBeWritten=*/false);
  if (finding.kind != Shadow::Finding::None)
    report(finding, a.kind, a.address + (finding.offset - offset), false,
           actor.epoch);
}
