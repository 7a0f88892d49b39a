//===- LibraryCallBuilder.h - Calls of libraries on a stream -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_LIBRARYCALLBUILDER_H
#define MEMREV_LIB_CODEGEN_GPU_LIBRARYCALLBUILDER_H

#include "ConvolutionCall.h"
#include "MatmulCall.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::memrev {

/// Makes calls of the runtime's functions for libraries out of those of
/// declared kernels on buffers.
class LibraryCallBuilder {
public:
  LibraryCallBuilder(ModuleOp module, SymbolTable &symbols)
      : module(module), symbols(symbols) {}

  /// The kernel that `call` calls, if a library computes it, or null.
  func::FuncOp getKernel(func::CallOp call);

  /// Fails with an error if the kernel does not say what the library is to do.
  LogicalResult verify(func::CallOp call, func::FuncOp kernel);

  /// Replaces `call` by one that submits the library's work to `stream`.
  void replace(func::CallOp call, func::FuncOp kernel, Value stream);

  /// The runtime's function that prepares the library of `kernel`.
  static StringRef getPreparation(func::FuncOp kernel);
  /// Lets `entry` call that before it does anything, so that results are as
  /// they were if there is no library.
  void prepare(func::FuncOp entry, StringRef preparation);

  /// Erases the declarations of kernels that were replaced.
  void finish();

private:
  LLVM::GlobalOp getDescription(func::FuncOp kernel, ArrayRef<int64_t> members);

  ModuleOp module;
  SymbolTable &symbols;
  llvm::DenseMap<Attribute, LLVM::GlobalOp> descriptions;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_LIBRARYCALLBUILDER_H
