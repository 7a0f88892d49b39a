//===- Artifacts.h - Libraries and headers for C --------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_EXECUTIONENGINE_ARTIFACTS_H
#define MEMREV_EXECUTIONENGINE_ARTIFACTS_H

#include "memrev/ExecutionEngine/Array.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mlir::memrev {

/// Writes a C header that declares `functions` as they are in an object file or
/// shared library: plain pointers, scalars by value, the arena last.
void printCHeader(llvm::raw_ostream &os,
                  llvm::ArrayRef<FunctionSignature> functions);

/// Links `object` to a shared library at `path` with the system's C compiler,
/// and with the OpenMP library if it is used. The file appears when it is whole.
llvm::Error linkSharedLibrary(const llvm::MemoryBuffer &object,
                              llvm::StringRef path);

} // namespace mlir::memrev

#endif // MEMREV_EXECUTIONENGINE_ARTIFACTS_H
