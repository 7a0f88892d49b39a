//===- ProgramFile.h - Compiled programs as bytes ------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program that was compiled once is had again without compiling. The bytes
// hold all that a compilation gave: machine code, signatures, the memory
// report, diagnostics, the processor that the code is for. Only the build of
// the compiler that wrote them reads them.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_PROGRAMFILE_H
#define MEMREV_COMPILER_PROGRAMFILE_H

#include "memrev/Compiler/Compiler.h"

namespace mlir::memrev {

/// Returns a compilation that succeeded as bytes.
std::string saveProgram(const CompileResult &result);

/// Makes a compilation of `bytes` again. Fails for bytes of another program or
/// another build, damaged ones, and where this machine's processor cannot run
/// the code.
llvm::Expected<CompileResult> loadProgram(llvm::StringRef bytes);

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_PROGRAMFILE_H
