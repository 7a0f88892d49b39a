//===- LinalgContributionEmitter.h - How sums are emitted ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// This file declares the class that emits contributions, whose forms are in
// several files.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_LINALGCONTRIBUTIONEMITTER_H
#define MEMREV_LIB_EXTERNALINTERFACES_LINALGCONTRIBUTIONEMITTER_H

#include "LinalgContributions.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::memrev {

/// constant + sum of factor * loop.
struct LinearExpr {
  int64_t constant = 0;
  llvm::MapVector<unsigned, int64_t> factors;
};

/// `expr` as a linear expression, if it is one.
std::optional<LinearExpr> getLinear(AffineExpr expr);

/// Drops the dimensions of a slice that are read at a constant, if it is clear
/// which ones they are: upstream takes one unit dimension for another one.
void dropConstantDims(SmallVectorImpl<AffineExpr> &exprs,
                      SmallVectorImpl<int64_t> &shape);

/// What makes one dimension of an operand a window: the elements that the loop
/// `base` goes over, once for each position of the loops `taps`.
struct WindowDim {
  LinearExpr expr;
  std::optional<unsigned> base;
};

/// Emits contributions over the loops of one operation.
class ContributionEmitter {
public:
  ContributionEmitter(linalg::LinalgOp op, DerivativeContext &ctx,
                      ScratchBody &scratch)
      : op(op), ctx(ctx), scratch(scratch), b(ctx.getBuilder()),
        loc(op.getLoc()) {}

  LogicalResult emit(ArrayRef<Contribution> contributions);

private:
  /// How the loops of a pass differ from those of `op`.
  struct Nest {
    /// What each loop of `op` is in the pass: a loop, backwards or not, or a
    /// constant.
    SmallVector<AffineExpr> loops;
    unsigned numLoops;
    /// The extents of the loops of the pass, if loops of `op` stand still.
    SmallVector<OpFoldResult> sizes;
  };

  /// What an iteration adds to, and the loops at which it does.
  struct Destination {
    Value start;
    AffineMap map;
    Value scalar;
    bool adds;
  };

  Nest getSameNest();
  Value getInput(unsigned i, const Nest &nest, AffineMap &map);
  FailureOr<linalg::GenericOp> emitPass(const Nest &nest,
                                        ArrayRef<Destination> destinations);

  LogicalResult emitPermuted(AffineMap map, ArrayRef<Contribution> group);
  std::optional<SmallVector<WindowDim>> getWindows(const Contribution &c);
  LogicalResult emitWindows(const Contribution &c, ArrayRef<WindowDim> windows);
  LogicalResult emitDiagonal(const Contribution &c);
  LogicalResult emitScalar(const Contribution &c);
  LogicalResult emitLoops(ArrayRef<Contribution> group);

  /// The type in which terms like `scalar` are added, and the term in it.
  Type getTermType(Value scalar);
  Value buildTerm(OpBuilder &builder, IRMapping &mapping, Value scalar,
                  Type type);

  linalg::LinalgOp op;
  DerivativeContext &ctx;
  ScratchBody &scratch;
  OpBuilder &b;
  Location loc;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_LINALGCONTRIBUTIONEMITTER_H
