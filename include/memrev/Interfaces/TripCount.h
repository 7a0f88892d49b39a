//===- TripCount.h - The number of iterations of a loop ------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rules that run a loop backwards and passes that give loops another form
// number iterations from zero.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_TRIPCOUNT_H
#define MEMREV_INTERFACES_TRIPCOUNT_H

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::memrev {

/// The number of iterations of `loop`, or nothing if it is not constant.
std::optional<int64_t> getConstantTripCount(scf::ForOp loop);

/// A number that the iterations of `loop` do not exceed, or nothing if none is
/// known: the constant trip count, or what an upper bound is cut to.
std::optional<int64_t> getMostTripCount(scf::ForOp loop);

/// Emits the number of iterations of `loop`, of type index. `lower`, `upper`
/// and `step` are what equals its bounds at the builder. The result may be
/// negative if there are none.
Value buildTripCount(OpBuilder &builder, scf::ForOp loop, Value lower,
                     Value upper, Value step);

/// Emits the value of `loop`'s induction variable in the iteration number
/// `position`, of type index.
Value buildInduction(OpBuilder &builder, scf::ForOp loop, Value lower,
                     Value step, Value position);

/// Emits the number of the iteration that `loop`'s body is in.
Value buildPosition(OpBuilder &builder, scf::ForOp loop);

} // namespace mlir::memrev

#endif // MEMREV_INTERFACES_TRIPCOUNT_H
