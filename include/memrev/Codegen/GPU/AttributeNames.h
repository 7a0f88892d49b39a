//===- AttributeNames.h - Attributes between GPU passes ------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_GPU_ATTRIBUTENAMES_H
#define MEMREV_CODEGEN_GPU_ATTRIBUTENAMES_H

#include "llvm/ADT/StringRef.h"

namespace mlir::memrev {

/// Array of three integers, on a kernel without a body: the blocks, the threads
/// of a block and the bytes of dynamic shared memory that its launches have.
inline constexpr llvm::StringLiteral kLaunchAttr = "memrev.launch";

/// Dictionary, on a kernel without a body: the product that cuBLASLt computes
/// in its place.
inline constexpr llvm::StringLiteral kMatmulAttr = "memrev.matmul";

/// String, on a structured operation or a kernel function: "vendor" for a
/// library, or "generated".
inline constexpr llvm::StringLiteral kEngineAttr = "memrev.engine";

/// The `gpu.module` of kernels that are emitted from tensors.
inline constexpr llvm::StringLiteral kKernelModule = "memrev_kernels";

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_GPU_ATTRIBUTENAMES_H
