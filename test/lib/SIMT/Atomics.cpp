//===- Atomics.cpp - Order through atomic operations and fences -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A release is an atomic write that says so, or that follows a fence; it leaves
// what the thread knew there (at the fence) at the address. Atomic operations
// that read and write keep what others have left. An acquire is an atomic read
// that says so, or that a fence follows.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

using namespace memrev::simt;

static KnownBlocks join(const KnownBlocks &a, const KnownBlocks &b) {
  if (!a || a == b)
    return b;
  if (!b)
    return a;
  auto joined =
      std::make_shared<std::map<uint32_t, std::shared_ptr<const Clock>>>(*a);
  for (const auto &[block, clock] : *b) {
    std::shared_ptr<const Clock> &known = (*joined)[block];
    if (!known || known == clock) {
      known = clock;
      continue;
    }
    auto both = std::make_shared<Clock>(*known);
    both->join(*clock);
    known = both;
  }
  return joined;
}

KnownBlocks Machine::publish(Thread &thread) {
  auto own = std::make_shared<Clock>();
  release(thread, *own);
  auto view =
      std::make_shared<std::map<uint32_t, std::shared_ptr<const Clock>>>();
  if (thread.knownBlocks)
    *view = *thread.knownBlocks;
  (*view)[blockNumber] = own;
  return view;
}

void Machine::learn(Thread &thread, const KnownBlocks &view) {
  thread.knownBlocks = join(thread.knownBlocks, view);
  auto own = view->find(blockNumber);
  if (own != view->end())
    acquire(thread, *own->second);
}

void Machine::fence(Thread &thread) {
  if (thread.acquirable)
    learn(thread, thread.acquirable);
  thread.acquirable = nullptr;
  thread.fenced = publish(thread);
}

void Machine::orderAtomic(Thread &thread, uintptr_t address, unsigned flags) {
  KnownBlocks &left = released[address];
  if (flags & kAccessReads && left) {
    if (flags & kAccessAcquires)
      learn(thread, left);
    else
      thread.acquirable = join(thread.acquirable, left);
  }
  if (!(flags & kAccessWrites))
    return;
  KnownBlocks view = flags & kAccessReleases ? publish(thread) : thread.fenced;
  // A write on its own ends what others began.
  left = flags & kAccessReads ? join(left, view) : view;
}

bool Machine::knowsBlock(const Thread &thread, uint32_t block, uint32_t agent,
                         uint32_t time) const {
  if (!thread.knownBlocks)
    return false;
  auto known = thread.knownBlocks->find(block);
  return known != thread.knownBlocks->end() &&
         time <= known->second->get(agent);
}

void Machine::shareBlocks(Thread *const *threads, size_t count) {
  KnownBlocks common;
  bool isCommon = true;
  for (size_t i = 0; i < count; ++i)
    isCommon &= threads[i]->knownBlocks == threads[0]->knownBlocks;
  if (isCommon)
    return;
  for (size_t i = 0; i < count; ++i)
    common = join(common, threads[i]->knownBlocks);
  for (size_t i = 0; i < count; ++i)
    threads[i]->knownBlocks = common;
}
