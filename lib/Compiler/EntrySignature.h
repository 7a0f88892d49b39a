//===- EntrySignature.h - How callers see entries ------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_COMPILER_ENTRYSIGNATURE_H
#define MEMREV_LIB_COMPILER_ENTRYSIGNATURE_H

#include "memrev/ExecutionEngine/Array.h"
#include "memrev/Pipelines/Entries.h"

namespace mlir::memrev {

/// How `entry`, whose parameters have the given names, is called. Reports types
/// that callers have no arrays of.
FailureOr<FunctionSignature> getSignature(const Entry &entry,
                                          const ParameterNames &names);

} // namespace mlir::memrev

#endif // MEMREV_LIB_COMPILER_ENTRYSIGNATURE_H
