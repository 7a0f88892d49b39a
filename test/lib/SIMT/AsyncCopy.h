//===- AsyncCopy.h - Copies that a thread starts and waits for  -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_ASYNCCOPY_H
#define MEMREV_TEST_LIB_SIMT_ASYNCCOPY_H

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace memrev::simt {

class Machine;
struct Thread;

/// A copy from global to shared memory. Bytes beyond `sourceBytes` are zero.
struct AsyncCopy {
  uintptr_t target = 0;
  uintptr_t source = 0;
  unsigned bytes = 0;
  unsigned sourceBytes = 0;
};

/// The copies of a thread that have not landed, and the number of groups that
/// it has made of its copies.
struct AsyncCopies {
  std::vector<AsyncCopy> open;
  std::deque<std::vector<AsyncCopy>> groups;
  uint32_t committed = 0;
};

/// Makes a group of the open copies.
void commitCopies(AsyncCopies &copies);

/// Lets all but the last `pending` groups land.
void landCopies(AsyncCopies &copies, size_t pending);

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_ASYNCCOPY_H
