//===- Passes.h - Code generation passes (CPU) ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_CPU_PASSES_H
#define MEMREV_CODEGEN_CPU_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::memrev {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "memrev/Codegen/CPU/Passes.h.inc"

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_CPU_PASSES_H
