//===- DynamicFrame.h - Frames of buffers of open extents ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_DYNAMICFRAME_H
#define MEMREV_CODEGEN_COMMON_DYNAMICFRAME_H

#include "memrev/Codegen/Common/Extents.h"
#include "memrev/Codegen/Common/Polynomial.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::memrev {

/// What calls of a function ask of the extents of its arguments, in terms of
/// the symbols of `Extents`.
struct CallConditions {
  /// Pairs that have to be equal.
  SmallVector<std::pair<AffineExpr, AffineExpr>> equal;
  /// What may not be negative.
  SmallVector<AffineExpr> natural;

  void addNatural(AffineExpr extent);
  /// Adds those of a callee whose symbols are `symbols` here; null ones are not
  /// known.
  void addOfCallee(const CallConditions &callee, ArrayRef<AffineExpr> symbols);
};

/// A buffer whose bytes depend on extents, or the frame of a callee like that.
struct DynamicBuffer {
  memref::AllocOp op;
  /// The largest of these.
  Maximum bytes;
  /// Its life, both ends included.
  int64_t begin = 0, end = 0;
  Maximum offset;
};

/// What the conditions say that symbols are: an expression of others for some,
/// themselves for the rest.
SmallVector<AffineExpr> solveSymbols(const CallConditions &conditions,
                                     unsigned numSymbols, MLIRContext *context);

/// Gives each buffer an offset of `base` bytes or more, a multiple of
/// `alignment`, such that two that live at once do not overlap whatever the
/// symbols are. Which of two lies above the other is as in the best packing for
/// symbols of one value: where all sizes are multiples of one product of
/// extents, that is the best packing for all values. Returns the bytes of the
/// frame, or nothing if numbers do not fit 64 bits.
std::optional<Maximum>
placeDynamicBuffers(MutableArrayRef<DynamicBuffer> buffers, int64_t base,
                    int64_t alignment, MLIRContext *context);

/// Adds the public functions by which callers of `entry` learn about its
/// memory: the bytes of its arena, -1 for extents whose sizes are negative or
/// do not fit 64 bits, or -2 for extents that do not agree with each other;
/// and, if it has results of open extents, these extents. Fails if their names
/// are taken.
LogicalResult addExtentFunctions(func::FuncOp entry, AffineMap bytes,
                                 const CallConditions &conditions);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_DYNAMICFRAME_H
