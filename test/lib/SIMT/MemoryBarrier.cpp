//===- MemoryBarrier.cpp - Barriers that are objects in shared memory -----===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MemoryBarrier.h"
#include "Machine.h"

using namespace memrev::simt;

bool memrev::simt::selectMemoryBarrierIntrinsic(const std::string &,
                                                Operation &) {
  return false;
}
