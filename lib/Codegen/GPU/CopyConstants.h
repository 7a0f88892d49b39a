//===- CopyConstants.h - Constants in device memory ------------ -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_COPYCONSTANTS_H
#define MEMREV_LIB_CODEGEN_GPU_COPYCONSTANTS_H

#include "mlir/IR/Operation.h"

namespace mlir::memrev {

/// Makes `operand`, if it is a constant tensor or a part of one, a copy that a
/// kernel makes: constants are in the memory of the host, but for kernels that
/// name them.
void copyIfConstant(OpOperand &operand);

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_GPU_COPYCONSTANTS_H
