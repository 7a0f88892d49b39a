//===- Tapes.cpp - Values that loops store for the reverse part -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop that is not inverted stores what its derivative reads: one tensor per
// value, with one slice per iteration. Which values these are is known when the
// reverse part has been emitted, so it reads from placeholders, and the forward
// loops are rewritten once, at the end.
//
//===----------------------------------------------------------------------===//

#include "ReverseContext.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

using namespace mlir;
using namespace mlir::memrev;

/// The slice of a tape that holds the value of type `type` of one iteration.
static void getSlice(OpBuilder &builder, Value index, RankedTensorType type,
                     SmallVectorImpl<OpFoldResult> &offsets,
                     SmallVectorImpl<OpFoldResult> &sizes,
                     SmallVectorImpl<OpFoldResult> &strides) {
  offsets.assign(type.getRank() + 1, builder.getIndexAttr(0));
  strides.assign(type.getRank() + 1, builder.getIndexAttr(1));
  offsets[0] = index;
  sizes.assign(1, builder.getIndexAttr(1));
  for (int64_t size : type.getShape())
    sizes.push_back(builder.getIndexAttr(size));
}

Value ReverseContext::readTape(Value value) {
  Location loc = value.getLoc();
  auto loop = dyn_cast<scf::ForOp>(scope.getParentOp());
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!loop || (type && !type.hasStaticShape()) ||
      (!type && !value.getType().isIntOrIndexOrFloat())) {
    emitError(loc, "expects a value of a type with a static shape to be stored "
                   "by a loop, but got ")
        << value.getType();
    return {};
  }

  auto [it, isNew] = state.tapes.try_emplace(value);
  if (isNew) {
    SmallVector<int64_t> shape{
        getConstantTripCount(loop).value_or(ShapedType::kDynamic)};
    if (type)
      llvm::append_range(shape, type.getShape());
    auto tapeType =
        RankedTensorType::get(shape, getElementTypeOrSelf(value.getType()));
    OpBuilder forward(loop->getContext());
    forward.setInsertionPointAfter(loop);
    auto placeholder = UnrealizedConversionCastOp::create(
        forward, loc, TypeRange{tapeType}, ValueRange());
    it->second = {loop, value, placeholder};
  }
  Value tape =
      parent->primal(it->second.placeholder->getResult(0), Precision::Exact);
  if (!tape)
    return {};
  Value now;
  if (type) {
    SmallVector<OpFoldResult> offsets, sizes, strides;
    getSlice(builder, tapeIndex, type, offsets, sizes, strides);
    now = tensor::ExtractSliceOp::create(builder, loc, type, tape, offsets,
                                         sizes, strides);
  } else {
    now = tensor::ExtractOp::create(builder, loc, tape, tapeIndex);
  }
  provide(value, now, Precision::Exact);
  return now;
}

/// Adds tapes of `values`, of the types `types`, to `loop`. Returns the loop
/// that replaces it; the tapes are its last results.
static scf::ForOp addTapes(IRRewriter &rewriter, scf::ForOp loop,
                           ArrayRef<Value> values,
                           ArrayRef<RankedTensorType> types) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  Value lower = loop.getLowerBound();
  SmallVector<Value> inits;
  for (RankedTensorType type : types) {
    SmallVector<Value> dynamic;
    if (type.isDynamicDim(0)) {
      Value count = buildTripCount(rewriter, loop, lower, loop.getUpperBound(),
                                   loop.getStep());
      Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
      count = arith::MaxSIOp::create(rewriter, loc, count, zero);
      dynamic.push_back(count);
    }
    inits.push_back(tensor::EmptyOp::create(rewriter, loc, type, dynamic));
  }
  auto writeTapes = [&](OpBuilder &b, Location, ArrayRef<BlockArgument> tapes) {
    // The tapes are arguments of the new loop; its body is still the old one's.
    b.setInsertionPointToStart(loop.getBody());
    Value position = buildPosition(b, loop);
    SmallVector<Value> written;
    for (auto [value, tape] : llvm::zip_equal(values, tapes)) {
      // Where the value is defined: at the end of the body its buffer may hold
      // something else.
      b.setInsertionPointAfterValue(isa<BlockArgument>(value) ? position
                                                              : value);
      if (auto type = dyn_cast<RankedTensorType>(value.getType())) {
        SmallVector<OpFoldResult> offsets, sizes, strides;
        getSlice(b, position, type, offsets, sizes, strides);
        written.push_back(tensor::InsertSliceOp::create(
            b, loc, value, tape, offsets, sizes, strides));
      } else {
        written.push_back(
            tensor::InsertOp::create(b, loc, value, tape, position));
      }
    }
    return written;
  };
  FailureOr<LoopLikeOpInterface> result =
      cast<LoopLikeOpInterface>(loop.getOperation())
          .replaceWithAdditionalYields(rewriter, inits,
                                       /*replaceInitOperandUsesInLoop=*/false,
                                       writeTapes);
  // scf.for supports additional yields always.
  return cast<scf::ForOp>(**result);
}

/// The number of loops around `op`.
static unsigned getDepth(Operation *op) {
  unsigned depth = 0;
  while ((op = op->getParentOfType<LoopLikeOpInterface>()))
    ++depth;
  return depth;
}

void memrev::buildTapes(ReverseState &state) {
  SmallVector<TapeRequest> requests = llvm::map_to_vector(
      state.tapes, [](const auto &entry) { return entry.second; });
  IRRewriter rewriter(
      state.tapes.empty() ? nullptr : requests.front().loop->getContext());
  while (!requests.empty()) {
    // Inner loops first: the tape of an inner loop is a value that the outer
    // loop may have to store.
    auto deepest = llvm::max_element(
        requests, [](const TapeRequest &a, const TapeRequest &b) {
          return getDepth(a.loop) < getDepth(b.loop);
        });
    auto loop = cast<scf::ForOp>(deepest->loop);
    SmallVector<TapeRequest> mine, others;
    for (TapeRequest &request : requests)
      (request.loop == loop ? mine : others).push_back(request);

    SmallVector<Value> values;
    SmallVector<RankedTensorType> types;
    for (TapeRequest &request : mine) {
      values.push_back(request.value);
      types.push_back(
          cast<RankedTensorType>(request.placeholder->getResult(0).getType()));
    }
    // Requests for results of this loop have to follow it.
    SmallVector<std::pair<TapeRequest *, unsigned>> results;
    for (TapeRequest &request : others)
      if (request.value.getDefiningOp() == loop)
        results.push_back(
            {&request, cast<OpResult>(request.value).getResultNumber()});

    unsigned numResults = loop.getNumResults();
    scf::ForOp taped = addTapes(rewriter, loop, values, types);
    for (auto [request, number] : results)
      request->value = taped.getResult(number);
    for (auto [i, request] : llvm::enumerate(mine)) {
      Value tape = taped.getResult(numResults + i);
      for (TapeRequest &other : others)
        if (other.value == request.placeholder->getResult(0))
          other.value = tape;
      rewriter.replaceOp(request.placeholder, tape);
    }
    requests = std::move(others);
  }
}
