//===- StopGradientOp.cpp - rev.stop_gradient -----------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

SmallVector<Value> StopGradientOp::decompose(RewriterBase &) {
  return {getInput()};
}

bool StopGradientOp::isInactive() { return true; }

bool StopGradientOp::isNeverActive() { return true; }

bool StopGradientOp::isCheapToRecompute() { return true; }

LogicalResult StopGradientOp::buildVJP(DerivativeContext &) {
  return success();
}

LogicalResult StopGradientOp::buildJVP(TangentContext &) { return success(); }

SmallVector<InverseEdge> StopGradientOp::getInverseEdges() {
  InverseEdge edge = InverseEdge::moving({getInput()}, {getResult()});
  // It gives the value back, but nothing of how that depends on others: it is
  // for inverses, not for derivatives, which may be differentiated again.
  edge.kind = InverseKind::Conditioned;
  edge.gain = 0;
  return {edge};
}

LogicalResult StopGradientOp::buildInverse(DerivativeContext &ctx, unsigned) {
  Value result = ctx.primal(getResult());
  if (!result)
    return failure();
  ctx.provide(getInput(), createAlias(ctx.getBuilder(), getLoc(), result),
              Precision::Rounded);
  return success();
}
