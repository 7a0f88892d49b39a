//===- IndexLoops.cpp - Loops over integers as loops over indices ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Interfaces/TripCount.h"
#include "memrev/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_REVINDEXLOOPS
#include "memrev/Transforms/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// Replaces `loop` by one over the numbers of its iterations.
static void countIterations(IRRewriter &rewriter, scf::ForOp loop) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  Value count = buildTripCount(rewriter, loop, loop.getLowerBound(),
                               loop.getUpperBound(), loop.getStep());
  Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
  Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
  auto counted =
      scf::ForOp::create(rewriter, loc, zero, count, one, loop.getInitArgs());
  counted->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
  Block *body = counted.getBody();
  if (!body->empty())
    rewriter.eraseOp(body->getTerminator());
  rewriter.setInsertionPointToStart(body);
  SmallVector<Value> arguments{
      buildInduction(rewriter, loop, loop.getLowerBound(), loop.getStep(),
                     counted.getInductionVar())};
  llvm::append_range(arguments, counted.getRegionIterArgs());
  rewriter.mergeBlocks(loop.getBody(), body, arguments);
  rewriter.replaceOp(loop, counted);
}

namespace {

struct RevIndexLoops final : memrev::impl::RevIndexLoopsBase<RevIndexLoops> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      if (!loop.getInductionVar().getType().isIndex())
        loops.push_back(loop);
    });
    IRRewriter rewriter(&getContext());
    for (scf::ForOp loop : loops)
      countIterations(rewriter, loop);
  }
};

} // namespace
