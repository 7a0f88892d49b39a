//===- Shrink.h - Makes failing programs small ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_FUZZ_SHRINK_H
#define MEMREV_TEST_LIB_FUZZ_SHRINK_H

#include "Checks.h"
#include "mlir/IR/OwningOpRef.h"

namespace mlir::memrev::testing {

/// The name of the check that ends this process.
inline constexpr llvm::StringLiteral kCrash = "crash";

/// Whether checking `program` crashes or takes forever, tried in a process of
/// its own.
bool crashes(ModuleOp program, uint64_t seed, const CheckOptions &options);

/// A small program that fails in the same check as `program`.
OwningOpRef<ModuleOp> shrink(ModuleOp program, const std::string &check,
                             uint64_t seed, const CheckOptions &options);

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_FUZZ_SHRINK_H
