//===- Register.h - Derivative and inverse rules of upstream ops ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXTERNALINTERFACES_REGISTER_H
#define MEMREV_EXTERNALINTERFACES_REGISTER_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::memrev {

/// Attaches DifferentiableOpInterface and InvertibleOpInterface to operations
/// of the arith, linalg, math, scf and tensor dialects.
void registerExternalInterfaces(DialectRegistry &registry);

} // namespace mlir::memrev

#endif // MEMREV_EXTERNALINTERFACES_REGISTER_H
