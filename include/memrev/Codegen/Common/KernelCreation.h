//===- KernelCreation.h - The kernel of an operation ---------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_KERNELCREATION_H
#define MEMREV_CODEGEN_COMMON_KERNELCREATION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::memrev {

/// Returns the kernel function that `codegen-outline-kernels` would make of the
/// operation `root` as its program is now; null if it would make none. The
/// program stays as it is.
OwningOpRef<func::FuncOp> createKernelOf(Operation *root);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_KERNELCREATION_H
