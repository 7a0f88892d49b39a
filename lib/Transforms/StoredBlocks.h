//===- StoredBlocks.h - Store blocks instead of inverting them - -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_STOREDBLOCKS_H
#define MEMREV_LIB_TRANSFORMS_STOREDBLOCKS_H

#include "memrev/Analysis/Activity.h"
#include "memrev/Analysis/CostModel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::memrev {

/// Takes couplings and last iterations of loops out of the plan of inverse
/// edges of `function`, so that what they compute is stored: those that save
/// most time by `model` in `bytes` beyond what inverting all of them takes by estimate. A
/// loop of which only some iterations are stored becomes two. Returns whether
/// anything is stored.
bool storeBlocks(func::FuncOp function, const Activity &activity,
                 int64_t bytes, const CostModel &model);

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_STOREDBLOCKS_H
