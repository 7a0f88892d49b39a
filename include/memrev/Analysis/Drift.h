//===- Drift.h - How far inverses are from the true values -----*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An inverse rounds, and enlarges the error of what it starts from by its gain.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_DRIFT_H
#define MEMREV_ANALYSIS_DRIFT_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/ValueRange.h"

namespace mlir::memrev {

/// Inverses that start from each other's results.
struct InverseRun {
  /// How many there are; infinite if a loop of unknown length is among them.
  double number = 0;
  /// What each of them makes of an error, as the geometric mean. At least 1.
  double gain = 1;

  /// The unit of rounding of the least precise of them, relative to a value.
  double rounding = 0;

  /// The distance from the true values, relative to them, of what `times` such
  /// runs, one behind the other, give back.
  double getDrift(double times = 1) const;
  /// What they make of an error.
  double getGain(double times = 1) const;
};

/// The gain that costs half of the digits of `values`.
double getGainOfHalfTheDigits(ValueRange values);

/// The inverses of `op`, a coupling, a call or a loop that the plan inverts: of a
/// loop, those of one iteration.
InverseRun getInverseRun(Operation *op);

/// The inverses of all operations of `block` that the plan inverts, with all
/// iterations of loops.
InverseRun getInverseRun(Block &block);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_DRIFT_H
