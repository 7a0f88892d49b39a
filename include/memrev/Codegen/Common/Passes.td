//===- Passes.td - Code generation passes (Common) ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_PASSES_TD
#define MEMREV_CODEGEN_COMMON_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // MEMREV_CODEGEN_COMMON_PASSES_TD
