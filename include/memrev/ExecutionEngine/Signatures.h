//===- Signatures.h - What a library says of itself ----------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_SIGNATURES_H
#define MEMREV_EXECUTIONENGINE_SIGNATURES_H

#include "memrev/ExecutionEngine/Array.h"

namespace llvm {
class Module;
} // namespace llvm

namespace mlir::memrev {

/// The text, ended by a zero, that object files and libraries have: the target
/// and the chip of the program and how its functions are called, as JSON.
inline constexpr llvm::StringLiteral kSignatures = "_memrev_signatures";

/// Adds that text to `module`.
void addSignatures(llvm::Module &module,
                   llvm::ArrayRef<FunctionSignature> functions,
                   llvm::StringRef target, llvm::StringRef chip);

} // namespace mlir::memrev

#endif // MEMREV_EXECUTIONENGINE_SIGNATURES_H
