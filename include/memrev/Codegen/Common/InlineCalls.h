//===- InlineCalls.h - Calls become what they call ------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_INLINECALLS_H
#define MEMREV_CODEGEN_COMMON_INLINECALLS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::memrev {

/// Replaces `call` by the body of `callee`, a function of one block.
void inlineCall(func::CallOp call, func::FuncOp callee);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_INLINECALLS_H
