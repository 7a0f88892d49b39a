//===- Remarks.h - What was not done, and why ------------------ -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_REMARKS_H
#define MEMREV_LIB_CODEGEN_GPU_REMARKS_H

#include "mlir/IR/Operation.h"

namespace mlir::memrev::simt {

/// Says in one line that `op` is not compiled as it could be, so that nobody
/// wonders at a slow program. `name` and `category` are for those who collect
/// remarks.
void reportMissed(Operation *op, StringRef name, StringRef category,
                  const Twine &line);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_REMARKS_H
