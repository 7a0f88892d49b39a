//===- Timeline.cpp - When buffers live -----------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timeline.h"

using namespace mlir;
using namespace mlir::memrev;

Timeline::Timeline(func::FuncOp func) : views(func) {
  func.walk([&](Operation *op, const WalkStage &stage) {
    if (stage.isBeforeAllRegions())
      spans[op].first = ++time;
    if (stage.isAfterAllRegions())
      spans[op].second = ++time;
  });
}

std::pair<int64_t, int64_t> Timeline::getLiveRange(memref::AllocOp op) const {
  SmallVector<Operation *> users;
  for (Value view : views.resolve(op.getResult()))
    llvm::append_range(users, view.getUsers());
  Region *region = op->getParentRegion();
  // A view that leaves the allocation's block through a yield lives in the
  // blocks around it, from their beginning.
  bool escapes = false;
  while (llvm::any_of(users, [&](Operation *user) {
    return !region->findAncestorOpInRegion(*user);
  })) {
    region = region->getParentRegion();
    escapes = true;
  }
  if (escapes)
    users.push_back(op);
  int64_t first = std::numeric_limits<int64_t>::max();
  int64_t last = std::numeric_limits<int64_t>::min();
  for (Operation *user : users) {
    auto [begin, end] = spans.lookup(region->findAncestorOpInRegion(*user));
    first = std::min(first, begin);
    last = std::max(last, end);
  }
  return {first, last};
}
