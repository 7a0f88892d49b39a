//===- Native.h - Runs derived functions as machine code ------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_FUZZ_NATIVE_H
#define MEMREV_TEST_LIB_FUZZ_NATIVE_H

#include "Points.h"
#include <optional>
#include <string>

namespace mlir::memrev::testing {

/// Whether `program` takes and returns nothing but f32 and f64 of static
/// shapes: what a compiled function can be called with.
bool isNativeCallable(ModuleOp program);

/// Compiles `program` with the function `derived` by the compiler's own
/// pipeline and calls that with `arguments`. None after an error, or if the
/// call wrote to the argument `overwritten`.
std::optional<Values> runNative(ModuleOp program, Derived derived,
                                ArrayRef<Datum> arguments, std::string &error,
                                std::optional<unsigned> &overwritten);

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_FUZZ_NATIVE_H
