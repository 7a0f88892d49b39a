//===- CallEntry.h - Entries of programs for a GPU ------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_CALLENTRY_H
#define MEMREV_LIB_CODEGEN_GPU_CALLENTRY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::memrev {

/// Returns true if a plain pointer tells all about a buffer of `type`.
bool isPlainBuffer(Type type);

/// Returns the function of the runtime called `name`, declared if it is not.
func::FuncOp getRuntimeFunction(ModuleOp module, SymbolTable &symbols,
                                StringRef name, TypeRange arguments,
                                TypeRange results);

/// Fills functions that callers see with calls of the functions that do their
/// work on a stream, between calls of the runtime.
class CallEntryBuilder {
public:
  CallEntryBuilder(ModuleOp module, SymbolTable &symbols);

  /// Gives `entry`, which has no body, one that calls `body` with the arguments
  /// and the stream. The runtime may record a call as a graph if
  /// `isRecordable`: if its work depends on nothing but the arguments.
  void build(func::FuncOp entry, func::FuncOp body, bool isRecordable);

  /// Adds what frees the recordings when the program is unloaded.
  void finish();

private:
  /// Stores `values`, of type i64, in an array on the stack.
  Value createArray(OpBuilder &builder, Location loc, ValueRange values);

  LLVM::GlobalOp createSlot(func::FuncOp entry);

  ModuleOp module;
  SymbolTable &symbols;
  Type pointerType, i64;
  SmallVector<LLVM::GlobalOp> slots;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_CALLENTRY_H
