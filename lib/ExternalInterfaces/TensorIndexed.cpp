//===- TensorIndexed.cpp - Rules of tensor operations on indices ----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations whose derivative is a loop over indices: gather and scatter, and
// regions that compute an element from its indices. A loop updates what it
// carries in place, so that indices that repeat add up.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// Loops over indices
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>> memrev::buildLoop(DerivativeContext &ctx,
                                                Location loc,
                                                ArrayRef<OpFoldResult> sizes,
                                                ValueRange inits,
                                                LoopBody body) {
  OpBuilder &b = ctx.getBuilder();
  if (sizes.empty())
    return body(b, {}, inits);
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  SmallVector<Value> extents;
  for (OpFoldResult size : sizes)
    extents.push_back(getValueOrCreateConstantIndexOp(b, loc, size));
  Value count = extents.front();
  for (Value extent : ArrayRef(extents).drop_front())
    count = arith::MulIOp::create(b, loc, count, extent);
  auto loop = scf::ForOp::create(b, loc, zero, count, one, inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop);
  OpBuilder inner = OpBuilder::atBlockEnd(loop.getBody());
  SmallVector<Value> indices(extents.size());
  Value rest = loop.getInductionVar();
  for (size_t i = extents.size() - 1; i > 0; --i) {
    indices[i] = arith::RemUIOp::create(inner, loc, rest, extents[i]);
    rest = arith::DivUIOp::create(inner, loc, rest, extents[i]);
  }
  indices[0] = rest;
  FailureOr<SmallVector<Value>> yields =
      body(inner, indices, loop.getRegionIterArgs());
  if (failed(yields))
    return failure();
  scf::YieldOp::create(inner, loc, *yields);
  return SmallVector<Value>(loop.getResults());
}

LogicalResult memrev::buildElementsVJP(
    Operation *op, Value cotangent, DerivativeContext &ctx,
    function_ref<Value(OpBuilder &, ValueRange)> isComputed) {
  Region &region = op->getRegion(0);
  Block &block = region.front();
  Value yielded = block.getTerminator()->getOperand(0);
  if (!ctx.isActive(yielded))
    return success();
  Location loc = op->getLoc();
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(region, used);
  SmallVector<Value> captured, sums;
  for (Value value : used)
    if (ctx.isActive(value))
      captured.push_back(value);
  if (failed(ctx.takeSums(captured, sums)))
    return failure();
  SmallVector<Operation *> ops;
  for (Operation &inner : block.without_terminator())
    ops.push_back(&inner);

  auto differentiate =
      [&](OpBuilder &b, ValueRange indices,
          ValueRange carried) -> FailureOr<SmallVector<Value>> {
    std::unique_ptr<DerivativeContext> nested =
        ctx.nest(b, region, DerivativeContext::Fallback::Recompute);
    for (auto [argument, index] :
         llvm::zip_equal(block.getArguments(), indices))
      nested->provide(argument, index);
    // Accumulators first: a cotangent that starts as a part of one must find
    // it.
    for (auto [value, sum] : llvm::zip_equal(captured, carried))
      nested->setCotangent(value, sum);
    nested->accumulate(yielded,
                       tensor::ExtractOp::create(b, loc, cotangent, indices));
    if (failed(nested->differentiate(ops)))
      return failure();
    SmallVector<Value> yields;
    for (Value value : captured) {
      yields.push_back(nested->accumulator(value));
      if (!yields.back())
        return failure();
    }
    return yields;
  };
  auto body = [&](OpBuilder &b, ValueRange indices,
                  ValueRange carried) -> FailureOr<SmallVector<Value>> {
    if (!isComputed)
      return differentiate(b, indices, carried);
    auto branch =
        scf::IfOp::create(b, loc, carried.getTypes(), isComputed(b, indices),
                          /*withElseRegion=*/true);
    // What the branch needs from outside is emitted before it. Without a loop
    // it stands where the context emits.
    OpBuilder::InsertionGuard guard(ctx.getBuilder());
    if (&b == &ctx.getBuilder())
      b.setInsertionPoint(branch);
    OpBuilder then = branch.getThenBodyBuilder();
    FailureOr<SmallVector<Value>> yields =
        differentiate(then, indices, carried);
    if (failed(yields))
      return failure();
    scf::YieldOp::create(then, loc, *yields);
    OpBuilder otherwise = branch.getElseBodyBuilder();
    scf::YieldOp::create(otherwise, loc, carried);
    return SmallVector<Value>(branch.getResults());
  };
  FailureOr<SmallVector<Value>> results = buildLoop(
      ctx, loc, tensor::getMixedSizes(ctx.getBuilder(), loc, cotangent), sums,
      body);
  if (failed(results))
    return failure();
  ctx.returnSums(captured, *results);
  return success();
}

namespace {

//===----------------------------------------------------------------------===//
// generate
//===----------------------------------------------------------------------===//

struct GenerateModel
    : DifferentiableOpInterface::ExternalModel<GenerateModel,
                                               tensor::GenerateOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    // The region is evaluated again for each element.
    llvm::SetVector<Value> used;
    getUsedValuesDefinedAbove(op->getRegion(0), used);
    for (Value value : used)
      residuals.push_back(value);
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    return buildElementsVJP(op, ctx.cotangent(op->getResult(0)), ctx);
  }
};

//===----------------------------------------------------------------------===//
// gather
//===----------------------------------------------------------------------===//

/// The box of a tensor of which `whole` is all that the coordinates number
/// `lead` select: one element in each of `dims`, everything in the others.
Slice getSelectedBox(OpBuilder &b, Location loc, Slice whole, Value indices,
                     ValueRange lead, ArrayRef<int64_t> dims) {
  for (auto [k, dim] : llvm::enumerate(dims)) {
    SmallVector<Value> position(lead);
    position.push_back(arith::ConstantIndexOp::create(b, loc, k));
    Value coordinate = tensor::ExtractOp::create(b, loc, indices, position);
    if (!coordinate.getType().isIndex())
      coordinate =
          arith::IndexCastOp::create(b, loc, b.getIndexType(), coordinate);
    whole.offsets[dim] = coordinate;
    whole.sizes[dim] = b.getIndexAttr(1);
  }
  return whole;
}

/// The box of a gathered tensor of which `whole` is all that belongs to the
/// coordinates number `lead`.
Slice getGatheredBox(OpBuilder &b, Slice whole, ValueRange lead) {
  for (auto [i, index] : llvm::enumerate(lead)) {
    whole.offsets[i] = index;
    whole.sizes[i] = b.getIndexAttr(1);
  }
  return whole;
}

struct GatherModel
    : DifferentiableOpInterface::ExternalModel<GatherModel, tensor::GatherOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    auto gather = cast<tensor::GatherOp>(op);
    residuals.push_back(gather.getIndices());
    if (!gather.getSourceType().hasStaticShape())
      residuals.push_back(gather.getSource());
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto gather = cast<tensor::GatherOp>(op);
    Location loc = op->getLoc();
    Value indices = ctx.primal(gather.getIndices());
    // One element may be read often: its sum is rounded once.
    Type elementType = gather.getSourceType().getElementType();
    WideSum wide(ctx, gather.getSource(), elementType, loc);
    Value sum = wide.getStart();
    if (!indices || !sum)
      return failure();
    Value cotangent = buildTensorCast(ctx.getBuilder(), loc,
                                      ctx.cotangent(gather.getResult()),
                                      getElementTypeOrSelf(sum.getType()));
    auto cotangentType = cast<RankedTensorType>(cotangent.getType());
    auto type = cast<RankedTensorType>(sum.getType());
    ArrayRef<int64_t> dims = gather.getGatherDims();
    // What is selected, without the dimensions that have one element.
    SmallVector<int64_t> shape;
    for (auto [i, size] : llvm::enumerate(type.getShape()))
      if (!llvm::is_contained(dims, i))
        shape.push_back(size);
    auto partType = RankedTensorType::get(shape, type.getElementType());
    // Of several unit dimensions upstream cannot tell which one is dropped.
    bool byElement = shape.empty() || llvm::is_contained(shape, 1);
    int64_t numLead = gather.getIndicesType().getRank() - 1;
    bool isReduced = cotangentType.getRank() - numLead != type.getRank();

    // Sizes are read outside of the loops, so that a derivative of them stores
    // nothing.
    Slice wholeSum = getWhole(ctx.getBuilder(), loc, sum);
    Slice wholeCotangent = getWhole(ctx.getBuilder(), loc, cotangent);
    auto body = [&](OpBuilder &b, ValueRange lead,
                    ValueRange carried) -> FailureOr<SmallVector<Value>> {
      Value old = carried.front();
      Slice target = getSelectedBox(b, loc, wholeSum, indices,
                                    lead.take_front(numLead), dims);
      if (byElement) {
        SmallVector<Value> from(lead.take_front(numLead)), to;
        ValueRange kept = lead.drop_front(numLead);
        for (int64_t i = 0; i < type.getRank(); ++i) {
          if (!llvm::is_contained(dims, i)) {
            from.push_back(kept.front());
            to.push_back(kept.front());
            kept = kept.drop_front();
            continue;
          }
          if (!isReduced)
            from.push_back(arith::ConstantIndexOp::create(b, loc, 0));
          to.push_back(
              getValueOrCreateConstantIndexOp(b, loc, target.offsets[i]));
        }
        Value part = tensor::ExtractOp::create(b, loc, cotangent, from);
        Value total = buildScalarSum(
            b, loc, tensor::ExtractOp::create(b, loc, old, to), part);
        return SmallVector<Value>{
            tensor::InsertOp::create(b, loc, total, old, to)};
      }
      Slice from = getGatheredBox(b, wholeCotangent, lead);
      Value part = tensor::ExtractSliceOp::create(
          b, loc, partType, cotangent, from.offsets, from.sizes, from.strides);
      return SmallVector<Value>{buildAddToSlice(b, loc, part, old, target)};
    };
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(ctx.getBuilder(), loc, indices);
    sizes.pop_back();
    for (int64_t i = 0; byElement && i < type.getRank(); ++i)
      if (!llvm::is_contained(dims, i))
        sizes.push_back(wholeSum.sizes[i]);
    FailureOr<SmallVector<Value>> result =
        buildLoop(ctx, loc, sizes, sum, body);
    if (failed(result))
      return failure();
    wide.finish(result->front());
    return success();
  }
};

/// The constant that `value` has the elements of, in the same order.
static DenseIntElementsAttr getConstantElements(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_present<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                         tensor::CastOp, arith::IndexCastOp>(op))
    op = op->getOperand(0).getDefiningOp();
  auto constant = dyn_cast_if_present<arith::ConstantOp>(op);
  return constant ? dyn_cast<DenseIntElementsAttr>(constant.getValue())
                  : DenseIntElementsAttr();
}

/// A gather by a constant permutation of what the first dimension numbers gives
/// its source back, gathered by the inverse permutation.
struct GatherInverse
    : InvertibleOpInterface::ExternalModel<GatherInverse, tensor::GatherOp> {
  SmallVector<InverseEdge> getInverseEdges(Operation *op) const {
    auto gather = cast<tensor::GatherOp>(op);
    if (getPermutation(gather).empty())
      return {};
    return {InverseEdge::moving({gather.getSource()}, {gather.getResult()})};
  }

  LogicalResult buildInverse(Operation *op, DerivativeContext &ctx,
                             unsigned) const {
    auto gather = cast<tensor::GatherOp>(op);
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value result = ctx.primal(gather.getResult());
    if (!result)
      return failure();
    RankedTensorType type = gather.getSourceType();
    if (gather.getResultType().getRank() != type.getRank()) {
      // The dimension that is gathered is there as one element.
      SmallVector<ReassociationIndices> groups = {{0}};
      for (int64_t i = 1, e = type.getRank(); i <= e; ++i) {
        if (i == 1 && e > 1)
          groups.push_back({i, i + 1});
        else if (i == 1)
          groups.front().push_back(i);
        else if (i > 2)
          groups.push_back({i});
      }
      result = tensor::CollapseShapeOp::create(b, loc, type, result, groups);
    }
    SmallVector<int64_t> inverse =
        invertPermutationVector(getPermutation(gather));
    auto indexType =
        RankedTensorType::get({int64_t(inverse.size()), 1}, b.getIndexType());
    Value indices = arith::ConstantOp::create(
        b, loc, DenseIntElementsAttr::get(indexType, inverse));
    Value source = tensor::GatherOp::create(
        b, loc, type, result, indices, gather.getGatherDims(), /*unique=*/true);
    provideMoved(ctx, gather.getSource(), source, gather.getResult());
    return success();
  }

private:
  /// The permutation that `gather` is, or none.
  static SmallVector<int64_t> getPermutation(tensor::GatherOp gather) {
    RankedTensorType type = gather.getSourceType();
    DenseIntElementsAttr elements = getConstantElements(gather.getIndices());
    if (!elements || !type.hasStaticShape() ||
        gather.getGatherDims() != ArrayRef<int64_t>{0} ||
        gather.getIndicesType().getRank() != 2 ||
        elements.getNumElements() != type.getDimSize(0))
      return {};
    SmallVector<int64_t> permutation;
    for (const APInt &element : elements.getValues<APInt>())
      permutation.push_back(element.getSExtValue());
    if (!isPermutationVector(permutation))
      return {};
    return permutation;
  }
};

//===----------------------------------------------------------------------===//
// scatter
//===----------------------------------------------------------------------===//

/// The indices of a scatter do not repeat, so what it overwrites has no
/// influence and what it writes has all of it.
struct ScatterModel
    : DifferentiableOpInterface::ExternalModel<ScatterModel,
                                               tensor::ScatterOp> {
  void getResiduals(Operation *op, function_ref<bool(Value)>,
                    SmallVectorImpl<Residual> &residuals) const {
    auto scatter = cast<tensor::ScatterOp>(op);
    residuals.push_back(scatter.getIndices());
    if (!scatter.getSourceType().hasStaticShape())
      residuals.push_back(scatter.getSource());
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    auto scatter = cast<tensor::ScatterOp>(op);
    OpBuilder &b = ctx.getBuilder();
    Location loc = op->getLoc();
    Value indices = ctx.primal(scatter.getIndices());
    if (!indices)
      return failure();
    Value cotangent = ctx.cotangent(scatter.getResult());
    if (ctx.isActive(scatter.getSource()))
      ctx.accumulate(scatter.getSource(),
                     tensor::GatherOp::create(
                         b, loc, scatter.getSourceType(), cotangent, indices,
                         scatter.getScatterDims(), scatter.getUnique()));
    if (ctx.isActive(scatter.getDest())) {
      Value zeros = ctx.zero(scatter.getSourceType(), scatter.getSource(), loc);
      if (!zeros)
        return failure();
      ctx.accumulate(scatter.getDest(),
                     tensor::ScatterOp::create(
                         b, loc, cotangent.getType(), zeros, cotangent, indices,
                         scatter.getScatterDims(), scatter.getUnique()));
    }
    return success();
  }
};

} // namespace

void memrev::registerTensorIndexedModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, tensor::TensorDialect *) {
    using namespace tensor;
    GatherOp::attachInterface<GatherModel, GatherInverse>(*c);
    GenerateOp::attachInterface<GenerateModel>(*c);
    ScatterOp::attachInterface<ScatterModel>(*c);
  });
}
