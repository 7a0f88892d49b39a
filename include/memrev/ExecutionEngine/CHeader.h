//===- CHeader.h - How C programs call a program -------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_CHEADER_H
#define MEMREV_EXECUTIONENGINE_CHEADER_H

#include "memrev/ExecutionEngine/Array.h"

namespace mlir::memrev {

/// Writes a C header that declares `functions` as they are in an object file or
/// shared library: plain pointers, scalars by value, the arena last. Pointers are
/// to device memory if `isForDevice`, and what handles it is declared, too.
void printCHeader(llvm::raw_ostream &os,
                  llvm::ArrayRef<FunctionSignature> functions,
                  bool isForDevice);

} // namespace mlir::memrev

#endif // MEMREV_EXECUTIONENGINE_CHEADER_H
