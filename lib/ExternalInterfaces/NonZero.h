//===- NonZero.h - Which values are never zero ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_NONZERO_H
#define MEMREV_LIB_EXTERNALINTERFACES_NONZERO_H

#include "mlir/IR/Value.h"
#include <limits>
#include <optional>

namespace mlir::memrev {

/// Bounds of the absolute values of numbers that are not zero.
struct Magnitude {
  double least = 0;
  double greatest = std::numeric_limits<double>::infinity();
};

/// The magnitude of all elements of `value`, a float, a complex number or a
/// tensor of these, if none of them is zero, as a function of real numbers:
/// what underflows counts as what it is rounded from. Nothing if that is not
/// known. A constant that is infinite or not a number is not known.
std::optional<Magnitude> getNonZeroMagnitude(Value value);

/// The same of floats that are positive.
std::optional<Magnitude> getPositiveMagnitude(Value value);

/// True if all elements of the float or tensor `value` are known to be zero.
bool isKnownZero(Value value);

} // namespace mlir::memrev

#endif // MEMREV_LIB_EXTERNALINTERFACES_NONZERO_H
