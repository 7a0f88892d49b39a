//===- SharedLibrary.h - Linking compiled programs ------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_SHAREDLIBRARY_H
#define MEMREV_COMPILER_SHAREDLIBRARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mlir::memrev {

class CompiledProgram;

/// Returns what the object file of `program` is linked with. For the CPU that
/// is the math library, and glibc's vectors and OpenMP if it uses them; for a
/// GPU memrev's CUDA runtime, of the build or the installation that `file`, a
/// program or a library of memrev, belongs to.
llvm::Expected<llvm::SmallVector<std::string>>
getLibraries(const CompiledProgram &program, llvm::StringRef file);

/// Links the object file `object` with `libraries`, static ones or options that
/// name shared ones, to a shared library by the system's C++ compiler, and
/// returns its contents.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
linkSharedLibrary(const llvm::MemoryBuffer &object,
                  llvm::ArrayRef<std::string> libraries);

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_SHAREDLIBRARY_H
