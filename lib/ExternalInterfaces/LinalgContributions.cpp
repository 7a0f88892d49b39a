//===- LinalgContributions.cpp - Sums of a body's derivatives -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An operand that is read at a projected permutation of the loops gets its
// cotangent from one linalg.generic, in which the loops that it does not
// mention are reductions. Other maps would let parallel iterations collide as
// maps of results, so they get other forms:
//
//  * windows (a * d0 + b * d1 + c, each loop in one expression only): one
//    operation for each position of all loops of an expression but one, which
//    adds to a strided slice. A loop with a negative factor runs backwards;
//  * diagonals (d0, d0): sums over the loops first, then one pass over the
//    cotangent that selects the diagonal;
//  * anything else: a loop that adds element by element.
//
//===----------------------------------------------------------------------===//

#include "LinalgContributionEmitter.h"
#include "LinalgReductions.h"
#include "TensorExpressions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;
using utils::IteratorType;

void ScratchBody::getSlice(ValueRange values, llvm::SetVector<Operation *> &ops,
                           llvm::SetVector<Value> &arguments) {
  Block *block = &getBlock();
  SmallVector<Value> pending(values);
  llvm::SmallDenseSet<Operation *> live;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (argument.getOwner() == block)
        arguments.insert(argument);
      continue;
    }
    Operation *def = value.getDefiningOp();
    if (def->getBlock() != block || !live.insert(def).second)
      continue;
    // What its regions capture too.
    def->walk([&](Operation *inner) {
      llvm::append_range(pending, inner->getOperands());
    });
  }
  for (Operation &inner : *block)
    if (live.contains(&inner))
      ops.insert(&inner);
}

/// True if `map` is made of loops only, some of them more than once.
static bool isDiagonal(AffineMap map) {
  return llvm::all_of(map.getResults(),
                      [](AffineExpr expr) { return isa<AffineDimExpr>(expr); });
}

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

/// The value that `scalar` was rounded from, if it was.
static Value getUnrounded(Value scalar) {
  auto rounded = scalar.getDefiningOp<arith::TruncFOp>();
  return rounded ? rounded.getIn() : scalar;
}

Type ContributionEmitter::getTermType(Value scalar) {
  return getUnrounded(scalar).getType();
}

/// `scalar` of scratch in `type`; a product is formed in it, for the product of
/// two 16-bit floats may be none.
static Value buildWide(OpBuilder &builder, Location loc, IRMapping &mapping,
                       Value scalar, Type type) {
  auto wide = [&](Value value) {
    return buildWide(builder, loc, mapping, value, type);
  };
  if (scalar.getType() != type) {
    if (auto product = scalar.getDefiningOp<arith::MulFOp>())
      return arith::MulFOp::create(builder, loc, wide(product.getLhs()),
                                   wide(product.getRhs()));
    if (auto negated = scalar.getDefiningOp<arith::NegFOp>())
      return arith::NegFOp::create(builder, loc, wide(negated.getOperand()));
  }
  return buildFloatCast(builder, loc, mapping.lookupOrDefault(scalar), type);
}

Value ContributionEmitter::buildTerm(OpBuilder &builder, IRMapping &mapping,
                                     Value scalar, Type type) {
  // Sums round once, at their end.
  if (scalar.getType() != type)
    scalar = getUnrounded(scalar);
  if (scalar.getType() != type &&
      scalar.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return buildWide(builder, loc, mapping, scalar, type);
  return buildFloatCast(builder, loc, mapping.lookupOrDefault(scalar), type);
}

ContributionEmitter::Nest ContributionEmitter::getSameNest() {
  Nest nest;
  nest.numLoops = op.getNumLoops();
  for (unsigned loop = 0; loop < nest.numLoops; ++loop)
    nest.loops.push_back(b.getAffineDimExpr(loop));
  return nest;
}

/// Input number `i` of scratch as the loops of `nest` read it, at `map`. What
/// one loop at most goes over is cut out, so that contractions stay
/// contractions.
Value ContributionEmitter::getInput(unsigned i, const Nest &nest,
                                    AffineMap &map) {
  Value tensor = scratch.tensors[i];
  map = scratch.maps[i].replaceDimsAndSymbols(nest.loops, {}, nest.numLoops, 0);
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || map == scratch.maps[i])
    return tensor;
  Slice slice = getWhole(b, loc, tensor);
  SmallVector<AffineExpr> exprs;
  SmallVector<int64_t> shape;
  bool isPart = false;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    std::optional<LinearExpr> linear = getLinear(expr);
    bool isForwards = linear && linear->constant >= 0 &&
                      llvm::all_of(linear->factors, [](const auto &entry) {
                        return entry.second > 0;
                      });
    // A window of which one loop is left is longer than this loop.
    bool isWhole = isa<AffineDimExpr>(expr) &&
                   isa<AffineDimExpr>(scratch.maps[i].getResult(dim));
    if (!isForwards || linear->factors.size() > 1 || isWhole) {
      exprs.push_back(expr);
      shape.push_back(type.getDimSize(dim));
      continue;
    }
    isPart = true;
    slice.offsets[dim] = b.getIndexAttr(linear->constant);
    slice.sizes[dim] = b.getIndexAttr(1);
    if (linear->factors.empty()) {
      exprs.push_back(b.getAffineConstantExpr(0));
      shape.push_back(1);
      continue;
    }
    auto [loop, factor] = linear->factors.front();
    slice.sizes[dim] = nest.sizes[loop];
    slice.strides[dim] = b.getIndexAttr(factor);
    exprs.push_back(b.getAffineDimExpr(loop));
    // A size that a constant of the program gives is dynamic in a slice's type.
    shape.push_back(isa<Attribute>(nest.sizes[loop])
                        ? *getConstantIntValue(nest.sizes[loop])
                        : ShapedType::kDynamic);
  }
  if (!isPart)
    return tensor;
  dropConstantDims(exprs, shape);
  map = AffineMap::get(nest.numLoops, 0, exprs, b.getContext());
  return tensor::ExtractSliceOp::create(
      b, loc, RankedTensorType::get(shape, type.getElementType()), tensor,
      slice.offsets, slice.sizes, slice.strides);
}

/// Emits one linalg.generic over the loops of `nest`.
FailureOr<linalg::GenericOp>
ContributionEmitter::emitPass(const Nest &nest,
                              ArrayRef<Destination> destinations) {
  SmallVector<Value> scalars;
  for (const Destination &destination : destinations)
    scalars.push_back(destination.scalar);
  llvm::SetVector<Operation *> ops;
  llvm::SetVector<Value> arguments;
  scratch.getSlice(scalars, ops, arguments);

  SmallVector<Value> inputs, inputScalars, outputs;
  SmallVector<AffineMap> maps;
  for (unsigned i = 0, e = scratch.tensors.size(); i < e; ++i) {
    Value argument = scratch.getBlock().getArgument(i);
    if (!arguments.contains(argument))
      continue;
    inputs.push_back(getInput(i, nest, maps.emplace_back()));
    inputScalars.push_back(argument);
  }
  // Loops that nothing runs over any more take their extent from an operand
  // that is not read.
  auto isCovered = [&](AffineExpr dim) {
    auto covers = [&](AffineMap map) {
      return map.getResultPosition(dim).has_value();
    };
    return llvm::any_of(maps, covers) ||
           llvm::any_of(destinations,
                        [&](const Destination &d) { return covers(d.map); });
  };
  std::optional<SmallVector<OpFoldResult>> sizes;
  for (auto [loop, expr] : llvm::enumerate(nest.loops)) {
    if (!isa<AffineDimExpr>(expr) || isCovered(expr))
      continue;
    if (!sizes) {
      FailureOr<SmallVector<OpFoldResult>> known = getLoopSizes(op, ctx);
      if (failed(known))
        return failure();
      sizes = *known;
    }
    inputs.push_back(tensor::EmptyOp::create(
        b, loc, ArrayRef((*sizes)[loop]),
        getElementTypeOrSelf(destinations.front().start.getType())));
    inputScalars.push_back(nullptr);
    maps.push_back(AffineMap::get(nest.numLoops, 0, expr));
  }

  SmallVector<Type> types;
  for (const Destination &destination : destinations) {
    outputs.push_back(destination.start);
    types.push_back(destination.start.getType());
    maps.push_back(destination.map);
  }
  SmallVector<IteratorType> iterators;
  for (unsigned loop = 0; loop < nest.numLoops; ++loop)
    iterators.push_back(destinations.front().map.isFunctionOfDim(loop)
                            ? IteratorType::parallel
                            : IteratorType::reduction);
  return linalg::GenericOp::create(
      b, loc, types, inputs, outputs, maps, iterators,
      [&](OpBuilder &builder, Location l, ValueRange args) {
        IRMapping mapping;
        for (auto [scalar, arg] : llvm::zip_first(inputScalars, args))
          if (scalar)
            mapping.map(scalar, arg);
        for (Operation *inner : ops)
          builder.clone(*inner, mapping);
        SmallVector<Value> yields;
        for (auto [destination, start] :
             llvm::zip_equal(destinations, args.drop_front(inputs.size()))) {
          Value term =
              buildTerm(builder, mapping, destination.scalar, start.getType());
          if (destination.adds)
            term = arith::AddFOp::create(builder, l, start, term);
          yields.push_back(term);
        }
        linalg::YieldOp::create(builder, l, yields);
        // The loops that the body asks for are those of `op`.
        SmallVector<linalg::IndexOp> indices;
        builder.getBlock()->walk(
            [&](linalg::IndexOp index) { indices.push_back(index); });
        for (linalg::IndexOp index : indices) {
          AffineExpr expr = nest.loops[index.getDim()];
          if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
            index.setDim(dim.getPosition());
            continue;
          }
          OpBuilder at(index);
          LinearExpr linear = *getLinear(expr);
          Value position =
              arith::ConstantIndexOp::create(at, l, linear.constant);
          for (auto [loop, factor] : linear.factors)
            position = arith::SubIOp::create(
                at, l, position, linalg::IndexOp::create(at, l, loop));
          index.replaceAllUsesWith(position);
          index.erase();
        }
      });
}

//===----------------------------------------------------------------------===//
// Projected permutations
//===----------------------------------------------------------------------===//

LogicalResult ContributionEmitter::emitPermuted(AffineMap map,
                                                ArrayRef<Contribution> group) {
  bool reduces = !map.isPermutation();
  SmallVector<Destination> destinations;
  SmallVector<WideSum> sums;
  for (const Contribution &c : group) {
    auto type = cast<RankedTensorType>(c.operand.getType());
    Value start;
    // An elementwise contribution is written, not added to zeros. Of several
    // sums none is taken in place: two of them can be parts of one buffer.
    if (reduces) {
      sums.push_back(WideSum(ctx, c.operand, getTermType(c.scalar), loc));
      start = group.size() == 1
                  ? sums.back().getStart()
                  : ctx.zero(type.clone(sums.back().getElementType()),
                             c.operand, loc);
      if (!start)
        return failure();
    } else {
      FailureOr<SmallVector<OpFoldResult>> sizes =
          getPrimalSizes(ctx, c.operand, loc);
      if (failed(sizes))
        return failure();
      start = tensor::EmptyOp::create(b, loc, *sizes, type.getElementType());
    }
    destinations.push_back({start, map, c.scalar, reduces});
  }
  FailureOr<linalg::GenericOp> pass = emitPass(getSameNest(), destinations);
  if (failed(pass))
    return failure();
  for (auto [i, c] : llvm::enumerate(group)) {
    Value sum = pass->getResult(i);
    if (reduces && group.size() == 1)
      sums.front().finish(sum);
    else
      ctx.accumulate(c.operand, buildTensorCast(
                                    b, loc, sum,
                                    getElementTypeOrSelf(c.operand.getType())));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Diagonals
//===----------------------------------------------------------------------===//

LogicalResult ContributionEmitter::emitDiagonal(const Contribution &c) {
  // The sums for each element of the diagonal.
  llvm::SetVector<AffineExpr> loops(c.map.getResults().begin(),
                                    c.map.getResults().end());
  FailureOr<SmallVector<OpFoldResult>> sizes = getLoopSizes(op, ctx);
  if (failed(sizes))
    return failure();
  SmallVector<OpFoldResult> shape;
  for (AffineExpr loop : loops)
    shape.push_back((*sizes)[cast<AffineDimExpr>(loop).getPosition()]);
  WideSum wide(ctx, c.operand, getTermType(c.scalar), loc);
  Type type = wide.getElementType();
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Value empty = tensor::EmptyOp::create(b, loc, shape, type);
  Value zeros = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  AffineMap map =
      AffineMap::get(op.getNumLoops(), 0, loops.getArrayRef(), b.getContext());
  FailureOr<linalg::GenericOp> pass =
      emitPass(getSameNest(), Destination{zeros, map, c.scalar, /*adds=*/true});
  if (failed(pass))
    return failure();

  Value sum = wide.getStart();
  if (!sum)
    return failure();
  // Where each dimension of the sums is in the operand first.
  int64_t rank = c.map.getNumResults();
  SmallVector<AffineExpr> read;
  for (AffineExpr loop : loops)
    read.push_back(b.getAffineDimExpr(*c.map.getResultPosition(loop)));
  sum =
      linalg::GenericOp::create(
          b, loc, TypeRange{sum.getType()}, pass->getResults(), ValueRange{sum},
          ArrayRef<AffineMap>{AffineMap::get(rank, 0, read, b.getContext()),
                              b.getMultiDimIdentityMap(rank)},
          SmallVector<IteratorType>(rank, IteratorType::parallel),
          [&](OpBuilder &builder, Location l, ValueRange args) {
            Value term = args[0];
            for (auto [dim, loop] : llvm::enumerate(c.map.getResults())) {
              unsigned first = *c.map.getResultPosition(loop);
              if (first == dim)
                continue;
              Value same = arith::CmpIOp::create(
                  builder, l, arith::CmpIPredicate::eq,
                  linalg::IndexOp::create(builder, l, first),
                  linalg::IndexOp::create(builder, l, dim));
              term = arith::SelectOp::create(builder, l, same, term, zero);
            }
            linalg::YieldOp::create(
                builder, l,
                arith::AddFOp::create(builder, l, args[1], term).getResult());
          })
          .getResult(0);
  wide.finish(sum);
  return success();
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

LogicalResult ContributionEmitter::emitScalar(const Contribution &c) {
  Type type = getSumType(c.operand.getType());
  if (Type term = getTermType(c.scalar);
      term.getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth())
    type = term;
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Value empty = tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>(), type);
  Value start = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  FailureOr<linalg::GenericOp> pass = emitPass(
      getSameNest(), Destination{start, c.map, c.scalar, /*adds=*/true});
  if (failed(pass))
    return failure();
  Value sum =
      tensor::ExtractOp::create(b, loc, pass->getResult(0), ValueRange());
  ctx.accumulate(c.operand, buildFloatCast(b, loc, sum, c.operand.getType()));
  return success();
}

LogicalResult ContributionEmitter::emit(ArrayRef<Contribution> contributions) {
  bool hasNoIterations = llvm::any_of(op->getOperandTypes(), [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && llvm::is_contained(tensor.getShape(), 0);
  });
  // What has the same map is one pass.
  llvm::MapVector<AffineMap, SmallVector<Contribution>> groups;
  for (const Contribution &c : contributions) {
    auto argument = dyn_cast<BlockArgument>(c.scalar);
    bool isOwn = argument && argument.getOwner() == &scratch.getBlock();
    if (!isa<RankedTensorType>(c.operand.getType())) {
      if (failed(emitScalar(c)))
        return failure();
      continue;
    }
    if (!c.isIndexed && c.map.isProjectedPermutation()) {
      unsigned i = isOwn ? argument.getArgNumber() : 0;
      if (isOwn && scratch.maps[i] == c.map && c.map.isPermutation() &&
          scratch.tensors[i].getType() == c.operand.getType())
        ctx.accumulate(c.operand, scratch.tensors[i]);
      else
        groups[c.map].push_back(c);
      continue;
    }
    // Without iterations nothing is added: there are no slices of tensors
    // without elements to add to.
    if (!c.isIndexed && hasNoIterations)
      continue;
    std::optional<SmallVector<WindowDim>> windows;
    if (!c.isIndexed)
      windows = getWindows(c);
    LogicalResult done = windows ? emitWindows(c, *windows)
                         : !c.isIndexed && isDiagonal(c.map) ? emitDiagonal(c)
                                                             : emitLoops(c);
    if (failed(done))
      return failure();
  }
  for (auto &[map, group] : groups)
    if (failed(emitPermuted(map, group)))
      return failure();
  return success();
}

LogicalResult memrev::emitContributions(LinalgOp op, DerivativeContext &ctx,
                                        ScratchBody &scratch,
                                        ArrayRef<Contribution> contributions) {
  return ContributionEmitter(op, ctx, scratch).emit(contributions);
}
