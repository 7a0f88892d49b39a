//===- Operation.cpp - What is no plain instruction of the host -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operation.h"

using namespace memrev::simt;

bool memrev::simt::selectIntrinsic(const std::string &name,
                                   Operation &operation) {
  return selectScalarIntrinsic(name, operation) ||
         selectWarpIntrinsic(name, operation) ||
         selectMatrixIntrinsic(name, operation) ||
         selectBarrierIntrinsic(name, operation) ||
         selectAsyncCopyIntrinsic(name, operation) ||
         selectBulkCopyIntrinsic(name, operation) ||
         selectWarpgroupIntrinsic(name, operation) ||
         selectMemoryBarrierIntrinsic(name, operation);
}
