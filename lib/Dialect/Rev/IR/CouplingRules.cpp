//===- CouplingRules.cpp - Inverse and derivative of rev.coupling ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::rev;

//===----------------------------------------------------------------------===//
// Inverse
//===----------------------------------------------------------------------===//

namespace {

/// The one evaluation of a coupling's region in the reverse part.
struct Evaluation {
  SmallVector<Operation *> clones;
  SmallVector<Value> parameters, auxiliary;
  /// The auxiliary results that what the clone yields stands for: it has their
  /// cotangents. What is yielded twice, or not computed by the region, has a
  /// name of its own; so has a view, whose cotangent is a part of another one.
  llvm::SmallBitVector isNamed;
};

} // namespace

/// Evaluates the region of `op`, unless that is done already.
static FailureOr<Evaluation> evaluateRegion(CouplingOp op,
                                            DerivativeContext &ctx) {
  Evaluation result;
  Block &body = op.getBody().front();
  SmallVector<Value> yields;
  bool isKnown = ctx.getRecomputed(body, result.clones, yields);
  if (!isKnown &&
      failed(ctx.recompute(body, op.getGiven(), result.clones, yields)))
    return failure();
  auto firstAuxiliary = yields.begin() + op.getParameters().size();
  result.parameters.assign(yields.begin(), firstAuxiliary);
  result.auxiliary.assign(firstAuxiliary, yields.end());
  result.isNamed.resize(result.auxiliary.size());
  llvm::SmallPtrSet<Operation *, 16> clones(result.clones.begin(),
                                            result.clones.end());
  llvm::SmallDenseSet<Value> taken;
  for (auto [i, value] : llvm::enumerate(result.auxiliary))
    result.isNamed[i] = clones.contains(value.getDefiningOp()) &&
                        !isView(value) && taken.insert(value).second;
  if (isKnown)
    return result;
  for (unsigned i : result.isNamed.set_bits())
    ctx.provide(op.getAuxiliary()[i], result.auxiliary[i]);
  return result;
}

SmallVector<InverseEdge> CouplingOp::getInverseEdges() {
  llvm::SetVector<Value> from;
  from.insert(getResult());
  from.insert(getGiven().begin(), getGiven().end());
  getUsedValuesDefinedAbove(getBody(), from);
  InverseEdge edge{{getCoupled()}, SmallVector<Value>(from.getArrayRef())};
  if (getLogDet())
    edge.solved.push_back(getLogDet());
  llvm::append_range(edge.solved, getAuxiliary());
  // The region and a scale have gains that nobody knows but the program.
  auto gain = (*this)->getAttrOfType<FloatAttr>(kGainAttrName);
  edge.gain = gain ? gain.getValueAsDouble() : 0;
  return {edge};
}

LogicalResult CouplingOp::buildInverse(DerivativeContext &ctx, unsigned) {
  // Somebody may have asked for the coupled value before its turn.
  if (ctx.isRounded(getCoupled()))
    return success();
  FailureOr<Evaluation> evaluation = evaluateRegion(*this, ctx);
  if (failed(evaluation))
    return failure();
  Value result = ctx.primal(getResult());
  if (!result)
    return failure();
  Value coupled = applyBijection(ctx.getBuilder(), result,
                                 evaluation->parameters, /*inverse=*/true);
  ctx.provide(getCoupled(), coupled, Precision::Rounded);
  // Evaluated again, as the region is, for the inverse of what adds it up. It
  // is dead where nobody asks.
  if (getLogDet())
    ctx.provide(getLogDet(),
                buildLogDet(ctx.getBuilder(), coupled, evaluation->parameters));
  return success();
}

//===----------------------------------------------------------------------===//
// Derivative
//===----------------------------------------------------------------------===//

namespace {

/// The derivative of the scalar bijection: a block with arguments for x, the
/// parameters, the cotangent of y and that of the log-determinant.
class BijectionDerivative {
public:
  BijectionDerivative(CouplingOp op, DerivativeContext &ctx)
      : op(op), ctx(ctx), loc(op.getLoc()) {}

  /// `parameters` are what the region yields in its clone.
  LogicalResult build(ValueRange parameters);

  /// Emits the cotangents of the parameters and accumulates them.
  LogicalResult emitParameters(ValueRange parameters);

  /// Emits the cotangent of the coupled value, over that of the result.
  LogicalResult emitCoupled();

private:
  /// One elementwise operation for the partial derivatives `scalars`. With
  /// `overwrites` it takes the place of the result's cotangent.
  SmallVector<Value> emit(ArrayRef<Value> scalars, bool overwrites);

  CouplingOp op;
  DerivativeContext &ctx;
  Location loc;
  Region scratch;
  /// What each argument of the block stands for, and where it is read.
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  /// The argument for the cotangent of the result, if it has one.
  Value cotangentScalar;
  SmallVector<Value> parameterScalars;
  Value coupledScalar;
};

} // namespace

LogicalResult BijectionDerivative::build(ValueRange parameters) {
  OpBuilder &b = ctx.getBuilder();
  auto type = cast<RankedTensorType>(op.getCoupled().getType());
  Block &block = scratch.emplaceBlock();
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  auto add = [&](Value tensor, AffineMap map) {
    tensors.push_back(tensor);
    maps.push_back(map);
    return block.addArgument(type.getElementType(), loc);
  };
  Value coupled = ctx.primal(op.getCoupled());
  if (!coupled)
    return failure();
  Value x = add(coupled, identity);
  SmallVector<Value> p;
  for (Value parameter : parameters)
    p.push_back(add(parameter, identity));

  OpBuilder builder(op.getContext());
  builder.setInsertionPointToEnd(&block);
  BijectionAttrInterface kind = op.getKind();
  Value y = kind.buildForward(builder, loc, x, p);
  Value logDerivative;
  if (op.getLogDet() && ctx.cotangent(op.getLogDet()))
    logDerivative = kind.buildLogDerivative(builder, loc, x, p);
  SmallVector<Operation *> ops;
  for (Operation &forward : block)
    ops.push_back(&forward);

  std::unique_ptr<DerivativeContext> nested =
      ctx.nest(builder, scratch, DerivativeContext::Fallback::Recompute);
  SmallVector<Value> active;
  if (ctx.isActive(op.getCoupled()))
    active.push_back(x);
  for (auto [scalar, parameter] : llvm::zip_equal(p, parameters))
    if (ctx.isActive(parameter))
      active.push_back(scalar);
  nested->adopt(ops, active);
  if (Value cotangent = ctx.cotangent(op.getResult())) {
    cotangentScalar = add(cotangent, identity);
    nested->accumulate(y, cotangentScalar);
  }
  if (logDerivative) {
    AffineMap perSample =
        AffineMap::get(type.getRank(), 0, b.getAffineDimExpr(op.getBatchDim()));
    nested->accumulate(logDerivative,
                       add(ctx.cotangent(op.getLogDet()), perSample));
  }
  if (failed(nested->differentiate(ops)))
    return failure();
  coupledScalar = nested->cotangent(x);
  for (Value scalar : p)
    parameterScalars.push_back(nested->cotangent(scalar));
  return success();
}

SmallVector<Value> BijectionDerivative::emit(ArrayRef<Value> scalars,
                                             bool overwrites) {
  Block &block = scratch.front();
  OpBuilder &b = ctx.getBuilder();
  auto type = cast<RankedTensorType>(op.getCoupled().getType());

  llvm::SmallDenseSet<Operation *> live;
  llvm::SmallDenseSet<Value> read;
  SmallVector<Value> pending(scalars);
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (isa<BlockArgument>(value))
      read.insert(value);
    else if (live.insert(value.getDefiningOp()).second)
      llvm::append_range(pending, value.getDefiningOp()->getOperands());
  }

  SmallVector<Value> inputs, inputScalars, outputs;
  SmallVector<AffineMap> genericMaps;
  Value destination;
  for (auto [argument, tensor, map] :
       llvm::zip_equal(block.getArguments(), tensors, maps)) {
    if (overwrites && argument == cotangentScalar) {
      destination = tensor;
      continue;
    }
    if (!read.contains(argument))
      continue;
    inputs.push_back(tensor);
    inputScalars.push_back(argument);
    genericMaps.push_back(map);
  }
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  for (size_t i = 0; i < scalars.size(); ++i) {
    outputs.push_back(destination
                          ? destination
                          : tensor::EmptyOp::create(
                                b, loc,
                                tensor::getMixedSizes(b, loc, tensors.front()),
                                type.getElementType())
                                .getResult());
    genericMaps.push_back(identity);
  }
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, loc, SmallVector<Type>(scalars.size(), type), inputs, outputs,
      genericMaps, iterators,
      [&](OpBuilder &builder, Location l, ValueRange args) {
        IRMapping mapping;
        mapping.map(inputScalars, args.take_front(inputs.size()));
        if (destination)
          mapping.map(cotangentScalar, args.back());
        for (Operation &scalarOp : block)
          if (live.contains(&scalarOp))
            builder.clone(scalarOp, mapping);
        SmallVector<Value> yields;
        for (Value scalar : scalars)
          yields.push_back(mapping.lookup(scalar));
        linalg::YieldOp::create(builder, l, yields);
      });
  return SmallVector<Value>(generic.getResults());
}

LogicalResult BijectionDerivative::emitParameters(ValueRange parameters) {
  SmallVector<Value> scalars, targets;
  for (auto [parameter, scalar] :
       llvm::zip_equal(parameters, parameterScalars)) {
    if (!scalar)
      continue;
    if (scalar == cotangentScalar) {
      ctx.accumulate(parameter, ctx.cotangent(op.getResult()));
      continue;
    }
    scalars.push_back(scalar);
    targets.push_back(parameter);
  }
  if (scalars.empty())
    return success();
  for (auto [target, cotangent] :
       llvm::zip_equal(targets, emit(scalars, /*overwrites=*/false)))
    ctx.accumulate(target, cotangent);
  return success();
}

LogicalResult BijectionDerivative::emitCoupled() {
  if (!coupledScalar)
    return success();
  Value cotangent = coupledScalar == cotangentScalar
                        ? ctx.cotangent(op.getResult())
                        : emit({coupledScalar}, /*overwrites=*/true).front();
  ctx.accumulate(op.getCoupled(), cotangent);
  return success();
}

void CouplingOp::getResiduals(function_ref<bool(Value)>,
                              SmallVectorImpl<Residual> &residuals) {
  // The inverse reads them; what the region computes from them the derivative
  // finds in its clone.
  InverseEdge inverse = getInverseEdges().front();
  for (Value value : inverse.from)
    residuals.push_back(value);
}

LogicalResult CouplingOp::buildVJP(DerivativeContext &ctx) {
  FailureOr<Evaluation> evaluation = evaluateRegion(*this, ctx);
  if (failed(evaluation))
    return failure();
  BijectionDerivative derivative(*this, ctx);
  if (failed(derivative.build(evaluation->parameters)) ||
      failed(derivative.emitParameters(evaluation->parameters)))
    return failure();
  for (auto [i, value] : llvm::enumerate(evaluation->auxiliary))
    if (Value cotangent = ctx.cotangent(getAuxiliary()[i]);
        cotangent && !evaluation->isNamed[i])
      ctx.accumulate(value, cotangent);
  if (failed(ctx.differentiate(evaluation->clones)))
    return failure();
  // Last, for it overwrites what the others read.
  return derivative.emitCoupled();
}
