//===- GenericEmitter.cpp - Elementwise ops and reductions in vectors -----===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything with a vectorisable body: elementwise, broadcasts, transposes,
// pooling and reductions. The vector dimension is parallel, or a reduction
// dimension, in which case each lane reduces for itself until the end.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::cpu;

namespace {

class GenericEmitter : public KernelEmitter {
public:
  GenericEmitter(OpBuilder &builder, Problem &problem,
                 const Strategy &strategy);

protected:
  Tiles emitTile(Tiles tiles) override;
  Value getNeutral(unsigned output) override;
  Value combine(unsigned output, Value left, Value right) override;

private:
  Tiles emitParallelDims(unsigned level, Tiles tiles);
  Tiles emitVectors(int64_t rows, Tiles tiles);
  Tiles emitPoints(int64_t rows, int64_t panel, int64_t lastLanes, Tiles tiles);
  Tiles emitElementwise(int64_t lanes, Tiles tiles);
  Tiles emitReduction(int64_t panel, int64_t lastLanes, Tiles tiles);
  Tiles emitLaneReduction(Tiles tiles);
  SmallVector<Value> emitReductionDims(
      unsigned level, SmallVector<Value> carried,
      function_ref<SmallVector<Value>(SmallVector<Value>)> innermost);
  SmallVector<Value> evaluateBody(ArrayRef<Value> previous, int64_t lanes);
  Value getInit(unsigned output, ArrayRef<Value> tiles, int64_t lanes);
  Value reduceLanes(unsigned output, Value vector);
  std::pair<OpFoldResult, OpFoldResult> getRange(unsigned dim);

  bool hasReduction = false, vectorIsReduction = false;
  SmallVector<unsigned> parallelDims, reductionDims;
};

} // namespace

GenericEmitter::GenericEmitter(OpBuilder &builder, Problem &problem,
                               const Strategy &strategy)
    : KernelEmitter(builder, problem, strategy) {
  // Loops in the order in which the result lies in memory.
  for (AffineExpr expr : problem.outputs.front().dest.indices)
    for (unsigned dim = 0; dim < problem.getNumDims(); ++dim)
      if (expr.isFunctionOfDim(dim))
        parallelDims.push_back(dim);
  for (unsigned dim = 0; dim < problem.getNumDims(); ++dim) {
    if (problem.isReduction[dim]) {
      hasReduction = true;
      if (static_cast<int64_t>(dim) != strategy.vectorDim)
        reductionDims.push_back(dim);
    } else if (!llvm::is_contained(parallelDims, dim)) {
      parallelDims.push_back(dim);
    }
  }
  llvm::erase(parallelDims, static_cast<unsigned>(strategy.vectorDim));
  vectorIsReduction =
      strategy.vectorDim >= 0 && problem.isReduction[strategy.vectorDim];
}

Value GenericEmitter::getNeutral(unsigned output) {
  if (Operation *combiner = problem.outputs[output].combiner)
    return constantLike(*arith::getNeutralElement(combiner));
  return constantLike(
      builder.getZeroAttr(problem.outputs[output].dest.elementType));
}

Value GenericEmitter::combine(unsigned output, Value left, Value right) {
  Operation *combiner = problem.outputs[output].combiner;
  OperationState state(loc, combiner->getName());
  state.addOperands({left, right});
  state.addAttributes(combiner->getAttrs());
  state.addTypes(left.getType());
  return builder.create(state)->getResult(0);
}

Tiles GenericEmitter::emitTile(Tiles tiles) {
  return emitParallelDims(0, tiles);
}

Tiles GenericEmitter::emitParallelDims(unsigned level, Tiles tiles) {
  if (level == parallelDims.size())
    return emitVectors(1, tiles);
  unsigned dim = parallelDims[level];
  int64_t extent = getTileExtent(dim);
  int64_t rows =
      static_cast<int64_t>(dim) == strategy.rowDim ? strategy.rows : 1;
  int64_t whole = extent / rows * rows;
  tiles = emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole), rows,
                   tiles, [&](OpFoldResult iv, ValueRange carried) {
                     setLocal(dim, iv);
                     if (rows > 1)
                       return emitVectors(rows, Tiles(carried));
                     return emitParallelDims(level + 1, Tiles(carried));
                   });
  if (whole == extent)
    return tiles;
  return emitLoop(builder.getIndexAttr(whole), builder.getIndexAttr(extent), 1,
                  tiles, [&](OpFoldResult iv, ValueRange carried) {
                    setLocal(dim, iv);
                    return emitVectors(1, Tiles(carried));
                  });
}

Tiles GenericEmitter::emitVectors(int64_t rows, Tiles tiles) {
  if (strategy.vectorDim < 0 || vectorIsReduction)
    return emitPoints(rows, 1, strategy.lanes, tiles);
  int64_t extent = getTileExtent(strategy.vectorDim);
  int64_t step = strategy.lanes * strategy.panel;
  int64_t whole = extent / step * step;
  tiles = emitLoop(builder.getIndexAttr(0), builder.getIndexAttr(whole), step,
                   tiles, [&](OpFoldResult iv, ValueRange carried) {
                     setLocal(strategy.vectorDim, iv);
                     return emitPoints(rows, strategy.panel, strategy.lanes,
                                       Tiles(carried));
                   });
  if (whole == extent)
    return tiles;
  setLocal(strategy.vectorDim, builder.getIndexAttr(whole));
  int64_t rest = extent - whole;
  int64_t panel = llvm::divideCeil(rest, strategy.lanes);
  return emitPoints(rows, panel, rest - (panel - 1) * strategy.lanes, tiles);
}

Tiles GenericEmitter::emitPoints(int64_t rows, int64_t panel, int64_t lastLanes,
                                 Tiles tiles) {
  for (int64_t row = 0; row < rows; ++row) {
    if (strategy.rowDim >= 0)
      position.offset[strategy.rowDim] = row;
    if (vectorIsReduction) {
      tiles = emitLaneReduction(tiles);
    } else if (hasReduction) {
      tiles = emitReduction(panel, lastLanes, tiles);
    } else {
      for (int64_t vector = 0; vector < panel; ++vector) {
        if (strategy.vectorDim >= 0)
          position.offset[strategy.vectorDim] = vector * strategy.lanes;
        tiles = emitElementwise(
            vector == panel - 1 ? lastLanes : strategy.lanes, tiles);
      }
      if (strategy.vectorDim >= 0)
        position.offset[strategy.vectorDim] = 0;
    }
  }
  if (strategy.rowDim >= 0)
    position.offset[strategy.rowDim] = 0;
  return tiles;
}

/// The value that the body gets for an output before the first iteration.
Value GenericEmitter::getInit(unsigned output, ArrayRef<Value> tiles,
                              int64_t lanes) {
  Output &info = problem.outputs[output];
  if (strategy.chunks > 1)
    return getNeutral(output);
  switch (info.init) {
  case InitKind::None:
    return constantLike(builder.getZeroAttr(info.dest.elementType));
  case InitKind::Fill:
    return info.fill;
  case InitKind::InPlace:
    return loadTile(output, tiles[output], lanes);
  case InitKind::Read:
    return load(info.read, lanes, true, true);
  }
  llvm_unreachable("all kinds of init are handled");
}

SmallVector<Value> GenericEmitter::evaluateBody(ArrayRef<Value> previous,
                                                int64_t lanes) {
  SmallVector<Value> arguments;
  for (std::optional<Access> &input : problem.inputs)
    arguments.push_back(load(*input, lanes, true, true));
  // A padding alone has no body: it copies.
  if (!problem.body)
    return arguments;
  llvm::append_range(arguments, previous);
  return emitBody(arguments);
}

Tiles GenericEmitter::emitElementwise(int64_t lanes, Tiles tiles) {
  SmallVector<Value> previous;
  for (unsigned output = 0; output < problem.outputs.size(); ++output)
    previous.push_back(getInit(output, tiles, lanes));
  SmallVector<Value> results = evaluateBody(previous, lanes);
  for (auto [output, result] : llvm::enumerate(results))
    tiles[output] = storeTile(output, tiles[output], result, lanes);
  return tiles;
}

std::pair<OpFoldResult, OpFoldResult> GenericEmitter::getRange(unsigned dim) {
  if (strategy.chunks > 1 && static_cast<int64_t>(dim) == strategy.chunkDim)
    return {chunkLow, chunkHigh};
  return {builder.getIndexAttr(0), builder.getIndexAttr(problem.extents[dim])};
}

SmallVector<Value> GenericEmitter::emitReductionDims(
    unsigned level, SmallVector<Value> carried,
    function_ref<SmallVector<Value>(SmallVector<Value>)> innermost) {
  if (level == reductionDims.size())
    return innermost(carried);
  unsigned dim = reductionDims[level];
  auto [low, high] = getRange(dim);
  return emitLoop(low, high, 1, carried,
                  [&](OpFoldResult iv, ValueRange values) {
                    setLocal(dim, iv);
                    return emitReductionDims(
                        level + 1, SmallVector<Value>(values), innermost);
                  });
}

Tiles GenericEmitter::emitReduction(int64_t panel, int64_t lastLanes,
                                    Tiles tiles) {
  unsigned numOutputs = problem.outputs.size();
  auto lanesOf = [&](int64_t vector) {
    return vector == panel - 1 ? lastLanes : strategy.lanes;
  };
  auto moveTo = [&](int64_t vector) {
    if (strategy.vectorDim >= 0)
      position.offset[strategy.vectorDim] = vector * strategy.lanes;
  };
  SmallVector<Value> carried;
  for (int64_t vector = 0; vector < panel; ++vector) {
    moveTo(vector);
    for (unsigned output = 0; output < numOutputs; ++output) {
      Value init = getInit(output, tiles, lanesOf(vector));
      carried.push_back(strategy.vectorDim >= 0 ? broadcast(init) : init);
    }
  }
  moveTo(0);

  // Independent sums hide the latency of the combiner; they are added up in
  // one order whatever the number of threads.
  int64_t unroll = strategy.unroll;
  unsigned perCopy = carried.size();
  auto step = [&](int64_t copy, SmallVector<Value> &values) {
    for (int64_t vector = 0; vector < panel; ++vector) {
      moveTo(vector);
      MutableArrayRef<Value> here = MutableArrayRef<Value>(values).slice(
          copy * perCopy + vector * numOutputs, numOutputs);
      SmallVector<Value> results =
          evaluateBody(SmallVector<Value>(here), lanesOf(vector));
      for (auto [slot, result] : llvm::zip(here, results))
        slot = strategy.vectorDim >= 0 ? broadcast(result) : result;
    }
    moveTo(0);
  };
  if (unroll > 1) {
    for (int64_t copy = 1; copy < unroll; ++copy)
      for (int64_t vector = 0; vector < panel; ++vector)
        for (unsigned output = 0; output < numOutputs; ++output) {
          Value neutral = getNeutral(output);
          carried.push_back(strategy.vectorDim >= 0 ? broadcast(neutral)
                                                    : neutral);
        }
    unsigned dim = reductionDims.back();
    auto [low, high] = getRange(dim);
    AffineExpr begin = builder.getAffineDimExpr(0);
    AffineExpr end = builder.getAffineDimExpr(1);
    OpFoldResult whole = affine::makeComposedFoldedAffineApply(
        builder, loc, begin + (end - begin).floorDiv(unroll) * unroll,
        {low, high});
    carried = emitLoop(low, whole, unroll, carried,
                       [&](OpFoldResult iv, ValueRange values) {
                         setLocal(dim, iv);
                         SmallVector<Value> next(values);
                         for (int64_t copy = 0; copy < unroll; ++copy) {
                           position.offset[dim] = copy;
                           step(copy, next);
                         }
                         position.offset[dim] = 0;
                         return next;
                       });
    carried = emitLoop(whole, high, 1, carried,
                       [&](OpFoldResult iv, ValueRange values) {
                         setLocal(dim, iv);
                         SmallVector<Value> next(values);
                         step(0, next);
                         return next;
                       });
    for (int64_t copy = 1; copy < unroll; ++copy)
      for (unsigned number = 0; number < perCopy; ++number)
        carried[number] = combine(number % numOutputs, carried[number],
                                  carried[copy * perCopy + number]);
    carried.truncate(perCopy);
  } else {
    carried = emitReductionDims(0, carried, [&](SmallVector<Value> values) {
      step(0, values);
      return values;
    });
  }
  for (int64_t vector = 0; vector < panel; ++vector) {
    moveTo(vector);
    for (unsigned output = 0; output < numOutputs; ++output)
      tiles[output] =
          storeTile(output, tiles[output],
                    carried[vector * numOutputs + output], lanesOf(vector));
  }
  moveTo(0);
  return tiles;
}

/// Halves the vector until one lane is left: a fixed order with few steps.
Value GenericEmitter::reduceLanes(unsigned output, Value value) {
  int64_t lanes = strategy.lanes;
  while (lanes > 1) {
    lanes /= 2;
    Value low = vector::ExtractStridedSliceOp::create(
        builder, loc, value, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{lanes},
        ArrayRef<int64_t>{1});
    Value high = vector::ExtractStridedSliceOp::create(
        builder, loc, value, ArrayRef<int64_t>{lanes}, ArrayRef<int64_t>{lanes},
        ArrayRef<int64_t>{1});
    value = combine(output, low, high);
  }
  return vector::ExtractOp::create(builder, loc, value, 0);
}

Tiles GenericEmitter::emitLaneReduction(Tiles tiles) {
  unsigned numOutputs = problem.outputs.size();
  unsigned dim = strategy.vectorDim;
  int64_t unroll = strategy.unroll;
  SmallVector<Value> carried;
  for (int64_t copy = 0; copy < unroll; ++copy)
    for (unsigned output = 0; output < numOutputs; ++output)
      carried.push_back(broadcast(getNeutral(output)));
  bool isChunked =
      strategy.chunks > 1 && static_cast<int64_t>(dim) == strategy.chunkDim;
  int64_t extent = problem.extents[dim];

  // Evaluates `lanes` lanes; the others keep what they have.
  auto step = [&](int64_t copy, SmallVector<Value> &values, int64_t lanes) {
    MutableArrayRef<Value> here =
        MutableArrayRef<Value>(values).slice(copy * numOutputs, numOutputs);
    SmallVector<Value> results = evaluateBody(SmallVector<Value>(here), lanes);
    for (auto [slot, result] : llvm::zip(here, results)) {
      Value next = broadcast(result);
      slot = lanes == strategy.lanes
                 ? next
                 : arith::SelectOp::create(builder, loc, getMask(lanes), next,
                                           slot)
                       .getResult();
    }
  };
  carried = emitReductionDims(0, carried, [&](SmallVector<Value> values) {
    int64_t stride = strategy.lanes * unroll;
    // Chunks of the vector dimension are multiples of the stride, but for the
    // last one, whose rest is cut off by the common end below.
    OpFoldResult low = isChunked ? chunkLow : builder.getIndexAttr(0);
    OpFoldResult high = builder.getIndexAttr(extent / stride * stride);
    if (isChunked)
      high = affine::makeComposedFoldedAffineMin(
          builder, loc,
          AffineMap::get(
              1, 0,
              {builder.getAffineDimExpr(0),
               builder.getAffineConstantExpr(extent / stride * stride)},
              builder.getContext()),
          {chunkHigh});
    values = emitLoop(low, high, stride, values,
                      [&](OpFoldResult iv, ValueRange arguments) {
                        setLocal(dim, iv);
                        SmallVector<Value> next(arguments);
                        for (int64_t copy = 0; copy < unroll; ++copy) {
                          position.offset[dim] = copy * strategy.lanes;
                          step(copy, next, strategy.lanes);
                        }
                        position.offset[dim] = 0;
                        return next;
                      });
    auto tail = [&](SmallVector<Value> next) {
      for (int64_t start = extent / stride * stride, copy = 0; start < extent;
           start += strategy.lanes, ++copy) {
        setLocal(dim, builder.getIndexAttr(start));
        step(copy, next, getLanes(start, extent));
      }
      return next;
    };
    if (extent % stride == 0)
      return values;
    if (!isChunked)
      return tail(values);
    // Only the last chunk has the tail.
    Value isLast =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                              asValue(chunkHigh), constantIndex(extent));
    auto branch = scf::IfOp::create(builder, loc, ValueRange(values).getTypes(),
                                    isLast, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(branch.thenBlock());
    scf::YieldOp::create(builder, loc, tail(values));
    builder.setInsertionPointToEnd(branch.elseBlock());
    scf::YieldOp::create(builder, loc, values);
    return SmallVector<Value>(branch.getResults());
  });
  for (int64_t copy = 1; copy < unroll; ++copy)
    for (unsigned output = 0; output < numOutputs; ++output)
      carried[output] =
          combine(output, carried[output], carried[copy * numOutputs + output]);
  for (unsigned output = 0; output < numOutputs; ++output) {
    Value total = reduceLanes(output, carried[output]);
    if (strategy.chunks <= 1)
      total = combine(output, getInit(output, tiles, 1), total);
    tiles[output] = storeTile(output, tiles[output], total, 1);
  }
  return tiles;
}

std::unique_ptr<KernelEmitter>
cpu::createGenericEmitter(OpBuilder &builder, Problem &problem,
                          const Strategy &strategy) {
  return std::make_unique<GenericEmitter>(builder, problem, strategy);
}
