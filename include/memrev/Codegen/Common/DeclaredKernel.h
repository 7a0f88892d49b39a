//===- DeclaredKernel.h - Kernels whose code is elsewhere ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel for a device is generated before bufferization, from tensors, while
// the code that calls it still is on tensors. What is left of it there is a
// declaration: a private kernel function without a body. Its last arguments are
// the destinations of its results, in order; each tensor argument has
// bufferization's attribute for what the kernel does with the buffer.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_DECLAREDKERNEL_H
#define MEMREV_CODEGEN_COMMON_DECLAREDKERNEL_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::memrev {

enum class ArgumentAccess { None, Read, Write, ReadWrite };

/// True for a kernel function without a body.
bool isDeclaredKernel(func::FuncOp func);

/// The number of the argument whose buffer holds result `result`. Only before
/// the results are dropped.
unsigned getDestinationArgument(func::FuncOp kernel, unsigned result);

/// What `kernel` does with the buffer of its argument `number`; both reads and
/// writes it if nothing is said.
ArgumentAccess getArgumentAccess(func::FuncOp kernel, unsigned number);
void setArgumentAccess(func::FuncOp kernel, unsigned number,
                       ArgumentAccess access);

bool readsArgument(func::FuncOp kernel, unsigned number);
bool writesArgument(func::FuncOp kernel, unsigned number);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_DECLAREDKERNEL_H
