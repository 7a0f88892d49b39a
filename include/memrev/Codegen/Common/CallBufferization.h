//===- CallBufferization.h - Bufferization of calls with many tensors -----===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_CALLBUFFERIZATION_H
#define MEMREV_CODEGEN_COMMON_CALLBUFFERIZATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::memrev {

/// Attaches a model of `func.call` for one-shot bufferization that answers as
/// upstream's does, in time that does not grow with the cube of the number of
/// tensors. The first model attached to an operation wins, so this comes before
/// the registration of upstream's models.
void registerCallBufferization(DialectRegistry &registry);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_CALLBUFFERIZATION_H
