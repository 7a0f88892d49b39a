//===- LinalgReductions.cpp - What reductions do --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinalgReductions.h"
#include "TensorExpressions.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;
using utils::IteratorType;

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

/// The operations of the body of `op` that `value` depends on, in program
/// order, and the arguments.
static void getSlice(LinalgOp op, Value value,
                     llvm::SetVector<Operation *> &ops,
                     llvm::SetVector<BlockArgument> &arguments) {
  Block *body = op.getBlock();
  SmallVector<Value> pending{value};
  llvm::SmallDenseSet<Operation *> live;
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(next)) {
      if (argument.getOwner() == body)
        arguments.insert(argument);
      continue;
    }
    Operation *def = body->findAncestorOpInBlock(*next.getDefiningOp());
    if (!def || !live.insert(def).second)
      continue;
    llvm::append_range(pending, def->getOperands());
    visitUsedValuesDefinedAbove(def->getRegions(), [&](OpOperand *operand) {
      pending.push_back(operand->get());
    });
  }
  for (Operation &inner : *body)
    if (live.contains(&inner))
      ops.insert(&inner);
}

SmallVector<OpOperand *> memrev::getOperandsOf(LinalgOp op, Value value) {
  llvm::SetVector<Operation *> ops;
  llvm::SetVector<BlockArgument> arguments;
  getSlice(op, value, ops, arguments);
  SmallVector<OpOperand *> operands;
  for (BlockArgument argument : arguments)
    operands.push_back(op.getMatchingOpOperand(argument));
  return operands;
}

/// True if `value` depends on a running value of `op`.
static bool readsRunningValue(LinalgOp op, Value value) {
  return llvm::any_of(getOperandsOf(op, value), [&](OpOperand *operand) {
    return op.isDpsInit(operand);
  });
}

namespace {

/// Says of the values of a body which are a running value plus terms.
class Sums {
public:
  Sums(LinalgOp op, Value out) : op(op), out(out) {}

  /// True if `value` is the running value plus terms that read none.
  bool isSum(Value value) {
    if (value == out)
      return true;
    Operation *def = value.getDefiningOp();
    if (!def || def->getBlock() != op.getBlock())
      return false;
    // A value that is masked again and again is on many paths.
    auto it = known.find(def);
    if (it == known.end())
      it = known.try_emplace(def, isSumOfOperands(def)).first;
    return it->second;
  }

private:
  bool isSumOfOperands(Operation *def) {
    auto reads = [&](unsigned i) {
      return readsRunningValue(op, def->getOperand(i));
    };
    auto isSumOf = [&](unsigned i) { return isSum(def->getOperand(i)); };
    if (isa<arith::AddFOp>(def))
      return reads(0) ? !reads(1) && isSumOf(0) : isSumOf(1);
    if (isa<arith::SubFOp>(def))
      return !reads(1) && isSumOf(0);
    if (isa<arith::ExtFOp, arith::TruncFOp>(def))
      return isSumOf(0);
    // A mask that leaves some terms out.
    if (isa<arith::SelectOp>(def))
      return !reads(0) && isSumOf(1) && isSumOf(2);
    return false;
  }

  LinalgOp op;
  Value out;
  llvm::SmallDenseMap<Operation *, bool> known;
};

} // namespace

Reduction memrev::getReduction(LinalgOp op, unsigned k) {
  if (op.getNumReductionLoops() == 0)
    return {Folding::None, {}};
  Value out = op.getRegionOutputArgs()[k];
  Value yielded = op.getBlock()->getTerminator()->getOperand(k);
  if (Sums(op, out).isSum(yielded))
    return {Folding::Sum, {}};
  Operation *def = yielded.getDefiningOp();
  if (!def || def->getBlock() != op.getBlock() || def->getNumOperands() != 2)
    return {Folding::Unknown, {}};
  Value folded = def->getOperand(def->getOperand(0) == out ? 1 : 0);
  if (!llvm::is_contained(def->getOperands(), out) ||
      readsRunningValue(op, folded))
    return {Folding::Unknown, {}};
  if (isa<arith::MaximumFOp, arith::MaxNumFOp>(def))
    return {Folding::Maximum, folded, isa<arith::MaxNumFOp>(def)};
  if (isa<arith::MinimumFOp, arith::MinNumFOp>(def))
    return {Folding::Minimum, folded, isa<arith::MinNumFOp>(def)};
  if (isa<arith::MulFOp>(def))
    return {Folding::Product, folded};
  return {Folding::Unknown, {}};
}

FailureOr<SmallVector<OpFoldResult>>
memrev::getLoopSizes(LinalgOp op, DerivativeContext &ctx) {
  OpBuilder &b = ctx.getBuilder();
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (auto [loop, range] : llvm::enumerate(ranges)) {
    if (!ShapedType::isDynamic(range)) {
      sizes.push_back(b.getIndexAttr(range));
      continue;
    }
    // The verifier wants an operand whose sizes give those of each loop.
    Value now;
    for (OpOperand &operand : op->getOpOperands()) {
      std::optional<unsigned> position =
          op.getMatchingIndexingMap(&operand).getResultPosition(
              b.getAffineDimExpr(loop));
      if (!position)
        continue;
      now = ctx.primal(operand.get());
      if (!now)
        return failure();
      sizes.push_back(tensor::getMixedSize(b, op.getLoc(), now, *position));
      break;
    }
  }
  return sizes;
}

/// Emits what the body of `op` folds, with `values` for its `arguments`.
static Value buildFolded(OpBuilder &b, LinalgOp op, Value folded,
                         ArrayRef<BlockArgument> arguments, ValueRange values) {
  llvm::SetVector<Operation *> ops;
  llvm::SetVector<BlockArgument> all;
  getSlice(op, folded, ops, all);
  IRMapping mapping;
  for (auto [argument, value] : llvm::zip_first(arguments, values))
    mapping.map(argument, value);
  for (Operation *inner : ops)
    b.clone(*inner, mapping);
  return mapping.lookupOrDefault(folded);
}

/// The operands that `folded` reads, as primal values of the context, and the
/// arguments that stand for them in the body of `op`.
static LogicalResult getInputsOf(LinalgOp op, DerivativeContext &ctx,
                                 Value folded, Precision precision,
                                 SmallVectorImpl<BlockArgument> &arguments,
                                 SmallVectorImpl<Value> &inputs,
                                 SmallVectorImpl<AffineMap> &maps) {
  for (OpOperand *operand : getOperandsOf(op, folded)) {
    Value now = ctx.primal(operand->get(), precision);
    if (!now)
      return failure();
    arguments.push_back(op.getMatchingBlockArgument(operand));
    inputs.push_back(now);
    maps.push_back(op.getMatchingIndexingMap(operand));
  }
  return success();
}

/// Gives each loop that `maps` leave without an extent one from an input that
/// is never read.
static void coverLoops(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
                       SmallVectorImpl<Value> &inputs,
                       SmallVectorImpl<AffineMap> &maps,
                       ArrayRef<AffineMap> others) {
  for (auto [loop, size] : llvm::enumerate(sizes)) {
    AffineExpr dim = b.getAffineDimExpr(loop);
    auto covers = [&](AffineMap map) {
      return map.getResultPosition(dim).has_value();
    };
    if (llvm::any_of(maps, covers) || llvm::any_of(others, covers))
      continue;
    inputs.push_back(
        tensor::EmptyOp::create(b, loc, ArrayRef(size), b.getF32Type()));
    maps.push_back(AffineMap::get(sizes.size(), 0, dim));
  }
}

//===----------------------------------------------------------------------===//
// Maxima and minima
//===----------------------------------------------------------------------===//

Value IterationNumber::build(OpBuilder &builder, Location loc) const {
  Value number;
  for (auto [loop, size] : llvm::zip_equal(loops, sizes)) {
    Value position = linalg::IndexOp::create(builder, loc, loop);
    if (number) {
      Value extent = getValueOrCreateConstantIndexOp(builder, loc, size);
      position = arith::AddIOp::create(
          builder, loc, arith::MulIOp::create(builder, loc, number, extent),
          position);
    }
    number = position;
  }
  return arith::IndexCastOp::create(builder, loc, type, number);
}

Value memrev::buildIfWon(OpBuilder &b, Location loc, Value cotangent,
                         Value winner, Value number) {
  Value won =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, winner, number);
  Value zero =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(cotangent.getType()));
  return arith::SelectOp::create(b, loc, won, cotangent, zero);
}

Value memrev::buildIfStartWon(OpBuilder &b, Location loc, Value cotangent,
                              Value winners) {
  auto type = cast<RankedTensorType>(cotangent.getType());
  Value empty = buildEmptyLike(b, loc, cotangent);
  SmallVector<AffineMap> maps(3, b.getMultiDimIdentityMap(type.getRank()));
  SmallVector<IteratorType> iterators(type.getRank(), IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, TypeRange{empty.getType()}, ValueRange{cotangent, winners},
             ValueRange{empty}, maps, iterators,
             [&](OpBuilder &inner, Location l, ValueRange args) {
               Value start = arith::ConstantOp::create(
                   inner, l,
                   inner.getIntegerAttr(args[1].getType(), kStartWins));
               linalg::YieldOp::create(
                   inner, l, buildIfWon(inner, l, args[0], args[1], start));
             })
      .getResult(0);
}

/// Emits whether `candidate` beats the running value `best`.
static Value buildBeats(OpBuilder &b, Location loc, const Reduction &reduction,
                        Value candidate, Value best) {
  bool isMaximum = reduction.folding == Folding::Maximum;
  Value beats = arith::CmpFOp::create(
      b, loc, isMaximum ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT,
      candidate, best);
  if (!reduction.skipsNaN)
    return beats;
  Value isNaN =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, best, best);
  Value isNumber = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD,
                                         candidate, candidate);
  Value replaces = arith::AndIOp::create(b, loc, isNaN, isNumber);
  return arith::OrIOp::create(b, loc, beats, replaces);
}

FailureOr<Winners> memrev::buildWinners(LinalgOp op, DerivativeContext &ctx,
                                        unsigned k,
                                        const Reduction &reduction) {
  OpBuilder &b = ctx.getBuilder();
  Location loc = op.getLoc();
  SmallVector<BlockArgument> arguments;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  if (failed(getInputsOf(op, ctx, reduction.folded, Precision::Exact, arguments,
                         inputs, maps)))
    return failure();
  OpOperand *initOperand = op.getDpsInitOperand(k);
  Value init = ctx.primal(initOperand->get(), Precision::Exact);
  if (!init)
    return failure();
  AffineMap resultMap = op.getMatchingIndexingMap(initOperand);
  FailureOr<SmallVector<OpFoldResult>> sizes = getLoopSizes(op, ctx);
  if (failed(sizes))
    return failure();

  Winners winners;
  uint64_t count = 1;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    if (resultMap.getResultPosition(b.getAffineDimExpr(loop)))
      continue;
    winners.number.loops.push_back(loop);
    winners.number.sizes.push_back((*sizes)[loop]);
    std::optional<int64_t> size = getConstantIntValue((*sizes)[loop]);
    count = llvm::SaturatingMultiply<uint64_t>(
        count, size.value_or(std::numeric_limits<int64_t>::max()));
  }
  winners.number.type = count > std::numeric_limits<int32_t>::max()
                            ? b.getI64Type()
                            : b.getI32Type();
  Value start = arith::ConstantOp::create(
      b, loc, b.getIntegerAttr(winners.number.type, kStartWins));
  Value empty = buildEmptyLike(b, loc, init, winners.number.type);
  Value numbers = linalg::FillOp::create(b, loc, start, empty).getResult(0);
  coverLoops(b, loc, *sizes, inputs, maps, {resultMap});
  maps.append({resultMap, resultMap});
  winners.numbers =
      linalg::GenericOp::create(
          b, loc, TypeRange{init.getType(), numbers.getType()}, inputs,
          ValueRange{init, numbers}, maps, op.getIteratorTypesArray(),
          [&](OpBuilder &inner, Location l, ValueRange args) {
            Value candidate =
                buildFolded(inner, op, reduction.folded, arguments, args);
            Value number = winners.number.build(inner, l);
            Value best = args[args.size() - 2], winner = args.back();
            Value beats = buildBeats(inner, l, reduction, candidate, best);
            best = arith::SelectOp::create(inner, l, beats, candidate, best);
            winner = arith::SelectOp::create(inner, l, beats, number, winner);
            linalg::YieldOp::create(inner, l, ValueRange{best, winner});
          })
          .getResult(1);
  return winners;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {

/// The factors of products, all those of one step in one slice, which has the
/// shape of the result.
class Factors {
public:
  Factors(OpBuilder &b, Location loc, Value factors, unsigned numFolded)
      : loc(loc), whole(getWhole(b, loc, factors)), numFolded(numFolded) {
    auto type = cast<RankedTensorType>(factors.getType());
    sliceType = RankedTensorType::get(type.getShape().drop_front(numFolded),
                                      type.getElementType());
    count = arith::ConstantIndexOp::create(b, loc, 1);
    for (OpFoldResult size : ArrayRef(whole.sizes).take_front(numFolded)) {
      extents.push_back(getValueOrCreateConstantIndexOp(b, loc, size));
      count = arith::MulIOp::create(b, loc, count, extents.back());
    }
    std::fill_n(whole.sizes.begin(), numFolded, b.getIndexAttr(1));
  }

  Value getCount() const { return count; }

  Value extract(OpBuilder &b, Value tensor, Value step) {
    move(b, step);
    return tensor::ExtractSliceOp::create(
        b, loc, sliceType, tensor, whole.offsets, whole.sizes, whole.strides);
  }

  Value insert(OpBuilder &b, Value slice, Value tensor, Value step) {
    move(b, step);
    return tensor::InsertSliceOp::create(b, loc, slice, tensor, whole.offsets,
                                         whole.sizes, whole.strides);
  }

private:
  /// Moves the slice to `step`, last dimension fastest.
  void move(OpBuilder &b, Value step) {
    for (unsigned i = numFolded; i-- > 1;) {
      whole.offsets[i] =
          arith::RemUIOp::create(b, loc, step, extents[i]).getResult();
      step = arith::DivUIOp::create(b, loc, step, extents[i]);
    }
    whole.offsets[0] = step;
  }

  Location loc;
  Slice whole;
  unsigned numFolded;
  RankedTensorType sliceType;
  SmallVector<Value> extents;
  Value count;
};

} // namespace

/// Emits a loop over the steps of `factors` that carries `running` and `all`.
static scf::ForOp buildSteps(
    OpBuilder &b, Location loc, Factors &factors, Value running, Value all,
    function_ref<SmallVector<Value>(OpBuilder &, Value, Value, Value)> body) {
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  return scf::ForOp::create(
      b, loc, zero, factors.getCount(), one, ValueRange{running, all},
      [&](OpBuilder &inner, Location l, Value step, ValueRange args) {
        scf::YieldOp::create(inner, l, body(inner, step, args[0], args[1]));
      });
}

FailureOr<FactorCotangents>
memrev::buildFactorCotangents(LinalgOp op, DerivativeContext &ctx, unsigned k,
                              const Reduction &reduction) {
  OpBuilder &b = ctx.getBuilder();
  Location loc = op.getLoc();
  OpOperand *initOperand = op.getDpsInitOperand(k);
  AffineMap resultMap = op.getMatchingIndexingMap(initOperand);
  SmallVector<unsigned> folded;
  op.getReductionDims(folded);
  if (!resultMap.isProjectedPermutation() ||
      resultMap.getNumResults() + folded.size() != op.getNumLoops())
    return op.emitError("expects products with one factor for each element of "
                        "each reduction loop where a gradient flows, but got a "
                        "result at ")
           << AffineMapAttr::get(resultMap);
  SmallVector<BlockArgument> arguments;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  if (failed(getInputsOf(op, ctx, reduction.folded, Precision::Rounded,
                         arguments, inputs, maps)))
    return failure();
  Value init = ctx.primal(initOperand->get());
  if (!init)
    return failure();
  FailureOr<SmallVector<OpFoldResult>> sizes = getLoopSizes(op, ctx);
  if (failed(sizes))
    return failure();

  // All factors as a tensor, with the loops that are folded first.
  FactorCotangents result;
  SmallVector<AffineExpr> dims;
  for (unsigned loop : folded)
    dims.push_back(b.getAffineDimExpr(loop));
  llvm::append_range(dims, resultMap.getResults());
  result.map = AffineMap::get(op.getNumLoops(), 0, dims, b.getContext());
  SmallVector<OpFoldResult> shape;
  for (unsigned loop : folded)
    shape.push_back((*sizes)[loop]);
  // One slice of the factors has the type of the result.
  llvm::append_range(shape, tensor::getMixedSizes(b, loc, init));
  Type type = getSumType(getElementTypeOrSelf(init.getType()));
  Value empty = tensor::EmptyOp::create(b, loc, shape, type);
  maps.push_back(result.map);
  SmallVector<IteratorType> iterators(op.getNumLoops(), IteratorType::parallel);
  Value all = linalg::GenericOp::create(
                  b, loc, TypeRange{empty.getType()}, inputs, ValueRange{empty},
                  maps, iterators,
                  [&](OpBuilder &inner, Location l, ValueRange args) {
                    Value factor = buildFolded(inner, op, reduction.folded,
                                               arguments, args);
                    linalg::YieldOp::create(
                        inner, l, buildFloatCast(inner, l, factor, type));
                  })
                  .getResult(0);

  // Without factors, or without a result, nothing is multiplied. Slices of a
  // tensor without elements are no valid ones.
  if (llvm::is_contained(cast<RankedTensorType>(all.getType()).getShape(), 0)) {
    result.factors = all;
    result.start = ctx.cotangent(op->getResult(k));
    return result;
  }

  Factors factors(b, loc, all, folded.size());
  Value products = tensor::EmptyOp::create(b, loc, shape, type);
  Value before = buildTensorCast(b, loc, init, type);
  products =
      buildSteps(b, loc, factors, before, products,
                 [&](OpBuilder &inner, Value step, Value running, Value sums) {
                   sums = factors.insert(inner, running, sums, step);
                   Value factor = factors.extract(inner, all, step);
                   running = arith::MulFOp::create(inner, loc, running, factor);
                   return SmallVector<Value>{running, sums};
                 })
          .getResult(1);
  Value cotangents = tensor::EmptyOp::create(b, loc, shape, type);
  Value behind = buildTensorCast(b, loc, ctx.cotangent(op->getResult(k)), type);
  scf::ForOp backwards = buildSteps(
      b, loc, factors, behind, cotangents,
      [&](OpBuilder &inner, Value step, Value running, Value sums) {
        Value one = arith::ConstantIndexOp::create(inner, loc, 1);
        Value last = arith::SubIOp::create(inner, loc, factors.getCount(), one);
        step = arith::SubIOp::create(inner, loc, last, step);
        Value others = factors.extract(inner, products, step);
        others = arith::MulFOp::create(inner, loc, others, running);
        sums = factors.insert(inner, others, sums, step);
        Value factor = factors.extract(inner, all, step);
        running = arith::MulFOp::create(inner, loc, running, factor);
        return SmallVector<Value>{running, sums};
      });
  result.factors = backwards.getResult(1);
  result.start = buildTensorCast(b, loc, backwards.getResult(0),
                                 getElementTypeOrSelf(init.getType()));
  return result;
}
