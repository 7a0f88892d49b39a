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

#include "LoopExtents.h"
#include "ReverseContext.h"
#include "memrev/Analysis/Cost.h"
#include "memrev/Interfaces/TripCount.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// What is stored
//===----------------------------------------------------------------------===//

/// What takes more operations to evaluate is not worth the search for them.
static constexpr size_t maxEvaluatedOps = 32;

static llvm::SetVector<Value> getUsedValues(Operation *op) {
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used;
}

bool ReverseContext::findLeaves(Value value,
                                function_ref<bool(Operation *)> mayEvaluate,
                                llvm::SetVector<Value> &leaves) {
  llvm::SetVector<Operation *> ops;
  SmallVector<Value> pending{value};
  llvm::SmallDenseSet<Value> visited;
  while (!pending.empty()) {
    Value v = canonical(pending.pop_back_val());
    if (!visited.insert(v).second || available.contains(v) || !isInScope(v) ||
        isVisible(v) || state.tapes.contains(v))
      continue;
    Operation *op = v.getDefiningOp();
    if (!op || !mayEvaluate(op)) {
      leaves.insert(v);
      continue;
    }
    ops.insert(op);
    if (ops.size() > maxEvaluatedOps)
      return false;
    llvm::append_range(pending, getUsedValues(op));
  }
  return true;
}

bool ReverseContext::isWorthEvaluating(Value value) {
  llvm::SetVector<Value> leaves;
  auto isMovement = [](Operation *op) {
    return isCheap(op) || isa<tensor::PadOp>(op);
  };
  if (isMovement(value.getDefiningOp())) {
    // Of a value and what it is computed from, the smaller one is stored.
    if (!findLeaves(value, isMovement, leaves))
      return true;
    int64_t bytes = 0;
    for (Value leaf : leaves)
      bytes += getApproximateBytes(leaf.getType());
    return bytes <= getApproximateBytes(value.getType());
  }
  // A function of the induction variable and of what the loop captures.
  return findLeaves(value, isElementwise, leaves) && leaves.empty();
}

Value ReverseContext::evaluateOutside(Value value) {
  llvm::SetVector<Operation *> ops;
  SmallVector<Value> pending{value};
  auto isKnownOutside = [&](Value v) {
    if (!isInScope(v))
      return true;
    Value now = available.lookup(v);
    return now && !isAncestor(emitted, now.getParentRegion());
  };
  while (!pending.empty()) {
    Value v = canonical(pending.pop_back_val());
    if (isKnownOutside(v))
      continue;
    Operation *op = v.getDefiningOp();
    if (!op || op->getBlock() != &scope.front() || !isPure(op))
      return {};
    if (!ops.insert(op))
      continue;
    if (ops.size() > maxEvaluatedOps)
      return {};
    llvm::append_range(pending, getUsedValues(op));
  }
  SmallVector<Operation *> sorted = ops.takeVector();
  llvm::sort(sorted,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  IRMapping mapping;
  for (Operation *op : sorted) {
    for (Value v : getUsedValues(op)) {
      if (mapping.contains(v))
        continue;
      Value known = canonical(v);
      Value now = isInScope(known) ? available.lookup(known)
                                   : parent->primal(known, Precision::Rounded);
      if (!now)
        return {};
      mapping.map(v, now);
    }
    Operation *copy = parent->builder.clone(*op, mapping);
    for (auto [result, now] :
         llvm::zip_equal(op->getResults(), copy->getResults()))
      provide(result, now, Precision::Exact);
  }
  return available.lookup(value);
}

//===----------------------------------------------------------------------===//
// Tapes
//===----------------------------------------------------------------------===//

/// The slice of a tape that holds the value of type `type` of one iteration.
/// `extents` are the dynamic ones.
static void getSlice(OpBuilder &builder, Value index, RankedTensorType type,
                     ValueRange extents, SmallVectorImpl<OpFoldResult> &offsets,
                     SmallVectorImpl<OpFoldResult> &sizes,
                     SmallVectorImpl<OpFoldResult> &strides) {
  offsets.assign(type.getRank() + 1, builder.getIndexAttr(0));
  strides.assign(type.getRank() + 1, builder.getIndexAttr(1));
  offsets[0] = index;
  sizes.assign(1, builder.getIndexAttr(1));
  for (int64_t size : type.getShape()) {
    if (!ShapedType::isDynamic(size)) {
      sizes.push_back(builder.getIndexAttr(size));
      continue;
    }
    sizes.push_back(extents.front());
    extents = extents.drop_front();
  }
}

Value ReverseContext::readTape(Value value) {
  Value now = sliceTape(value, [&](Value outside) {
    return parent->primal(outside, Precision::Exact);
  });
  if (now)
    provide(value, now, Precision::Exact);
  return now;
}

Value ReverseContext::sliceTape(Value value,
                                function_ref<Value(Value)> getOutside) {
  Location loc = value.getLoc();
  auto loop = dyn_cast<scf::ForOp>(scope.getParentOp());
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Type element = getElementTypeOrSelf(value.getType());
  if (!loop)
    return {};
  // There is no slice of a tensor without elements, nor any need for one.
  if (type && type.hasStaticShape() && type.getNumElements() == 0)
    return tensor::EmptyOp::create(builder, loc, type.getShape(), element);

  TapeRequest *request = nullptr;
  auto it = state.tapes.find(value);
  if (it != state.tapes.end()) {
    request = &it->second;
  } else {
    std::optional<SmallVector<Value>> extents =
        LoopExtents(loop).getDynamic(value);
    if (!extents)
      return {};
    SmallVector<int64_t> shape{
        getMostTripCount(loop).value_or(ShapedType::kDynamic)};
    if (type)
      llvm::append_range(shape, type.getShape());
    OpBuilder forward(loop->getContext());
    forward.setInsertionPointAfter(loop);
    auto placeholder = UnrealizedConversionCastOp::create(
        forward, loc, TypeRange{RankedTensorType::get(shape, element)},
        *extents);
    request = &state.tapes[value];
    *request = {loop, value, placeholder, {}};
  }
  // Asking the parent may make requests of its own.
  Value tape = request->placeholder->getResult(0);
  SmallVector<Value> extents(request->placeholder->getOperands());
  tape = getOutside(tape);
  if (!tape)
    return {};
  for (Value &extent : extents) {
    extent = getOutside(extent);
    if (!extent)
      return {};
  }
  Value now;
  if (type && llvm::is_contained(type.getShape(), 0)) {
    now = tensor::EmptyOp::create(builder, loc, type, extents);
  } else if (type) {
    SmallVector<OpFoldResult> offsets, sizes, strides;
    getSlice(builder, tapeIndex, type, extents, offsets, sizes, strides);
    now = tensor::ExtractSliceOp::create(builder, loc, type, tape, offsets,
                                         sizes, strides);
  } else {
    now = tensor::ExtractOp::create(builder, loc, tape, tapeIndex);
  }
  state.tapes[value].reads.push_back(now.getDefiningOp());
  return now;
}

/// Adds the tapes of `requests` to `loop`. Returns the loop that replaces it;
/// the tapes are its last results.
static scf::ForOp addTapes(IRRewriter &rewriter, scf::ForOp loop,
                           ArrayRef<TapeRequest> requests) {
  Location loc = loop.getLoc();
  rewriter.setInsertionPoint(loop);
  Value lower = loop.getLowerBound();
  SmallVector<Value> inits;
  for (const TapeRequest &request : requests) {
    auto type =
        cast<RankedTensorType>(request.placeholder->getResult(0).getType());
    SmallVector<Value> dynamic;
    if (type.isDynamicDim(0)) {
      Value count = buildTripCount(rewriter, loop, lower, loop.getUpperBound(),
                                   loop.getStep());
      Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
      count = arith::MaxSIOp::create(rewriter, loc, count, zero);
      dynamic.push_back(count);
    }
    llvm::append_range(dynamic, request.placeholder->getOperands());
    inits.push_back(tensor::EmptyOp::create(rewriter, loc, type, dynamic));
  }
  auto writeTapes = [&](OpBuilder &b, Location, ArrayRef<BlockArgument> tapes) {
    // The tapes are arguments of the new loop; its body is still the old one's.
    b.setInsertionPointToStart(loop.getBody());
    Value position = buildPosition(b, loop);
    SmallVector<Value> written;
    for (auto [request, tape] : llvm::zip_equal(requests, tapes)) {
      Value value = request.value;
      // Where the value is defined: at the end of the body its buffer may hold
      // something else.
      b.setInsertionPointAfterValue(isa<BlockArgument>(value) ? position
                                                              : value);
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (type && llvm::is_contained(type.getShape(), 0)) {
        written.push_back(tape);
      } else if (type) {
        SmallVector<OpFoldResult> offsets, sizes, strides;
        getSlice(b, position, type, request.placeholder->getOperands(), offsets,
                 sizes, strides);
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

/// Of what is read only the shape may be used. Returns false if nothing is left
/// that reads the tape, which no tape of an outer loop holds.
static bool foldReads(IRRewriter &rewriter, TapeRequest &request,
                      const llvm::DenseSet<Value> &taped) {
  for (Operation *read : request.reads) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(read);
    for (Operation *user : llvm::make_early_inc_range(read->getUsers())) {
      auto dim = dyn_cast<tensor::DimOp>(user);
      std::optional<int64_t> number =
          dim ? dim.getConstantIndex() : std::nullopt;
      if (!slice || !number || *number < 0 ||
          *number >= slice.getType().getRank())
        continue;
      rewriter.setInsertionPoint(dim);
      rewriter.replaceOp(
          dim, getValueOrCreateConstantIndexOp(
                   rewriter, dim.getLoc(), slice.getMixedSizes()[*number + 1]));
    }
    if (read->use_empty())
      rewriter.eraseOp(read);
  }
  request.reads.clear();
  if (!request.placeholder->use_empty() ||
      taped.contains(request.placeholder->getResult(0)))
    return true;
  rewriter.eraseOp(request.placeholder);
  return false;
}

void memrev::buildTapes(ReverseState &state) {
  if (state.tapes.empty())
    return;
  IRRewriter rewriter(state.tapes.front().second.loop->getContext());
  SmallVector<TapeRequest> requests;
  // Those of outer loops were made behind those of the loops in them.
  llvm::DenseSet<Value> taped;
  for (auto &entry : llvm::reverse(state.tapes))
    if (foldReads(rewriter, entry.second, taped)) {
      requests.push_back(entry.second);
      taped.insert(entry.second.value);
    }
  std::reverse(requests.begin(), requests.end());
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

    // Requests for results of this loop have to follow it.
    SmallVector<std::pair<TapeRequest *, unsigned>> results;
    for (TapeRequest &request : others)
      if (request.value.getDefiningOp() == loop)
        results.push_back(
            {&request, cast<OpResult>(request.value).getResultNumber()});

    unsigned numResults = loop.getNumResults();
    SmallVector<Value> before(loop.getResults());
    llvm::append_range(before, loop.getRegionIterArgs());
    scf::ForOp taped = addTapes(rewriter, loop, mine);
    SmallVector<Value> after(taped.getResults().take_front(numResults));
    llvm::append_range(after, taped.getRegionIterArgs().take_front(numResults));
    for (auto [old, now] : llvm::zip_equal(before, after))
      for (llvm::SetVector<Value> *values :
           {&state.inverted, &state.recomputedValues})
        if (values->contains(old)) {
          values->remove(old);
          values->insert(now);
        }
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
