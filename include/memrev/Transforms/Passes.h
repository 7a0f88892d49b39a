//===- Passes.h - Passes on function transforms --------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TRANSFORMS_PASSES_H
#define MEMREV_TRANSFORMS_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::memrev {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "memrev/Transforms/Passes.h.inc"

/// The function that the options of `pass`, a rev-differentiate, name; empty if
/// they name none.
StringRef getDifferentiatedFunction(const Pass &pass);

} // namespace mlir::memrev

#endif // MEMREV_TRANSFORMS_PASSES_H
