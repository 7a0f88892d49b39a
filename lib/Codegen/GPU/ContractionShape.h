//===- ContractionShape.h - Contractions as products of matrices - C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loop dimensions of a contraction fall into four groups, and the points of
// each are numbered in row-major order. A convolution is then a product of
// matrices whose elements are read through its accesses: nothing is copied
// first.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_CONTRACTIONSHAPE_H
#define MEMREV_LIB_CODEGEN_GPU_CONTRACTIONSHAPE_H

#include "KernelBuilder.h"

namespace mlir::memrev::simt {

/// Dimensions whose points are numbered together, the last one fastest.
struct DimGroup {
  SmallVector<unsigned> dims;
  int64_t extent = 1;
};

/// One factor.
struct Factor {
  const Access *access;
  Linear offset;
  /// Its rows, or its columns.
  const DimGroup *outer;
  /// Whether neighbours in memory are neighbours in depth; else they are
  /// neighbours in `outer`.
  bool depthContiguous;
  /// Elements that can be copied at once.
  int64_t vector;

  int64_t getVectorBytes() const {
    return vector * getByteSize(access->elementType);
  }
};

struct ContractionShape {
  /// Parallel dimensions of the first factor alone, of the second alone, and of
  /// both or neither; and the reduction dimensions.
  DimGroup rows, columns, batch, depth;
  Factor first, second;

  /// With `swap` the first factor is rhs.
  ContractionShape(const Problem &problem, bool swap);
  ContractionShape(const ContractionShape &) = delete;
};

/// Whether the roles of lhs and rhs must change for neighbours in the result to
/// be neighbouring columns.
bool shouldSwap(const Problem &problem);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_CONTRACTIONSHAPE_H
