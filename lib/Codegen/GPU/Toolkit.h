//===- Toolkit.h - What makes machine code of kernels --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_TOOLKIT_H
#define MEMREV_LIB_CODEGEN_GPU_TOOLKIT_H

#include "mlir/Support/LLVM.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir::memrev {

/// Registers LLVM's code generator for NVIDIA's chips.
void initializeNVPTX();

/// Looks for the program `name` of CUDA's toolkit: in the toolkits that the
/// environment names (CUDA_ROOT, CUDA_HOME, CUDA_PATH), on PATH, and in
/// NVIDIA's packages of the Python that is on PATH or that this compiler is
/// installed in. Returns its path, or an error that says where it is not.
llvm::Expected<std::string> findToolkitProgram(StringRef name);

/// Returns the machine code of `ptx` for `chip`, a cubin, which the program
/// `ptxas` makes.
llvm::Expected<std::string> assemblePTX(StringRef ptxas, StringRef ptx,
                                        StringRef chip);

/// Returns a file with `ptx` and its `cubin`, from which the driver takes what
/// suits it, which the program `fatbinary` makes.
llvm::Expected<std::string> packFatBinary(StringRef fatbinary, StringRef ptx,
                                          StringRef cubin, StringRef chip);

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_TOOLKIT_H
