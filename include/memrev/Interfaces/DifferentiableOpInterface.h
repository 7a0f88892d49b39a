//===- DifferentiableOpInterface.h - DifferentiableOpInterface  -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_DIFFERENTIABLEOPINTERFACE_H
#define MEMREV_INTERFACES_DIFFERENTIABLEOPINTERFACE_H

#include "memrev/Interfaces/DerivativeContext.h"
#include "mlir/IR/OpDefinition.h"

#include "memrev/Interfaces/DifferentiableOpInterface.h.inc"

namespace mlir::memrev {

/// True if what computes `value` is cheap to recompute: `value` may be a view
/// of another one, and its cotangent a part of that one's.
bool isView(Value value);

} // namespace mlir::memrev

#endif // MEMREV_INTERFACES_DIFFERENTIABLEOPINTERFACE_H
