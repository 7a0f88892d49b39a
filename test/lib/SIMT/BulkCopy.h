//===- BulkCopy.h - Copies of boxes of tensors ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_SIMT_BULKCOPY_H
#define MEMREV_TEST_LIB_SIMT_BULKCOPY_H

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace memrev::simt {

/// The copies from shared to global memory that a thread has started.
struct BulkStores {
  using Work = std::function<void()>;
  /// Stand for what reads shared and writes global memory, or zero before the
  /// first copy.
  uint32_t readAgent = 0, writeAgent = 0;
  std::vector<Work> open;
  std::deque<std::vector<Work>> groups;
  uint32_t committed = 0;
};

/// Makes a group of the open copies.
void commitStores(BulkStores &stores);

/// Lets all but the last `pending` groups land.
void landStores(BulkStores &stores, size_t pending);

} // namespace memrev::simt

#endif // MEMREV_TEST_LIB_SIMT_BULKCOPY_H
