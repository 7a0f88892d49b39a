//===- LinalgInverses.cpp - Inverses of structured operations -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inverse of an elementwise operation in one of its operands undoes the
// scalar operations of the body, the last one first, on the way from what the
// body yields to the operand's element. The start of a sum over reduction loops
// is what the result is more than the sum from zero.
//
//===----------------------------------------------------------------------===//

#include "LinalgInverses.h"
#include "LinalgContributions.h"
#include "LinalgReductions.h"
#include "ScalarRules.h"
#include "TensorExpressions.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include <vector>

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;

namespace {

/// An inverse edge of an operation of the body.
struct ScalarStep {
  InvertibleOpInterface op;
  unsigned edge;
};

/// How an operand follows from a result.
struct Solution {
  OpOperand *operand;
  unsigned result;
  /// From the loops of the inverse, which are those of the operand's elements,
  /// to those of the operation.
  AffineMap loops;
  /// What the body computes from the operand's element, undone: last operation
  /// first.
  SmallVector<ScalarStep> steps;
  /// The other arguments of the body that the steps read.
  SmallVector<BlockArgument> arguments;
  InverseEdge edge;
};

} // namespace

//===----------------------------------------------------------------------===//
// Which operands can be had back
//===----------------------------------------------------------------------===//

/// The map that undoes `map`, if that goes through all elements of a tensor of
/// `shape` by loops of extents `ranges`, each once: a permutation of the loops,
/// some of them backwards. Null if not.
static AffineMap invertMap(AffineMap map, ArrayRef<int64_t> shape,
                           ArrayRef<int64_t> ranges) {
  unsigned numLoops = map.getNumDims();
  if (map.getNumSymbols() != 0 || map.getNumResults() != numLoops)
    return {};
  MLIRContext *context = map.getContext();
  SmallVector<AffineExpr> inverse(numLoops);
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    AffineExpr element = getAffineDimExpr(i, context);
    if (!dim) {
      // Backwards from the last element.
      if (ShapedType::isDynamic(shape[i]))
        return {};
      AffineExpr last = getAffineConstantExpr(shape[i] - 1, context);
      for (unsigned loop = 0; loop < numLoops && !dim; ++loop)
        if (expr == last - getAffineDimExpr(loop, context))
          dim = cast<AffineDimExpr>(getAffineDimExpr(loop, context));
      if (!dim)
        return {};
      element = last - element;
    }
    if (inverse[dim.getPosition()] || ranges[dim.getPosition()] != shape[i])
      return {};
    inverse[dim.getPosition()] = element;
  }
  return AffineMap::get(numLoops, 0, inverse, context);
}

/// Everything in `block` that is computed from `argument`, and itself.
static llvm::SmallDenseSet<Value> getDependent(BlockArgument argument) {
  llvm::SmallDenseSet<Value> dependent{argument};
  for (Operation &op : *argument.getOwner()) {
    llvm::SetVector<Value> used(op.operand_begin(), op.operand_end());
    getUsedValuesDefinedAbove(op.getRegions(), used);
    if (llvm::any_of(used, [&](Value v) { return dependent.contains(v); }))
      dependent.insert(op.result_begin(), op.result_end());
  }
  return dependent;
}

/// Finds the edge of `op`, which defines `result`, that solves for the one
/// operand among `dependent`.
static std::optional<std::pair<ScalarStep, InverseEdge>>
findStep(Operation *op, Value result,
         const llvm::SmallDenseSet<Value> &dependent) {
  auto invertible = dyn_cast_if_present<InvertibleOpInterface>(op);
  if (!invertible)
    return std::nullopt;
  for (auto [number, edge] : llvm::enumerate(invertible.getInverseEdges()))
    if (edge.solved.size() == 1 && dependent.contains(edge.solved.front()) &&
        llvm::all_of(edge.from, [&](Value v) {
          return v == result || !dependent.contains(v);
        }))
      return std::pair(ScalarStep{invertible, unsigned(number)}, edge);
  return std::nullopt;
}

/// Finds the arguments of `body` that `value` is computed from, and values from
/// outside of it.
static void getSources(Value value, Block *body,
                       llvm::SetVector<BlockArgument> &arguments,
                       llvm::SetVector<Value> &captured) {
  llvm::SetVector<Value> pending;
  pending.insert(value);
  for (unsigned i = 0; i < pending.size(); ++i) {
    auto argument = dyn_cast<BlockArgument>(pending[i]);
    if (argument && argument.getOwner() == body) {
      arguments.insert(argument);
      continue;
    }
    Operation *op = pending[i].getDefiningOp();
    if (!op || op->getBlock() != body) {
      captured.insert(pending[i]);
      continue;
    }
    pending.insert(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), pending);
  }
}

/// Follows the body of `op` back from what it yields as `solution.result` to
/// the argument of the operand, and says what that takes.
static bool solveBody(LinalgOp op, Solution &solution) {
  Block *body = op.getBlock();
  BlockArgument target = op.getMatchingBlockArgument(solution.operand);
  llvm::SmallDenseSet<Value> dependent = getDependent(target);
  Value value = body->getTerminator()->getOperand(solution.result);
  InverseEdge &edge = solution.edge;
  edge.solved.push_back(solution.operand->get());
  edge.from.push_back(op->getResult(solution.result));
  edge.determinant = Determinant::One;
  llvm::SetVector<BlockArgument> arguments;
  llvm::SetVector<Value> captured;
  while (value != target) {
    Operation *inner = value.getDefiningOp();
    if (!inner || inner->getBlock() != body)
      return false;
    auto step = findStep(inner, value, dependent);
    if (!step)
      return false;
    const InverseEdge &scalar = step->second;
    for (Value read : scalar.from)
      if (read != value)
        getSources(read, body, arguments, captured);
    edge.kind = std::max(edge.kind, scalar.kind);
    edge.gain *= scalar.gain;
    // What is not known stays so.
    if (scalar.determinant != Determinant::One &&
        edge.determinant != Determinant::Unknown)
      edge.determinant = scalar.determinant;
    solution.steps.push_back(step->first);
    value = scalar.solved.front();
  }
  solution.arguments = arguments.takeVector();
  for (BlockArgument argument : solution.arguments)
    edge.from.push_back(op.getMatchingOpOperand(argument)->get());
  llvm::append_range(edge.from, captured);
  return true;
}

/// True if the start of sum number `k` is what its result is more than the sum
/// from zero: nothing else reads it, and the terms need not be known apart.
static bool isUndoableSum(LinalgOp op, unsigned k) {
  Value start = op.getDpsInitOperand(k)->get();
  if (getReduction(op, k).folding != Folding::Sum ||
      !isa<FloatType>(getElementTypeOrSelf(start.getType())) ||
      !op.getIndexingMapMatchingResult(op->getOpResult(k))
           .isProjectedPermutation() ||
      llvm::count(op->getOperands(), start) != 1)
    return false;
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  if (captured.contains(start))
    return false;
  // A running value that is rounded to another type on its way is no sum.
  llvm::SmallDenseSet<Value> running =
      getDependent(op.getRegionOutputArgs()[k]);
  return llvm::none_of(*op.getBlock(), [&](Operation &inner) {
    if (inner.getNumResults() != 1 || !running.contains(inner.getResult(0)))
      return false;
    return isa<arith::ExtFOp, arith::TruncFOp>(inner) || mayReassociate(&inner);
  });
}

/// How the operands of `op`, which has no reduction loops, follow from results.
static std::vector<Solution> getSolutions(LinalgOp op) {
  std::vector<Solution> solutions;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type || llvm::count(op->getOperands(), operand.get()) != 1 ||
        !op.payloadUsesValueFromOperand(&operand))
      continue;
    AffineMap loops =
        invertMap(op.getMatchingIndexingMap(&operand), type.getShape(), ranges);
    if (!loops)
      continue;
    for (OpResult result : op->getResults()) {
      if (!op.getIndexingMapMatchingResult(result).isPermutation())
        continue;
      Solution solution{&operand, result.getResultNumber(), loops, {}, {}, {}};
      if (solveBody(op, solution) &&
          !llvm::is_contained(solution.edge.from, operand.get())) {
        solutions.push_back(std::move(solution));
        break;
      }
    }
  }
  return solutions;
}

/// The results of `op` that are sums whose start can be had back.
static SmallVector<unsigned> getUndoableSums(LinalgOp op) {
  SmallVector<unsigned> sums;
  for (unsigned k = 0, e = op->getNumResults(); k < e; ++k)
    if (isUndoableSum(op, k))
      sums.push_back(k);
  return sums;
}

SmallVector<InverseEdge> memrev::getStructuredInverseEdges(LinalgOp op) {
  SmallVector<InverseEdge> edges;
  if (!op.hasPureTensorSemantics())
    return edges;
  if (op.getNumReductionLoops() == 0) {
    for (Solution &solution : getSolutions(op))
      edges.push_back(std::move(solution.edge));
    return edges;
  }
  for (unsigned k : getUndoableSums(op)) {
    // The other results are made again with the sum.
    Value start = op.getDpsInitOperand(k)->get();
    llvm::SetVector<Value> from;
    from.insert(op->getResult(k));
    from.insert(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), from);
    from.remove(start);
    edges.push_back(InverseEdge::moving({start}, from.getArrayRef()));
  }
  return edges;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

namespace {

/// Emits one solution.
class InverseEmitter {
public:
  InverseEmitter(LinalgOp op, DerivativeContext &ctx, const Solution &solution)
      : op(op), ctx(ctx), solution(solution), b(ctx.getBuilder()),
        loc(op.getLoc()) {}

  LogicalResult emit();

private:
  /// Emits the steps into scratch. Null after an error was reported.
  Value solveElement();
  /// Clones what `solved` is computed from to the builder, where `arguments`
  /// are the elements.
  Value cloneElement(OpBuilder &inner, Value solved, ValueRange arguments);

  LogicalResult addRead(Value scalar, Value tensor, AffineMap map);

  LinalgOp op;
  DerivativeContext &ctx;
  const Solution &solution;
  OpBuilder &b;
  Location loc;
  ScratchBody scratch;
  /// What each argument of scratch stands for.
  SmallVector<Value> scalars;
};

} // namespace

LogicalResult InverseEmitter::addRead(Value scalar, Value tensor,
                                      AffineMap map) {
  Value now = ctx.primal(tensor);
  if (!now)
    return failure();
  scratch.add(now, map.compose(solution.loops));
  scalars.push_back(scalar);
  return success();
}

Value InverseEmitter::solveElement() {
  Block &block = scratch.region.emplaceBlock();
  for (Value tensor : scratch.tensors)
    block.addArgument(getElementTypeOrSelf(tensor.getType()), loc);
  OpBuilder builder(b.getContext());
  builder.setInsertionPointToEnd(&block);
  std::unique_ptr<DerivativeContext> nested = ctx.nest(
      builder, op->getRegion(0), DerivativeContext::Fallback::Recompute);
  for (auto [scalar, argument] : llvm::zip_equal(scalars, block.getArguments()))
    nested->provide(scalar, argument);
  for (ScalarStep step : solution.steps)
    if (failed(step.op.buildInverse(*nested, step.edge)))
      return {};
  return nested->primal(op.getMatchingBlockArgument(solution.operand));
}

Value InverseEmitter::cloneElement(OpBuilder &inner, Value solved,
                                   ValueRange arguments) {
  IRMapping mapping;
  mapping.map(scratch.getBlock().getArguments(), arguments);
  llvm::SetVector<Operation *> ops;
  llvm::SetVector<Value> read;
  scratch.getSlice(solved, ops, read);
  for (Operation *scalar : ops) {
    auto index = dyn_cast<linalg::IndexOp>(scalar);
    if (!index) {
      inner.clone(*scalar, mapping);
      continue;
    }
    // The loops have other numbers and directions here.
    SmallVector<OpFoldResult> loops;
    for (unsigned i = 0, e = op.getNumLoops(); i < e; ++i)
      loops.push_back(linalg::IndexOp::create(inner, loc, i).getResult());
    OpFoldResult now = affine::makeComposedFoldedAffineApply(
        inner, loc, solution.loops.getSubMap({unsigned(index.getDim())}),
        loops);
    mapping.map(index.getResult(),
                getValueOrCreateConstantIndexOp(inner, loc, now));
  }
  return mapping.lookupOrDefault(solved);
}

LogicalResult InverseEmitter::emit() {
  OpResult result = op->getOpResult(solution.result);
  if (failed(
          addRead(op.getBlock()->getTerminator()->getOperand(solution.result),
                  result, op.getIndexingMapMatchingResult(result))))
    return failure();
  for (BlockArgument argument : solution.arguments) {
    OpOperand *operand = op.getMatchingOpOperand(argument);
    if (failed(addRead(argument, operand->get(),
                       op.getMatchingIndexingMap(operand))))
      return failure();
  }
  // What the body captures must not be asked for in the middle of it.
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  for (Value value : captured)
    if (llvm::is_contained(solution.edge.from, value) && !ctx.primal(value))
      return failure();
  Value solved = solveElement();
  if (!solved)
    return failure();

  // The result has an element for each element of the operand.
  AffineMap map = scratch.maps.front();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, loc, scratch.tensors.front());
  SmallVector<OpFoldResult> shape(sizes.size());
  for (auto [size, expr] : llvm::zip_equal(sizes, map.getResults()))
    for (unsigned i = 0, e = shape.size(); i < e; ++i)
      if (expr.isFunctionOfDim(i))
        shape[i] = size;
  auto type = cast<RankedTensorType>(solution.operand->get().getType());
  Value empty = tensor::EmptyOp::create(b, loc, shape, type.getElementType(),
                                        type.getEncoding());
  SmallVector<AffineMap> maps = scratch.maps;
  maps.push_back(b.getMultiDimIdentityMap(shape.size()));
  SmallVector<utils::IteratorType> iterators(shape.size(),
                                             utils::IteratorType::parallel);
  Value operand = linalg::GenericOp::create(
                      b, loc, TypeRange{empty.getType()}, scratch.tensors,
                      ValueRange{empty}, maps, iterators,
                      [&](OpBuilder &inner, Location at, ValueRange arguments) {
                        Value element =
                            cloneElement(inner, solved, arguments.drop_back());
                        linalg::YieldOp::create(inner, at, element);
                      })
                      .getResult(0);
  if (operand.getType() != type)
    operand = tensor::CastOp::create(b, loc, type, operand);
  if (solution.steps.empty())
    provideMoved(ctx, solution.operand->get(), operand, result);
  else
    ctx.provide(solution.operand->get(), operand, Precision::Rounded);
  return success();
}

/// Emits the start of sum number `k`.
static LogicalResult buildStart(LinalgOp op, DerivativeContext &ctx,
                                unsigned k) {
  OpBuilder &b = ctx.getBuilder();
  Value start = op.getDpsInitOperand(k)->get();
  Value result = ctx.primal(op->getResult(k));
  if (!result)
    return failure();
  IRMapping mapping;
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  for (Value value : used) {
    Value now = value == start
                    ? ctx.zero(start.getType(), op->getResult(k), op.getLoc())
                    : ctx.primal(value);
    if (!now)
      return failure();
    mapping.map(value, now);
  }
  Operation *again = b.clone(*op, mapping);
  ctx.provide(
      start, arith::SubFOp::create(b, op.getLoc(), result, again->getResult(k)),
      Precision::Rounded);
  return success();
}

LogicalResult memrev::buildStructuredInverse(LinalgOp op,
                                             DerivativeContext &ctx,
                                             unsigned edge) {
  if (op.getNumReductionLoops() != 0)
    return buildStart(op, ctx, getUndoableSums(op)[edge]);
  return InverseEmitter(op, ctx, getSolutions(op)[edge]).emit();
}
