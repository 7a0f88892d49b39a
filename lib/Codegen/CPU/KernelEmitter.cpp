//===- KernelEmitter.cpp - Loops and tiles of a kernel -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

KernelEmitter::KernelEmitter(OpBuilder &builder, Problem &problem,
                             const Strategy &strategy)
    : builder(builder), loc(problem.loc), problem(problem), strategy(strategy) {
  position.base.assign(problem.getNumDims(), builder.getIndexAttr(0));
  position.global = position.local = position.base;
  position.offset.assign(problem.getNumDims(), 0);
  tileExtents.assign(problem.extents.begin(), problem.extents.end());
  // What is worth unrolling is unrolled here. LLVM would unroll and peel the
  // short loops around register tiles until their scalars spill.
  MLIRContext *context = builder.getContext();
  BoolAttr yes = builder.getBoolAttr(true);
  auto unroll = LLVM::LoopUnrollAttr::get(context, /*disable=*/yes, {}, {}, {},
                                          {}, {}, {});
  auto vectorize = LLVM::LoopVectorizeAttr::get(context, /*disable=*/yes, {},
                                                {}, {}, {}, {}, {});
  auto peeled =
      LLVM::LoopPeeledAttr::get(context, builder.getI32IntegerAttr(0));
  loopAnnotation =
      LLVM::LoopAnnotationAttr::get(context, {}, vectorize, {}, unroll, {}, {},
                                    {}, {}, peeled, {}, {}, {}, {}, {}, {});
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

Value KernelEmitter::asValue(OpFoldResult value) {
  return getValueOrCreateConstantIndexOp(builder, loc, value);
}

Value KernelEmitter::constantIndex(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

OpFoldResult KernelEmitter::evaluate(AffineExpr expr, ArrayRef<Value> symbols) {
  MLIRContext *context = builder.getContext();
  SmallVector<AffineExpr> shifted;
  for (auto [dim, offset] : llvm::enumerate(position.offset))
    shifted.push_back(getAffineDimExpr(dim, context) + offset);
  AffineMap map = AffineMap::get(problem.getNumDims(), symbols.size(),
                                 expr.replaceDims(shifted));
  SmallVector<OpFoldResult> operands(position.global);
  llvm::append_range(operands, symbols);
  return affine::makeComposedFoldedAffineApply(builder, loc, map, operands);
}

std::optional<int64_t> KernelEmitter::getConstant(AffineExpr expr) {
  MLIRContext *context = builder.getContext();
  SmallVector<AffineExpr> values;
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    std::optional<int64_t> value = getConstantIntValue(position.global[dim]);
    values.push_back(
        value ? getAffineConstantExpr(*value + position.offset[dim], context)
              : getAffineDimExpr(dim, context));
  }
  auto constant = dyn_cast<AffineConstantExpr>(
      simplifyAffineExpr(expr.replaceDims(values), problem.getNumDims(), 0));
  if (!constant)
    return std::nullopt;
  return constant.getValue();
}

void KernelEmitter::setLocal(unsigned dim, OpFoldResult local) {
  position.local[dim] = local;
  MLIRContext *context = builder.getContext();
  AffineExpr sum = getAffineDimExpr(0, context) + getAffineDimExpr(1, context);
  position.global[dim] = affine::makeComposedFoldedAffineApply(
      builder, loc, AffineMap::get(2, 0, sum), {position.base[dim], local});
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<Value> KernelEmitter::emitLoop(OpFoldResult low, OpFoldResult high,
                                           int64_t step, ValueRange inits,
                                           LoopBody body) {
  std::optional<int64_t> first = getConstantIntValue(low);
  std::optional<int64_t> end = getConstantIntValue(high);
  if (first && end) {
    if (*first >= *end)
      return inits;
    if (*end - *first <= step)
      return body(builder.getIndexAttr(*first), inits);
  }
  auto loop = scf::ForOp::create(builder, loc, asValue(low), asValue(high),
                                 constantIndex(step), inits);
  // The lowering hands an attribute of the LLVM dialect on to the branch under
  // the name that it has here, and the branch knows it without a prefix.
  loop->setAttr("loop_annotation", loopAnnotation);
  OpBuilder::InsertionGuard guard(builder);
  // The builder adds the terminator itself where nothing is carried.
  if (!loop.getBody()->empty())
    loop.getBody()->getTerminator()->erase();
  builder.setInsertionPointToEnd(loop.getBody());
  SmallVector<Value> results =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(builder, loc, results);
  return loop.getResults();
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

SmallVector<Value> KernelEmitter::emitBody(ArrayRef<Value> arguments) {
  IRMapping map;
  for (auto [argument, value] :
       llvm::zip_equal(problem.body->getArguments(), arguments))
    map.map(argument, value);
  for (Operation &op : problem.body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      AffineExpr expr = problem.bodyIndices[index.getDim()];
      Value value = asValue(evaluate(expr, {}));
      int64_t stride =
          strategy.vectorDim < 0 ? 0 : getCoefficient(expr, strategy.vectorDim);
      if (stride != 0) {
        VectorType type = getVectorType(builder.getIndexType());
        Value step = vector::StepOp::create(builder, loc, type);
        if (stride != 1)
          step = arith::MulIOp::create(builder, loc, step,
                                       broadcast(constantIndex(stride)));
        value = arith::AddIOp::create(builder, loc, broadcast(value), step);
      }
      map.map(index.getResult(), value);
      continue;
    }
    bool isVector = llvm::any_of(op.getOperands(), [&](Value operand) {
      return isa<VectorType>(map.lookupOrDefault(operand).getType());
    });
    if (!isVector) {
      builder.clone(op, map);
      continue;
    }
    OperationState state(loc, op.getName());
    for (Value operand : op.getOperands())
      state.addOperands(broadcast(map.lookupOrDefault(operand)));
    state.addAttributes(op.getAttrs());
    state.addTypes(getVectorType(op.getResult(0).getType()));
    map.map(op.getResult(0), builder.create(state)->getResult(0));
  }
  SmallVector<Value> results;
  for (Value value : problem.body->getTerminator()->getOperands())
    results.push_back(map.lookupOrDefault(value));
  return results;
}

//===----------------------------------------------------------------------===//
// Tiles and the parallel loop
//===----------------------------------------------------------------------===//

KernelEmitter::TileSlice KernelEmitter::getTileSlice(unsigned output) {
  Access &access = destinations[output];
  TileSlice slice;
  for (auto [p, expr] : llvm::enumerate(access.indices)) {
    int64_t size = 1, stride = 1;
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      if (int64_t coefficient = getCoefficient(expr, dim)) {
        size = tileExtents[dim];
        stride = coefficient;
      }
    OpFoldResult offset =
        chunkIndex && p == 0 ? chunkIndex : evaluate(expr, access.symbols);
    slice.whole &= getConstantIntValue(offset) == 0 &&
                   size == access.shape[p] && stride == 1;
    slice.offsets.push_back(offset);
    slice.sizes.push_back(builder.getIndexAttr(size));
    slice.strides.push_back(builder.getIndexAttr(stride));
  }
  return slice;
}

Tiles KernelEmitter::emitOnSlices(Tiles buffers) {
  position.global = position.local = position.base;
  std::vector<TileSlice> slices;
  Tiles tiles;
  for (auto [output, buffer] : llvm::enumerate(buffers)) {
    slices.push_back(getTileSlice(output));
    TileSlice &slice = slices.back();
    tiles.push_back(slice.whole ? buffer
                                : tensor::ExtractSliceOp::create(
                                      builder, loc, buffer, slice.offsets,
                                      slice.sizes, slice.strides));
  }
  position.local.assign(problem.getNumDims(), builder.getIndexAttr(0));
  tiles = emitTile(tiles);
  for (auto [output, buffer] : llvm::enumerate(buffers)) {
    TileSlice &slice = slices[output];
    if (!slice.whole)
      tiles[output] = tensor::InsertSliceOp::create(builder, loc, tiles[output],
                                                    buffer, slice.offsets,
                                                    slice.sizes, slice.strides);
  }
  return tiles;
}

SmallVector<Value> KernelEmitter::emitParallel(SmallVector<Value> buffers) {
  bool chunked = strategy.chunks > 1;
  if (strategy.parallelDims.empty() && !chunked)
    return emitOnSlices(buffers);

  SmallVector<OpFoldResult> lows, highs, steps;
  int64_t remainderDim = -1, remainder = 0;
  auto addLoop = [&](int64_t high, int64_t step) {
    lows.push_back(builder.getIndexAttr(0));
    highs.push_back(builder.getIndexAttr(high));
    steps.push_back(builder.getIndexAttr(step));
  };
  if (chunked)
    addLoop(strategy.chunks, 1);
  for (auto [dim, tile] :
       llvm::zip(strategy.parallelDims, strategy.parallelTiles)) {
    int64_t extent = problem.extents[dim];
    if (int64_t rest = extent % tile) {
      remainderDim = dim;
      remainder = rest;
    }
    addLoop(extent - extent % tile, tile);
  }
  auto forall = scf::ForallOp::create(builder, loc, lows, highs, steps, buffers,
                                      std::nullopt);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(forall.getTerminator());
    SmallVector<Value> ivs = forall.getInductionVars();
    if (chunked) {
      chunkIndex = ivs.front();
      int64_t extent = problem.extents[strategy.chunkDim];
      int64_t size = strategy.chunkSize;
      AffineExpr chunk = builder.getAffineDimExpr(0);
      chunkLow = affine::makeComposedFoldedAffineApply(
          builder, loc, chunk * size, {chunkIndex});
      chunkHigh =
          extent % size == 0
              ? affine::makeComposedFoldedAffineApply(
                    builder, loc, chunk * size + size, {chunkIndex})
              : affine::makeComposedFoldedAffineMin(
                    builder, loc,
                    AffineMap::get(1, 0,
                                   {chunk * size + size,
                                    builder.getAffineConstantExpr(extent)},
                                   builder.getContext()),
                    {chunkIndex});
      ivs.erase(ivs.begin());
    }
    for (auto [dim, tile, iv] :
         llvm::zip(strategy.parallelDims, strategy.parallelTiles, ivs)) {
      position.base[dim] = iv;
      tileExtents[dim] = tile;
    }
    position.global = position.local = position.base;
    Tiles tiles;
    std::vector<TileSlice> slices;
    for (auto [output, buffer] : llvm::enumerate(forall.getRegionIterArgs())) {
      slices.push_back(getTileSlice(output));
      TileSlice &slice = slices.back();
      tiles.push_back(tensor::ExtractSliceOp::create(
          builder, loc, buffer, slice.offsets, slice.sizes, slice.strides));
    }
    position.local.assign(problem.getNumDims(), builder.getIndexAttr(0));
    tiles = emitTile(tiles);
    builder.setInsertionPointToEnd(forall.getTerminator().getBody());
    for (auto [output, buffer] : llvm::enumerate(forall.getRegionIterArgs())) {
      TileSlice &slice = slices[output];
      tensor::ParallelInsertSliceOp::create(builder, loc, tiles[output], buffer,
                                            slice.offsets, slice.sizes,
                                            slice.strides);
    }
  }
  for (int64_t dim : strategy.parallelDims) {
    position.base[dim] = builder.getIndexAttr(0);
    tileExtents[dim] = problem.extents[dim];
  }
  position.global = position.local = position.base;
  SmallVector<Value> results = forall.getResults();
  // What does not fill a tile is small enough to follow in one thread.
  if (remainderDim >= 0) {
    position.base[remainderDim] =
        builder.getIndexAttr(problem.extents[remainderDim] - remainder);
    tileExtents[remainderDim] = remainder;
    results = emitOnSlices(results);
    position.base[remainderDim] = builder.getIndexAttr(0);
    tileExtents[remainderDim] = problem.extents[remainderDim];
  }
  return results;
}

/// Adds up the partial results of each output in the order of the chunks.
SmallVector<Value> KernelEmitter::combineChunks(ValueRange partials,
                                                ArrayRef<Value> buffers) {
  std::vector<Access> partialAccesses = destinations;
  for (auto [output, partial] : llvm::enumerate(partials)) {
    partialAccesses[output].source = partial;
    destinations[output] = problem.outputs[output].dest;
  }
  position.base.assign(problem.getNumDims(), builder.getIndexAttr(0));
  position.global = position.local = position.base;

  SmallVector<Value> results;
  for (unsigned output = 0; output < buffers.size(); ++output) {
    Value buffer = buffers[output];
    Output &info = problem.outputs[output];
    Access &partial = partialAccesses[output];
    SmallVector<unsigned> dims;
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      if (!problem.isReduction[dim] && dim != strategy.vectorDim)
        dims.push_back(dim);
    bool inVectors =
        strategy.vectorDim >= 0 && !problem.isReduction[strategy.vectorDim];
    auto combineAt = [&](Value tile, int64_t count) -> Value {
      Value total;
      if (info.init == InitKind::Fill)
        total = info.fill;
      else if (info.init == InitKind::InPlace)
        total = loadTile(output, tile, count);
      else if (info.init == InitKind::Read)
        total = load(info.read, count, true, !inVectors);
      else
        total = getNeutral(output);
      if (inVectors)
        total = broadcast(total);
      AffineExpr symbol = getAffineSymbolExpr(0, builder.getContext());
      partial.indices[0] = symbol;
      return emitLoop(builder.getIndexAttr(0),
                      builder.getIndexAttr(strategy.chunks), 1, total,
                      [&](OpFoldResult chunk, ValueRange carried) {
                        partial.symbols = {asValue(chunk)};
                        Value next = load(partial, count, false, !inVectors);
                        return SmallVector<Value>{
                            combine(output, carried[0], next)};
                      })
          .front();
    };
    std::function<Value(unsigned, Value)> nest = [&](unsigned level,
                                                     Value tile) -> Value {
      if (level < dims.size())
        return emitLoop(
                   builder.getIndexAttr(0),
                   builder.getIndexAttr(problem.extents[dims[level]]), 1, tile,
                   [&](OpFoldResult iv, ValueRange carried) {
                     setLocal(dims[level], iv);
                     return SmallVector<Value>{nest(level + 1, carried[0])};
                   })
            .front();
      if (!inVectors)
        return storeTile(output, tile, combineAt(tile, 1), 1);
      int64_t dim = strategy.vectorDim, extent = problem.extents[dim];
      int64_t whole = extent / strategy.lanes * strategy.lanes;
      tile = emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole),
                      strategy.lanes, tile,
                      [&](OpFoldResult iv, ValueRange carried) {
                        setLocal(dim, iv);
                        return SmallVector<Value>{
                            storeTile(output, carried[0],
                                      combineAt(carried[0], strategy.lanes),
                                      strategy.lanes)};
                      })
                 .front();
      if (whole < extent) {
        setLocal(dim, builder.getIndexAttr(whole));
        tile = storeTile(output, tile, combineAt(tile, extent - whole),
                         extent - whole);
      }
      return tile;
    };
    // A slice of a bigger buffer is taken once, around all of it.
    position.global = position.local = position.base;
    chunkIndex = OpFoldResult();
    TileSlice slice = getTileSlice(output);
    Value tile = slice.whole ? buffer
                             : tensor::ExtractSliceOp::create(
                                   builder, loc, buffer, slice.offsets,
                                   slice.sizes, slice.strides);
    tile = nest(0, tile);
    results.push_back(
        slice.whole ? tile
                    : tensor::InsertSliceOp::create(builder, loc, tile, buffer,
                                                    slice.offsets, slice.sizes,
                                                    slice.strides));
  }
  return results;
}

/// Unlike tensor.empty, two of these are never merged, which would cost a copy.
Value KernelEmitter::allocate(ArrayRef<int64_t> shape, Type elementType) {
  return bufferization::AllocTensorOp::create(
      builder, loc, RankedTensorType::get(shape, elementType), ValueRange());
}

SmallVector<Value> KernelEmitter::emit() {
  SmallVector<Value> buffers;
  for (Output &output : problem.outputs) {
    destinations.push_back(output.dest);
    buffers.push_back(getSource(output.dest));
  }
  emitPrologue();
  SmallVector<Value> results;
  if (strategy.chunks > 1) {
    SmallVector<Value> partials;
    for (auto [output, info] : llvm::enumerate(problem.outputs)) {
      // One dense array for each chunk, in the order of the result.
      Access &access = destinations[output];
      SmallVector<int64_t> shape = {strategy.chunks};
      SmallVector<AffineExpr> indices = {builder.getAffineConstantExpr(0)};
      for (AffineExpr expr : info.dest.indices)
        for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
          if (expr.isFunctionOfDim(dim)) {
            shape.push_back(problem.extents[dim]);
            indices.push_back(builder.getAffineDimExpr(dim));
          }
      partials.push_back(allocate(shape, access.elementType));
      access = Access{};
      access.source = partials.back();
      access.elementType = info.dest.elementType;
      access.shape = shape;
      access.indices = indices;
      for (int64_t p = 0, e = shape.size(); p < e; ++p)
        access.groups.push_back({p});
    }
    results = combineChunks(emitParallel(partials), buffers);
  } else {
    results = emitParallel(buffers);
  }
  for (auto [output, result] : llvm::zip(problem.outputs, results)) {
    if (result.getType() == output.dest.source.getType())
      continue;
    SmallVector<ReassociationIndices> groups;
    for (auto &group : output.dest.groups)
      groups.emplace_back(group.begin(), group.end());
    result = tensor::ExpandShapeOp::create(
        builder, loc, output.dest.source.getType(), result, groups);
  }
  return results;
}
