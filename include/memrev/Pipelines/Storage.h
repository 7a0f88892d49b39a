//===- Storage.h - Memory that derivatives may take to save time - C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_PIPELINES_STORAGE_H
#define MEMREV_PIPELINES_STORAGE_H

#include "mlir/IR/BuiltinOps.h"
#include <optional>

namespace mlir::memrev {

/// Lets each derivative that the public function `entry` of `module` takes under
/// `policy(invert)`, in functions that it calls too, store `bytes` by estimate
/// beyond what inversion does. A function that several entries differentiate
/// gets the fewest. Before the differentiate stage. Returns whether there is
/// such a derivative.
bool setStorage(ModuleOp module, StringRef entry, int64_t bytes);

/// The most bytes that a call of `entry` may take by the program
/// (`rev.memory_budget`), if it says so.
std::optional<int64_t> getMemoryBudget(ModuleOp module, StringRef entry);

} // namespace mlir::memrev

#endif // MEMREV_PIPELINES_STORAGE_H
