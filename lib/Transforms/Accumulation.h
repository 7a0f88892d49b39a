//===- Accumulation.h - Zeros and sums of derivatives --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_ACCUMULATION_H
#define MEMREV_LIB_TRANSFORMS_ACCUMULATION_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlir::memrev {

/// Emits a zero of type `type`, a float or a ranked tensor of floats. Dynamic
/// extents are those of `like`, a value of the same shape.
Value createZero(OpBuilder &builder, Location loc, Type type, Value like);

/// Emits `sum` + `contribution`; `inPlace` says that nobody else reads `sum`,
/// so that it may be overwritten.
Value createSum(OpBuilder &builder, Value sum, Value contribution,
                bool inPlace);

/// Casts a derivative to `type`, that of the value it belongs to, where a rule
/// knows static extents better.
Value castToType(OpBuilder &builder, Value derivative, Type type);

/// True if the rules of `op` take complex values.
bool hasComplexRule(Operation *op);

/// Fails after an error at `op` if one of its active operands or results has a
/// type that rules do not take. `what` flows through it: a gradient or a
/// tangent.
LogicalResult verifyTypes(Operation *op, function_ref<bool(Value)> isActive,
                          StringRef what);

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_ACCUMULATION_H
