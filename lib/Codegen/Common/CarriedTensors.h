//===- CarriedTensors.h - What the regions of loops carry ------- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_COMMON_CARRIEDTENSORS_H
#define MEMREV_LIB_CODEGEN_COMMON_CARRIEDTENSORS_H

#include "mlir/IR/Operation.h"

namespace mlir::memrev {

/// The tensors that a region of a loop gets as block arguments, and the
/// operands of its end that have to be in the buffers of these.
struct CarriedTensors {
  SmallVector<BlockArgument> carried;
  SmallVector<OpOperand *> yielded;
};

/// Returns what the region of an `scf.for`, or each of an `scf.while`, carries;
/// nothing for other operations.
SmallVector<CarriedTensors> getCarriedTensors(Operation *loop);

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_COMMON_CARRIEDTENSORS_H
