//===- LoopExtents.h - Shapes that a loop does not change ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_LOOPEXTENTS_H
#define MEMREV_LIB_TRANSFORMS_LOOPEXTENTS_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::memrev {

/// Finds the extents of tensors inside a loop that are known before it, because
/// every iteration has the same.
class LoopExtents {
public:
  explicit LoopExtents(scf::ForOp loop) : loop(loop), builder(loop) {}

  /// What equals extent `dim` of `tensor`, a value of the loop's body, before
  /// the loop: an attribute if it is constant, null if it is not known.
  OpFoldResult get(Value tensor, int64_t dim);

  /// The extents of `value` that its type does not say, before the loop.
  /// Nothing if they are not known, or if values of this type cannot be
  /// stacked.
  std::optional<SmallVector<Value>> getDynamic(Value value);

private:
  OpFoldResult getOfResult(OpResult result, int64_t dim);
  OpFoldResult getOfCarried(scf::ForOp inner, unsigned number, int64_t dim);
  /// What equals the integer `value` before the loop.
  OpFoldResult getIndex(Value value);
  /// Whether `value` can be read before the loop. What is in the body of an
  /// earlier loop cannot.
  bool isOutside(Value value) {
    return value.getParentRegion()->isAncestor(loop->getParentRegion());
  }

  scf::ForOp loop;
  OpBuilder builder;
  /// Extents of values from outside, and integers that were evaluated there:
  /// one value for each, so that equal extents are the same value.
  DenseMap<std::pair<Value, int64_t>, OpFoldResult> outer;
  DenseMap<Value, OpFoldResult> indices;
  /// Extents of iteration arguments that are being proved.
  DenseMap<std::pair<Value, int64_t>, OpFoldResult> assumed;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_LOOPEXTENTS_H
