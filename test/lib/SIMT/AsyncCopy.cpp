//===- AsyncCopy.cpp - Copies that a thread starts and waits for ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AsyncCopy.h"
#include "Machine.h"
#include <algorithm>
#include <cstring>

using namespace memrev::simt;

static void land(const AsyncCopy &copy) {
  auto *target = reinterpret_cast<char *>(copy.target);
  std::memcpy(target, reinterpret_cast<const char *>(copy.source),
              copy.sourceBytes);
  std::memset(target + copy.sourceBytes, 0, copy.bytes - copy.sourceBytes);
}

void memrev::simt::commitCopies(AsyncCopies &copies) {
  ++copies.committed;
  copies.groups.push_back(std::move(copies.open));
  copies.open.clear();
}

void memrev::simt::landCopies(AsyncCopies &copies, size_t pending) {
  while (copies.groups.size() > pending) {
    for (const AsyncCopy &copy : copies.groups.front())
      land(copy);
    copies.groups.pop_front();
  }
}

/// Arguments: target, source, and if there is a parameter for it the number of
/// bytes to read. The parameter before is the size.
static void runCopy(Machine &machine, const Operation &operation, Slots slots) {
  Thread &thread = machine.getThread();
  AsyncCopy copy;
  copy.target = slots.get<uintptr_t>(0);
  copy.source = slots.get<uintptr_t>(1);
  copy.bytes = copy.sourceBytes = operation.parameters[0];
  if (operation.parameters[1])
    copy.sourceBytes = slots.get<uint32_t>(2);
  if (copy.sourceBytes > copy.bytes)
    machine.fail(kLaunchFailed, "expects at most " +
                                    std::to_string(copy.bytes) +
                                    " bytes to read, but got " +
                                    std::to_string(copy.sourceBytes));
  // The copy happens in its group, which is the next one to be made.
  Machine::OperationAccess access;
  access.agent = machine.getNumThreads() + thread.index;
  access.time = thread.copies.committed + 1;
  access.alignment = copy.bytes;
  access.address = copy.source;
  access.bytes = copy.sourceBytes;
  access.space = Machine::OperationAccess::Global;
  machine.access(access);
  access.kind = AccessKind::Write;
  access.address = copy.target;
  access.bytes = copy.bytes;
  access.space = Machine::OperationAccess::Shared;
  machine.access(access);
  if (machine.areCopiesLate())
    thread.copies.open.push_back(copy);
  else
    land(copy);
}

static void runCommit(Machine &machine, const Operation &, Slots) {
  commitCopies(machine.getThread().copies);
}

static void waitFor(Thread &thread, uint32_t pending) {
  AsyncCopies &copies = thread.copies;
  landCopies(copies, pending);
  if (copies.committed > pending)
    thread.copiesKnown =
        std::max(thread.copiesKnown, copies.committed - pending);
}

/// Argument: the number of groups that may be pending.
static void runWaitGroup(Machine &machine, const Operation &, Slots slots) {
  waitFor(machine.getThread(), slots.get<uint32_t>(0));
}

static void runWaitAll(Machine &machine, const Operation &, Slots) {
  commitCopies(machine.getThread().copies);
  waitFor(machine.getThread(), 0);
}

bool memrev::simt::selectAsyncCopyIntrinsic(const std::string &name,
                                            Operation &operation) {
  for (const char *cache : {"ca", "cg"})
    for (unsigned bytes : {4, 8, 16})
      for (bool hasSize : {false, true})
        if (name == std::string("cp.async.") + cache + ".shared.global." +
                        std::to_string(bytes) + (hasSize ? ".s" : "")) {
          operation.run = runCopy;
          operation.parameters[0] = bytes;
          operation.parameters[1] = hasSize;
          return true;
        }
  if (name == "cp.async.commit.group")
    operation.run = runCommit;
  else if (name == "cp.async.wait.group")
    operation.run = runWaitGroup;
  else if (name == "cp.async.wait.all")
    operation.run = runWaitAll;
  return operation.run;
}
