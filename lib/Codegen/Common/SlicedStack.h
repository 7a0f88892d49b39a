//===- SlicedStack.h - Tensors that are written slice by slice -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tensor of zeros whose slices loops and insertions write one after the
// other, each of them once: the gradient of stacked weights.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_COMMON_SLICEDSTACK_H
#define MEMREV_LIB_CODEGEN_COMMON_SLICEDSTACK_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::memrev {

/// The numbers of the slices that one operation names, one for each iteration
/// of the loop around it; a single one outside of the loop.
using SliceNumbers = SmallVector<int64_t>;

/// An insertion of one slice, and the slices that it writes.
struct SliceWrite {
  tensor::InsertSliceOp insert;
  SliceNumbers slices;
};

/// An operation that writes some slices: an `scf.for` that carries the stack,
/// or an insertion.
struct StackWriter {
  Operation *op;
  /// Of a loop: which of its results the stack is.
  unsigned result = 0;
  /// In the order of the program.
  SmallVector<SliceWrite> writes;
  /// What reads slices before they are written.
  SmallVector<tensor::ExtractSliceOp> reads;

  scf::ForOp getLoop() const { return dyn_cast<scf::ForOp>(op); }
};

struct SlicedStack {
  Value value;
  /// The dimension along which slices have an extent of 1.
  unsigned dim;
  /// What each slice holds before it is written.
  linalg::FillOp fill;
  /// In the order of the program, all in one block.
  SmallVector<StackWriter> writers;

  /// Follows `value` back to the fill. Fails if it is no stack whose slices are
  /// all written, each of them once, or if anything else reads what it was
  /// before; `report` is told which slices are to blame.
  static FailureOr<SlicedStack>
  trace(Value value, function_ref<void(StringRef reason)> report);

  RankedTensorType getType() const {
    return cast<RankedTensorType>(value.getType());
  }
  Operation *getFirstWriter() const { return writers.front().op; }
};

/// `type` without dimension `dim`.
RankedTensorType getSliceType(RankedTensorType type, unsigned dim);

/// The dimension along which the slice of a tensor of type `type` has an extent
/// of 1, where it has all of the others; nothing if it is another kind of slice
/// or if the tensor itself has an extent of 1 there.
std::optional<unsigned> getSlicedDim(OffsetSizeAndStrideOpInterface slice,
                                     RankedTensorType type);

/// The slices that `slice` names along `dim` in the iterations of `loop`, or
/// outside of loops if that is null; nothing if they are not known.
std::optional<SliceNumbers>
getSliceNumbers(OffsetSizeAndStrideOpInterface slice, unsigned dim,
                scf::ForOp loop);

} // namespace mlir::memrev

#endif // MEMREV_LIB_CODEGEN_COMMON_SLICEDSTACK_H
