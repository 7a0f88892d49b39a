//===- InvertibleOpInterface.h - InvertibleOpInterface -------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_INVERTIBLEOPINTERFACE_H
#define MEMREV_INTERFACES_INVERTIBLEOPINTERFACE_H

#include "memrev/Interfaces/DerivativeContext.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/IR/OpDefinition.h"

#include "memrev/Interfaces/InvertibleOpInterface.h.inc"

namespace mlir::memrev {

/// A value that equals `value`, for the inverse of an operation whose operand
/// equals its result: what stands for the operand has a cotangent of its own,
/// and may not be the result itself.
Value createAlias(OpBuilder &builder, Location loc, Value value);

} // namespace mlir::memrev

#endif // MEMREV_INTERFACES_INVERTIBLEOPINTERFACE_H
