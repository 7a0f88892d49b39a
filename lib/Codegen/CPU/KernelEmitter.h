//===- KernelEmitter.h - Loops, tiles and accesses of a kernel  -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the emitters of contractions and of everything else share.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_CPU_KERNELEMITTER_H
#define MEMREV_LIB_CODEGEN_CPU_KERNELEMITTER_H

#include "Strategy.h"
#include "memrev/Codegen/Common/Problem.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::memrev::cpu {

/// The part of the destination that the current code may write, one tensor per
/// output.
using Tiles = SmallVector<Value>;

class KernelEmitter {
public:
  KernelEmitter(OpBuilder &builder, Problem &problem, const Strategy &strategy);
  virtual ~KernelEmitter() = default;

  /// Emits the kernel and returns its results.
  SmallVector<Value> emit();

protected:
  /// Emits what happens once, in front of the parallel loop.
  virtual void emitPrologue() {}
  /// Emits the computation of one tile of the parallel loop.
  virtual Tiles emitTile(Tiles tiles) = 0;
  /// The value that a partial result starts with.
  virtual Value getNeutral(unsigned output) = 0;
  /// Combines two partial results, scalars or vectors.
  virtual Value combine(unsigned output, Value left, Value right) = 0;

  // Indices. Each loop dimension has a value in the whole problem, one within
  // the tile, and a constant that is added to both.
  struct Position {
    SmallVector<OpFoldResult> base, global, local;
    SmallVector<int64_t> offset;
  };
  Position position;
  OpFoldResult evaluate(AffineExpr expr, ArrayRef<Value> symbols);
  Value asValue(OpFoldResult value);
  Value constantIndex(int64_t value);
  /// Moves `dim` to `local` within the tile.
  void setLocal(unsigned dim, OpFoldResult local);
  std::optional<int64_t> getConstant(AffineExpr expr);

  // Loops.
  using LoopBody = function_ref<SmallVector<Value>(OpFoldResult, ValueRange)>;
  SmallVector<Value> emitLoop(OpFoldResult low, OpFoldResult high, int64_t step,
                              ValueRange inits, LoopBody body);
  /// The range of `dim` in the current tile.
  int64_t getTileExtent(unsigned dim) const { return tileExtents[dim]; }

  // Accesses.
  /// The source of `access` with merged dimensions.
  Value getSource(Access &access);
  /// `count` lanes at the current position; a scalar if the access does not
  /// move with the vector dimension and `scalarIfUniform`.
  Value load(Access &access, int64_t count, bool checkBounds,
             bool scalarIfUniform);
  Value loadScalar(Access &access, bool checkBounds);
  /// The lanes that are `offsets` behind `indices`, dealt out of vectors of
  /// what lies between; with `mayShift` also of what lies in front.
  Value loadDealt(Access &access, SmallVector<Value> indices,
                  ArrayRef<int64_t> offsets, bool mayShift);
  std::pair<int64_t, int64_t> getSharedPart(Access &access, int64_t period);
  Value readVector(Value source, ArrayRef<Value> indices, int64_t width,
                   int64_t count);
  /// The current content of an output's tile at the current position.
  Value loadTile(unsigned output, Value tile, int64_t count);
  Value storeTile(unsigned output, Value tile, Value value, int64_t count);
  Value broadcast(Value scalar);
  Value getMask(int64_t count);
  VectorType getVectorType(Type element) const {
    return VectorType::get({strategy.getVectorWidth()}, element);
  }
  /// Lanes of the vector that starts at element `start`, of `extent` in all.
  int64_t getLanes(int64_t start, int64_t extent) const {
    return std::min(strategy.lanes, extent - start);
  }

  /// Evaluates the body on vectors or scalars, one per argument.
  SmallVector<Value> emitBody(ArrayRef<Value> arguments);
  Value constantLike(TypedAttr attribute);
  /// A buffer at the top of the kernel.
  Value allocate(ArrayRef<int64_t> shape, Type elementType);

  OpBuilder &builder;
  Location loc;
  Problem &problem;
  const Strategy &strategy;
  /// Outputs as the tiles see them: partial ones if there are chunks.
  std::vector<Access> destinations;
  /// The range of the chunk dimension in the current tile.
  OpFoldResult chunkLow, chunkHigh, chunkIndex;

private:
  struct TileSlice {
    SmallVector<OpFoldResult> offsets, sizes, strides;
    bool whole = true;
  };
  TileSlice getTileSlice(unsigned output);
  SmallVector<Value> getIndices(Access &access);
  /// Where to read, and whether that is what the access names: null if always.
  /// Elsewhere the indices are 0.
  struct Bounded {
    SmallVector<Value> indices;
    Value inside;
  };
  /// None if all of it is padding.
  std::optional<Bounded> getBounded(Access &access, bool checkBounds);
  SmallVector<Value> getTileIndices(unsigned output);
  Tiles emitOnSlices(Tiles buffers);
  SmallVector<Value> emitParallel(SmallVector<Value> buffers);
  SmallVector<Value> combineChunks(ValueRange partials,
                                   ArrayRef<Value> buffers);

  SmallVector<int64_t> tileExtents;
  /// Set on every loop.
  Attribute loopAnnotation;
  DenseMap<std::pair<Value, int64_t>, Value> sources;
};

std::unique_ptr<KernelEmitter>
createContractionEmitter(OpBuilder &builder, Problem &problem,
                         const Strategy &strategy);
std::unique_ptr<KernelEmitter> createGenericEmitter(OpBuilder &builder,
                                                    Problem &problem,
                                                    const Strategy &strategy);

} // namespace mlir::memrev::cpu

#endif // MEMREV_LIB_CODEGEN_CPU_KERNELEMITTER_H
