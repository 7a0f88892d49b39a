//===- CallOrder.h - Functions, callees first ----------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_CALLORDER_H
#define MEMREV_CODEGEN_COMMON_CALLORDER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::memrev {

/// The functions of a module in an order in which each comes after those that
/// it calls, and the calls of each one.
struct CallOrder {
  SmallVector<func::FuncOp> functions;
  DenseMap<func::FuncOp, SmallVector<func::CallOp>> callers;

  /// Fills the order from `module`. Emits an error at a call that closes a
  /// cycle.
  static FailureOr<CallOrder> compute(ModuleOp module);
};

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_CALLORDER_H
