//===- SplitReductions.cpp - Reductions in two steps ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Problem.h"
#include "memrev/Codegen/GPU/Passes.h"
#include "memrev/Codegen/GPU/Strategy.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_GPUSPLITREDUCTIONS
#include "memrev/Codegen/GPU/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;

namespace {
/// How one operation is split. Whole reduction dimensions are promoted to
/// parallel ones, and at most one is divided: into `chunks` parallel parts of
/// strided elements, so that neighbouring threads read neighbours in memory.
struct SplitPlan {
  SmallVector<unsigned> promoted;
  std::optional<unsigned> divided;
  int64_t chunks = 1;
  /// For each result, the operation that combines two partial ones and its
  /// neutral element.
  SmallVector<Operation *> combiners;
  SmallVector<TypedAttr> neutral;
};

/// Rewrites one operation by a plan.
class Splitter {
public:
  Splitter(OpBuilder &builder, linalg::LinalgOp op, SplitPlan plan);

  /// Replaces the operation. Returns those that reduce the partial results and
  /// the tail, as far as they may have to be split in their turn.
  SmallVector<linalg::LinalgOp> split();

private:
  linalg::GenericOp createPartial();
  linalg::GenericOp createCombine(linalg::GenericOp partial);
  linalg::GenericOp createTail(linalg::GenericOp combined);

  /// Slices the index of `operand` that the divided dimension selects.
  Value slice(OpOperand &operand, OpFoldResult offset, OpFoldResult size);
  /// Expands that index into one for the element and one for the chunk.
  Value divide(OpOperand &operand);
  /// Returns `map` with the chunk's dimension, which comes last.
  AffineMap divideMap(AffineMap map);

  OpBuilder &b;
  linalg::LinalgOp op;
  SplitPlan plan;
  Location loc;
  SmallVector<Range, 4> ranges;
  SmallVector<utils::IteratorType> iterators;
  /// Elements in a chunk, in all chunks together, and in the tail.
  OpFoldResult perChunk, covered, left;
};
} // namespace

Splitter::Splitter(OpBuilder &builder, linalg::LinalgOp op, SplitPlan plan)
    : b(builder), op(op), plan(std::move(plan)), loc(op.getLoc()),
      ranges(op.createLoopRanges(builder, loc)),
      iterators(op.getIteratorTypesArray()) {
  if (!this->plan.divided)
    return;
  AffineExpr size = b.getAffineDimExpr(0);
  OpFoldResult range = ranges[*this->plan.divided].size;
  int64_t chunks = this->plan.chunks;
  auto apply = [&](AffineExpr expr) {
    return affine::makeComposedFoldedAffineApply(b, loc, expr, {range});
  };
  perChunk = apply(size.floorDiv(chunks));
  covered = apply(size.floorDiv(chunks) * chunks);
  left = apply(size % chunks);
}

Value Splitter::slice(OpOperand &operand, OpFoldResult offset,
                      OpFoldResult size) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!plan.divided || !map.isFunctionOfDim(*plan.divided))
    return operand.get();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, loc, operand.get());
  SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  for (auto [position, result] : llvm::enumerate(map.getResults()))
    if (result.isFunctionOfDim(*plan.divided)) {
      offsets[position] = offset;
      sizes[position] = size;
    }
  return tensor::ExtractSliceOp::create(b, loc, operand.get(), offsets, sizes,
                                        strides);
}

Value Splitter::divide(OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!plan.divided || !map.isFunctionOfDim(*plan.divided))
    return operand.get();
  Value source = getConstantIntValue(left) == 0
                     ? operand.get()
                     : slice(operand, b.getIndexAttr(0), covered);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, source);
  SmallVector<OpFoldResult> shape;
  SmallVector<ReassociationIndices> groups;
  for (auto [result, size] : llvm::zip_equal(map.getResults(), sizes)) {
    ReassociationIndices &group = groups.emplace_back();
    group.push_back(shape.size());
    if (!result.isFunctionOfDim(*plan.divided)) {
      shape.push_back(size);
      continue;
    }
    group.push_back(shape.size() + 1);
    shape.push_back(perChunk);
    shape.push_back(b.getIndexAttr(plan.chunks));
  }
  SmallVector<int64_t> staticShape = decomposeMixedValues(shape).first;
  auto type = RankedTensorType::get(staticShape,
                                    getElementTypeOrSelf(source.getType()));
  return tensor::ExpandShapeOp::create(b, loc, type, source, groups, shape);
}

AffineMap Splitter::divideMap(AffineMap map) {
  if (!plan.divided)
    return map;
  unsigned chunk = map.getNumDims();
  SmallVector<AffineExpr> results;
  for (AffineExpr result : map.getResults()) {
    results.push_back(result);
    if (result.isFunctionOfDim(*plan.divided))
      results.push_back(b.getAffineDimExpr(chunk));
  }
  return AffineMap::get(chunk + 1, 0, results, b.getContext());
}

linalg::GenericOp Splitter::createPartial() {
  SmallVector<utils::IteratorType> types = iterators;
  SmallVector<AffineExpr> newDims;
  SmallVector<OpFoldResult> newSizes;
  for (unsigned dim : plan.promoted) {
    types[dim] = utils::IteratorType::parallel;
    newDims.push_back(b.getAffineDimExpr(dim));
    newSizes.push_back(ranges[dim].size);
  }
  if (plan.divided) {
    newDims.push_back(b.getAffineDimExpr(types.size()));
    newSizes.push_back(b.getIndexAttr(plan.chunks));
    types.push_back(utils::IteratorType::parallel);
  }

  SmallVector<AffineMap> maps;
  SmallVector<Value> inputs, outputs;
  for (OpOperand *input : op.getDpsInputOperands()) {
    inputs.push_back(divide(*input));
    maps.push_back(divideMap(op.getMatchingIndexingMap(input)));
  }
  for (auto [init, neutral] :
       llvm::zip_equal(op.getDpsInitsMutable(), plan.neutral)) {
    SmallVector<AffineExpr> results = newDims;
    SmallVector<OpFoldResult> sizes = newSizes;
    AffineMap map = op.getMatchingIndexingMap(&init);
    for (AffineExpr result : map.getResults()) {
      results.push_back(result);
      sizes.push_back(ranges[cast<AffineDimExpr>(result).getPosition()].size);
    }
    maps.push_back(AffineMap::get(types.size(), 0, results, b.getContext()));
    Value empty = tensor::EmptyOp::create(
        b, loc, sizes, getElementTypeOrSelf(init.get().getType()));
    Value value = arith::ConstantOp::create(b, loc, neutral);
    outputs.push_back(
        linalg::FillOp::create(b, loc, value, empty).getResult(0));
  }
  auto partial = linalg::GenericOp::create(
      b, loc, ValueRange(outputs).getTypes(), inputs, outputs, maps, types);
  b.cloneRegionBefore(op->getRegion(0), partial.getRegion(),
                      partial.getRegion().begin());
  return partial;
}

linalg::GenericOp Splitter::createCombine(linalg::GenericOp partial) {
  // First the parallel dimensions of the original, then the new ones, which
  // are reduced in this order.
  SmallVector<unsigned> parallelDims;
  op.getParallelDims(parallelDims);
  unsigned numNew = plan.promoted.size() + (plan.divided ? 1 : 0);
  unsigned numDims = parallelDims.size() + numNew;
  SmallVector<AffineExpr> renumbered(op.getNumLoops());
  for (auto [position, dim] : llvm::enumerate(parallelDims))
    renumbered[dim] = b.getAffineDimExpr(position);
  SmallVector<utils::IteratorType> types(parallelDims.size(),
                                         utils::IteratorType::parallel);
  types.append(numNew, utils::IteratorType::reduction);

  SmallVector<AffineMap> partialMaps, maps;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    SmallVector<AffineExpr> outer, results;
    for (unsigned i = 0; i < numNew; ++i)
      outer.push_back(b.getAffineDimExpr(parallelDims.size() + i));
    for (AffineExpr result : op.getMatchingIndexingMap(&init).getResults())
      results.push_back(renumbered[cast<AffineDimExpr>(result).getPosition()]);
    maps.push_back(AffineMap::get(numDims, 0, results, b.getContext()));
    outer.append(results);
    partialMaps.push_back(AffineMap::get(numDims, 0, outer, b.getContext()));
  }
  partialMaps.append(maps);
  return linalg::GenericOp::create(
      b, loc, op->getResultTypes(), partial.getResults(), op.getDpsInits(),
      partialMaps, types,
      [&](OpBuilder &nested, Location bodyLoc, ValueRange arguments) {
        SmallVector<Value> results;
        unsigned numResults = plan.combiners.size();
        for (auto [i, combiner] : llvm::enumerate(plan.combiners)) {
          BlockArgument original = op.getRegionOutputArgs()[i];
          IRMapping mapping;
          for (Value operand : combiner->getOperands())
            mapping.map(operand, operand == original ? arguments[numResults + i]
                                                     : arguments[i]);
          results.push_back(nested.clone(*combiner, mapping)->getResult(0));
        }
        linalg::YieldOp::create(nested, bodyLoc, results);
      });
}

linalg::GenericOp Splitter::createTail(linalg::GenericOp combined) {
  SmallVector<Value> inputs;
  for (OpOperand *input : op.getDpsInputOperands())
    inputs.push_back(slice(*input, covered, left));
  auto tail = linalg::GenericOp::create(b, loc, op->getResultTypes(), inputs,
                                        combined.getResults(),
                                        op.getIndexingMapsArray(), iterators);
  b.cloneRegionBefore(op->getRegion(0), tail.getRegion(),
                      tail.getRegion().begin());
  return tail;
}

SmallVector<linalg::LinalgOp> Splitter::split() {
  linalg::GenericOp partial = createPartial();
  linalg::GenericOp combined = createCombine(partial);
  SmallVector<linalg::LinalgOp> next = {combined};
  linalg::GenericOp last = combined;
  if (plan.divided && getConstantIntValue(left) != 0) {
    last = createTail(combined);
    // A tail of unknown length is shorter than the number of chunks, and to
    // split it would leave another one.
    if (getConstantIntValue(left))
      next.push_back(last);
  }
  op->replaceAllUsesWith(last->getResults());
  op->erase();
  return next;
}

/// Returns true if each operand that `dim` selects elements of has an index
/// that is `dim` alone, which can be sliced and expanded.
static bool canDivide(linalg::LinalgOp op, unsigned dim) {
  if (op.hasIndexSemantics())
    return false;
  return llvm::all_of(op.getIndexingMapsArray(), [&](AffineMap map) {
    return llvm::all_of(map.getResults(), [&](AffineExpr result) {
      return isa<AffineDimExpr>(result) || !result.isFunctionOfDim(dim);
    });
  });
}

/// Returns true if every output has exactly the parallel dimensions of `op`
/// for its indices, so that a partial result is a copy of it for each chunk.
static bool haveOutputsAllParallelDims(linalg::LinalgOp op) {
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    return map.isProjectedPermutation() &&
           map.getNumResults() == op.getNumParallelLoops() &&
           llvm::all_of(map.getResults(), [&](AffineExpr result) {
             unsigned dim = cast<AffineDimExpr>(result).getPosition();
             return iterators[dim] == utils::IteratorType::parallel;
           });
  });
}

/// Finds the combiners of `op`; fails if a result is not accumulated by one
/// operation with a neutral element.
static LogicalResult matchCombiners(linalg::LinalgOp op, SplitPlan &plan) {
  Block *body = op.getBlock();
  for (auto [argument, yielded] : llvm::zip_equal(
           op.getRegionOutputArgs(), body->getTerminator()->getOperands())) {
    Operation *combiner = yielded.getDefiningOp();
    if (!combiner || combiner->getBlock() != body ||
        combiner->getNumOperands() != 2 || combiner->getNumResults() != 1 ||
        !yielded.hasOneUse() || !argument.hasOneUse() ||
        *argument.getUsers().begin() != combiner)
      return failure();
    std::optional<TypedAttr> neutral = memrev::getNeutralElement(combiner);
    if (!neutral)
      return failure();
    plan.combiners.push_back(combiner);
    plan.neutral.push_back(*neutral);
  }
  return success();
}

/// Chooses which dimensions of `op` to make parallel; none if it is left whole.
static std::optional<SplitPlan> planSplit(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumReductionLoops() == 0 ||
      op.getBlock()->getNumArguments() != op->getNumOperands() ||
      !haveOutputsAllParallelDims(op))
    return std::nullopt;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<unsigned> parallelDims, reductionDims;
  op.getParallelDims(parallelDims);
  op.getReductionDims(reductionDims);
  auto product = [&](ArrayRef<unsigned> dims) {
    int64_t result = 1;
    for (unsigned dim : dims)
      if (ShapedType::isDynamic(sizes[dim]) ||
          llvm::MulOverflow(result, sizes[dim], result))
        return ShapedType::kDynamic;
    return result;
  };
  int64_t wanted = memrev::chooseReductionChunks(product(parallelDims),
                                                 product(reductionDims));
  if (wanted <= 1)
    return std::nullopt;

  SplitPlan plan;
  if (failed(matchCombiners(op, plan))) {
    remark::missed(op.getLoc(), remark::RemarkOpts::name("SplitReductions")
                                    .category("gpu-split-reductions"))
        << "a reduction runs on few threads: its body is not one associative "
           "operation for each result";
    return std::nullopt;
  }
  // Outer dimensions first, so that what stays sequential is close in memory.
  for (unsigned dim : reductionDims) {
    int64_t size = sizes[dim];
    if (size <= 1 && !ShapedType::isDynamic(size))
      continue;
    if (!ShapedType::isDynamic(size) && size <= wanted) {
      plan.promoted.push_back(dim);
      wanted /= size;
    } else if (!plan.divided && wanted > 1 && canDivide(op, dim)) {
      plan.divided = dim;
      plan.chunks = memrev::chooseChunksOfDimension(size, wanted);
      wanted = 1;
    }
  }
  if (plan.promoted.empty() && !plan.divided)
    return std::nullopt;
  return plan;
}

namespace {
struct GPUSplitReductions
    : memrev::impl::GPUSplitReductionsBase<GPUSplitReductions> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> worklist;
    getOperation().walk([&](linalg::LinalgOp op) { worklist.push_back(op); });
    while (!worklist.empty()) {
      linalg::LinalgOp op = worklist.pop_back_val();
      std::optional<SplitPlan> plan = planSplit(op);
      if (!plan)
        continue;
      OpBuilder builder(op);
      worklist.append(Splitter(builder, op, std::move(*plan)).split());
    }
  }
};
} // namespace
