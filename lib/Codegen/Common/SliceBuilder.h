//===- SliceBuilder.h - Computing on one slice of a stack ------*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_COMMON_SLICEBUILDER_H
#define MEMREV_LIB_CODEGEN_COMMON_SLICEBUILDER_H

#include "SlicedStack.h"

namespace mlir::memrev {

/// The dimension that loop `loop` walks in what `map` indexes, if any.
std::optional<unsigned> getDimOfLoop(AffineMap map, unsigned loop);

/// Makes a tensor of `type` that holds what `fill` writes.
Value buildFill(OpBuilder &builder, linalg::FillOp fill, RankedTensorType type);

/// Computes operations on whole stacks on the slices of one insertion, in front
/// of it.
class SliceBuilder {
public:
  /// `loops` has the operations that are computed on slices, with the loop of
  /// each that walks them; `current` what other stacks are called there. `loop`
  /// is around `write`, or null.
  SliceBuilder(const SliceWrite &write, scf::ForOp loop,
               const llvm::DenseMap<Operation *, unsigned> &loops,
               const llvm::DenseMap<Value, Value> &current);

  void setSlice(Value value, Value slice) { slices[value] = slice; }
  /// The slice of `value` along `dim`.
  Value getSlice(Value value, unsigned dim);
  /// Inserts `slice` into `dest`.
  Value insertSlice(Value slice, Value dest, unsigned dim);
  /// Makes one operation of what was computed, if it can be one: it updates
  /// slices in their place once it has read them.
  void join();
  OpBuilder &getBuilder() { return builder; }

private:
  Value extractSlice(Value source, unsigned dim);
  void clone(linalg::GenericOp op, unsigned loopOfSlices);
  /// Which part of a tensor of type `type` the slice is.
  void getPart(RankedTensorType type, unsigned dim,
               SmallVectorImpl<OpFoldResult> &offsets,
               SmallVectorImpl<OpFoldResult> &sizes,
               SmallVectorImpl<OpFoldResult> &strides);

  tensor::InsertSliceOp target;
  scf::ForOp loop;
  const llvm::DenseMap<Operation *, unsigned> &loops;
  const llvm::DenseMap<Value, Value> &current;
  /// The number of the slice.
  OpFoldResult number;
  IRRewriter builder;
  llvm::DenseMap<Value, Value> slices;
  SmallVector<linalg::GenericOp> made;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_COMMON_SLICEBUILDER_H
