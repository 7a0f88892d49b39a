//===- Slices.h - Slices and index expressions ---------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_INTERPRETER_SLICES_H
#define MEMREV_TEST_LIB_INTERPRETER_SLICES_H

#include "Interpreter.h"
#include "mlir/IR/AffineExpr.h"

namespace mlir::memrev::testing {

struct Slice {
  SmallVector<int64_t> offsets, sizes, strides;
};

/// The slice of an operation whose dynamic offsets, sizes and strides are its
/// operands from `first` on.
Slice getSlice(Machine &machine, const Instruction &instruction,
               unsigned first);

/// Calls `body` with the position in `whole` of each element of `slice` and the
/// number of the element. Fails if one is out of bounds.
LogicalResult
forEachElement(Machine &machine, Operation *op, const Slice &slice,
               const Datum &whole,
               function_ref<LogicalResult(int64_t, int64_t)> body);

/// The value of `expr`, whose symbols are behind `numDims` dimensions.
int64_t evaluate(AffineExpr expr, ArrayRef<int64_t> operands, unsigned numDims);

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_INTERPRETER_SLICES_H
