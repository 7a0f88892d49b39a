//===- ContractionEmitter.h - Sums of products in register tiles ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Matrix products, convolutions and filter gradients are one loop nest here:
// a register tile of rows x vectors, whose rows come from scalars of lhs and
// whose vectors from rhs, inside of the reduction loops. The rows of a
// depthwise convolution are vectors of lhs. Zero padding costs
// nothing: loops skip what they can, and a tile at the border leaves out the
// products that are known to be zero.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_CPU_CONTRACTIONEMITTER_H
#define MEMREV_LIB_CODEGEN_CPU_CONTRACTIONEMITTER_H

#include "KernelEmitter.h"

namespace mlir::memrev::cpu {

class ContractionEmitter : public KernelEmitter {
public:
  ContractionEmitter(OpBuilder &builder, Problem &problem,
                     const Strategy &strategy);

protected:
  void emitPrologue() override;
  Tiles emitTile(Tiles tiles) override;
  Value getNeutral(unsigned) override {
    return constantLike(builder.getZeroAttr(problem.lhs.elementType));
  }
  Value combine(unsigned, Value left, Value right) override {
    return arith::AddFOp::create(builder, loc, left, right);
  }

private:
  /// `count` tiles of `size` elements from `start` on.
  struct Segment {
    int64_t start, size, count;
  };

  /// How a bound of lhs is kept: by the range of a reduction loop, by leaving
  /// out products of tiles at the border, by checks in the first and last
  /// iterations of a reduction loop, which alone can meet it, or by checks.
  enum class Keep { Range, Rows, Border, Check };

  void classifyBounds();
  static SmallVector<Segment> splitEvenly(int64_t extent, int64_t limit);
  SmallVector<Segment> splitRows();
  SmallVector<Segment> splitPanels();
  bool isInterior(int64_t start, int64_t size);
  Tiles emitBlocks(unsigned level, Tiles tiles);
  Tiles emitOuter(unsigned level, Tiles tiles);
  Tiles emitPanels(Tiles tiles);
  Tiles emitRows(int64_t panel, int64_t lastLanes, Tiles tiles);
  Tiles emitRegisterTile(int64_t rows, int64_t panel, int64_t lastLanes,
                         Tiles tiles);
  SmallVector<Value> emitReduction(unsigned level, int64_t rows, int64_t panel,
                                   int64_t lastLanes, SmallVector<Value> sums);
  SmallVector<Value> emitProducts(int64_t rows, int64_t panel,
                                  int64_t lastLanes, SmallVector<Value> sums);
  SmallVector<Value> emitSteps(unsigned level, OpFoldResult low,
                               OpFoldResult high, int64_t rows, int64_t panel,
                               int64_t lastLanes, SmallVector<Value> sums);
  std::pair<OpFoldResult, OpFoldResult> getRange(unsigned dim);
  std::optional<std::pair<int64_t, int64_t>> getInterior(unsigned dim);
  int64_t getWindow(int64_t row, int64_t tap) const;
  Value loadVector(int64_t vector, int64_t lanes);
  Value packTransposed(Value into, unsigned numOuter);
  Tiles initialise(Tiles tiles);
  int64_t lanesOf(int64_t vector, int64_t panel, int64_t lastLanes) const {
    return vector == panel - 1 ? lastLanes : strategy.lanes;
  }

  Access lhs, rhs;
  /// Whether the rows are vectors, too.
  bool depthwise;
  /// The reduction dimension whose terms a tile deals out of the same vectors
  /// of rows; -1 for none.
  int64_t dealtDim = -1;
  SmallVector<Keep> keeps;
  bool checkBounds = false;
  /// Parallel dimensions that are neither rows nor vectors.
  SmallVector<unsigned> outerDims;
  /// Those whose loops go around the panels, and the others. A panel stays in
  /// the cache while images and rows pass; but a batch of products has a panel
  /// of its own in each, and a block of a long reduction is meant to stay.
  SmallVector<unsigned> aroundDims, insideDims;
  /// Reduction dimensions that are loops, outermost first.
  SmallVector<unsigned> reductionDims;
  /// The range of each dimension that a block loop has set.
  DenseMap<unsigned, std::pair<OpFoldResult, OpFoldResult>> blockRanges;
  /// Where the current panel starts, counted in vectors.
  OpFoldResult panelStart;
  /// rhs in panels: other dimensions of rhs, vectors, reductions, lanes.
  Value packed;
  SmallVector<unsigned> packedDims;
};

} // namespace mlir::memrev::cpu

#endif // MEMREV_LIB_CODEGEN_CPU_CONTRACTIONEMITTER_H
