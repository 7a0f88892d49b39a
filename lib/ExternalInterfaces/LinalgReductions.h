//===- LinalgReductions.h - What reductions do ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// This file declares how the body of a linalg operation folds elements into a
// running value, and what derivatives of maxima and products are made of.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_LINALGREDUCTIONS_H
#define MEMREV_LIB_EXTERNALINTERFACES_LINALGREDUCTIONS_H

#include "memrev/Interfaces/DerivativeContext.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::memrev {

/// How a result of a linalg operation comes about.
enum class Folding {
  /// There are no reduction loops: each element is written once.
  None,
  /// The running value plus terms that do not read any running value.
  Sum,
  /// The larger or the smaller of the running value and `folded`.
  Maximum,
  Minimum,
  /// The running value times `folded`.
  Product,
  /// Any other function of running values.
  Unknown
};

struct Reduction {
  Folding folding;
  /// What the body folds into the running value, if it is a maximum, a minimum
  /// or a product.
  Value folded;
  /// A running value that is no number gives way to one that is.
  bool skipsNaN = false;

  bool isExtremum() const {
    return folding == Folding::Maximum || folding == Folding::Minimum;
  }
};

/// The operands of `op` that `value`, of its body, depends on.
SmallVector<OpOperand *> getOperandsOf(linalg::LinalgOp op, Value value);

/// How result `k` of `op` comes about.
Reduction getReduction(linalg::LinalgOp op, unsigned k);

/// The extents of the loops of `op`. Asks the context for an operand where the
/// types do not give them. Fails after an error was reported.
FailureOr<SmallVector<OpFoldResult>> getLoopSizes(linalg::LinalgOp op,
                                                  DerivativeContext &ctx);

/// The number of an iteration among those that meet in one element of a result:
/// that of the loops `loops`, last one fastest.
struct IterationNumber {
  SmallVector<unsigned> loops;
  SmallVector<OpFoldResult> sizes;
  IntegerType type;

  /// Emits the number of the current iteration in the body of an operation with
  /// these loops.
  Value build(OpBuilder &builder, Location loc) const;
};

/// For each element of a result that is a maximum or a minimum, the number of
/// the iteration that wins, the first of equal ones, or `kStartWins` if none
/// beats the starting value.
struct Winners {
  Value numbers;
  IterationNumber number;
};

inline constexpr int64_t kStartWins = -1;

/// Emits the winners of result `k`, an extremum. Fails after an error was
/// reported.
FailureOr<Winners> buildWinners(linalg::LinalgOp op, DerivativeContext &ctx,
                                unsigned k, const Reduction &reduction);

/// Emits `cotangent` where `winner` is `number`, else zero.
Value buildIfWon(OpBuilder &builder, Location loc, Value cotangent,
                 Value winner, Value number);

/// Emits the tensor `cotangent` where `winners` says that the starting value
/// won, else zeros.
Value buildIfStartWon(OpBuilder &builder, Location loc, Value cotangent,
                      Value winners);

/// The cotangents of what a product is made of.
struct FactorCotangents {
  /// One for each iteration, read at the loops of `map`.
  Value factors;
  AffineMap map;
  Value start;
};

/// Emits the cotangents of result `k`, a product: those of each factor is the
/// product of all others, from the products of those before and behind it, so
/// that zeros are right. Fails after an error was reported.
FailureOr<FactorCotangents> buildFactorCotangents(linalg::LinalgOp op,
                                                  DerivativeContext &ctx,
                                                  unsigned k,
                                                  const Reduction &reduction);

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_LINALGREDUCTIONS_H
