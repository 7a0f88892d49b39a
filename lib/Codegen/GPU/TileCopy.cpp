//===- TileCopy.cpp - Tiles of factors go to shared memory ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileCopy.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Bytes of the smallest asynchronous copy.
static constexpr int64_t kSmallestCopy = 4;

TileCopy::TileCopy(KernelBuilder &k, const ContractionStrategy &strategy,
                   const ContractionShape &shape, const Factor &factor,
                   const TileLayout &layout, Value thread, Value start,
                   int64_t outerTile, ArrayRef<Value> batchDims)
    : k(k), shape(shape), factor(factor) {
  const Access &access = *factor.access;
  // Neighbours in memory have to be neighbours in a line.
  bool alongLine = factor.depthContiguous == layout.depthInLine;
  int64_t contiguous = factor.depthContiguous ? strategy.depth : outerTile;
  lanes = alongLine ? std::min(factor.vector, contiguous) : 1;
  depthIsWhole = shape.depth.extent % strategy.depth == 0;
  for (const Bound &bound : access.bounds)
    bounds.push_back(
        Linear::get(bound.expr, k.problem.getNumDims(), access.symbols.size()));

  int64_t perRun = contiguous / lanes;
  int64_t total = strategy.depth * outerTile / lanes;
  int64_t threads = strategy.getThreads();
  for (int64_t first = 0; first < total; first += threads) {
    Value number = k.add(thread, k.index(first));
    Value run, within;
    if (threads % perRun == 0) {
      // All pieces of a thread are at the same place of their runs.
      run = k.add(k.div(thread, perRun), k.index(first / perRun));
      within = k.mul(k.rem(thread, perRun), lanes);
    } else {
      run = k.div(number, perRun);
      within = k.mul(k.rem(number, perRun), lanes);
    }
    Piece piece;
    if (total - first < threads)
      piece.exists = k.lessThan(number, total);
    Value outer = factor.depthContiguous ? run : within;
    piece.depth = factor.depthContiguous ? within : run;
    piece.sharedOffset = layout.getOffset(k, outer, piece.depth);
    Value position = k.add(start, outer);
    if (factor.outer->extent % outerTile != 0)
      piece.isInside = k.lessThan(position, factor.outer->extent);
    SmallVector<Value> dims(batchDims);
    k.delinearize(position, factor.outer->dims, dims);
    piece.offset = k.evaluate(factor.offset, dims, access.symbols);
    for (const Linear &bound : bounds)
      piece.bounds.push_back(k.evaluate(bound, dims, access.symbols));
    pieces.push_back(std::move(piece));
  }
}

void TileCopy::emitPiece(const Piece &piece, Value base, Value depth) {
  const Access &access = *factor.access;
  Value position = k.add(depth, piece.depth);
  SmallVector<Value> dims(k.problem.getNumDims());
  k.delinearize(position, shape.depth.dims, dims);
  Value inside = piece.isInside;
  if (!depthIsWhole)
    inside = k.logicalAnd(inside, k.lessThan(position, shape.depth.extent));
  for (auto [linear, outerPart, bound] :
       llvm::zip_equal(bounds, piece.bounds, access.bounds))
    inside = k.logicalAnd(
        inside,
        k.lessThan(k.add(outerPart, k.evaluateDims(linear, dims)), bound.size));
  Value offset = k.add(piece.offset, k.evaluateDims(factor.offset, dims));
  Value target = k.offsetPointer(base, piece.sharedOffset);
  int64_t bytes = lanes * getByteSize(access.elementType);
  if (bytes >= kSmallestCopy) {
    Value copied;
    if (inside)
      copied = arith::SelectOp::create(
          k.b, inside,
          arith::ConstantOp::create(k.b, k.b.getI32IntegerAttr(bytes)),
          arith::ConstantOp::create(k.b, k.b.getI32IntegerAttr(0)));
    // The largest copy can bypass the first level of cache.
    NVVM::CpAsyncOp::create(
        k.b, target, k.elementPointer(access, offset), bytes,
        bytes == kVectorBytes ? NVVM::LoadCacheModifierKind::CG
                              : NVVM::LoadCacheModifierKind::CA,
        copied);
    return;
  }
  Type element = k.getMemoryType(access.elementType);
  Value value;
  auto load = [&]() -> Value {
    return LLVM::LoadOp::create(k.b, element, k.elementPointer(access, offset),
                                bytes);
  };
  if (inside) {
    auto choice = scf::IfOp::create(k.b, element, inside, true);
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToStart(choice.thenBlock());
    scf::YieldOp::create(k.b, load());
    k.b.setInsertionPointToStart(choice.elseBlock());
    scf::YieldOp::create(k.b, k.zero(element));
    value = choice.getResult(0);
  } else {
    value = load();
  }
  LLVM::StoreOp::create(k.b, value, target, bytes);
}

void TileCopy::emit(Value base, Value depth) {
  for (const Piece &piece : pieces)
    k.when(piece.exists, [&] { emitPiece(piece, base, depth); });
}
