//===- Identity.h - Which compiler this is -------------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_IDENTITY_H
#define MEMREV_COMPILER_IDENTITY_H

#include <string>

namespace mlir::memrev {

/// Names this build of the compiler: its version, and a hash of the builds of
/// the libraries that it consists of. Builds that may compile a program
/// differently have different names.
const std::string &getCompilerIdentity();

/// Names this build and the processor of this machine: what a program that is
/// compiled for the processor "native" depends on beside its text and options.
const std::string &getHostIdentity();

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_IDENTITY_H
