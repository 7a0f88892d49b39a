//===- TileCopy.h - Tiles of factors go to shared memory ------- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_TILECOPY_H
#define MEMREV_LIB_CODEGEN_GPU_TILECOPY_H

#include "ContractionEmitter.h"

namespace mlir::memrev::simt {

/// Copies the tile of one factor at one depth after the other. What depends on
/// the rows or columns is computed once.
class TileCopy {
public:
  /// `start` is the tile's first row or column, of `outerTile`.
  TileCopy(KernelBuilder &k, const ContractionStrategy &strategy,
           const ContractionShape &shape, const Factor &factor,
           const TileLayout &layout, Value thread, Value start,
           int64_t outerTile, ArrayRef<Value> batchDims);

  /// Starts the copies of the tile from `depth` on to shared memory at `base`.
  /// Elements outside of the factor become zero.
  void emit(Value base, Value depth);

private:
  /// Neighbouring elements that a thread copies at once.
  struct Piece {
    /// Null if every thread has this piece.
    Value exists;
    /// Null if the row or column is certainly inside.
    Value isInside;
    Value offset, sharedOffset, depth;
    /// Values of the access's bounds without the part of the depth.
    SmallVector<Value> bounds;
  };
  void emitPiece(const Piece &piece, Value base, Value depth);

  KernelBuilder &k;
  const ContractionShape &shape;
  const Factor &factor;
  int64_t lanes;
  bool depthIsWhole;
  SmallVector<Linear> bounds;
  SmallVector<Piece> pieces;
};

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_TILECOPY_H
