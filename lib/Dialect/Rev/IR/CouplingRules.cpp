//===- CouplingRules.cpp - Inverse and derivative of rev.coupling ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
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
  if (getKind().preservesVolume())
    edge.determinant = Determinant::One;
  return {edge};
}

/// Emits the inverse of `op` as a coupling with the same region.
static LogicalResult buildInverseCoupling(CouplingOp op,
                                          DerivativeContext &ctx) {
  IRMapping mapping;
  InverseEdge edge = op.getInverseEdges().front();
  for (Value value : edge.from) {
    Value now = ctx.primal(value);
    if (!now)
      return failure();
    mapping.map(value == op.getResult() ? op.getCoupled() : value, now);
  }
  OpBuilder &b = ctx.getBuilder();
  auto inverse = cast<CouplingOp>(b.clone(*op, mapping));
  inverse.setKindAttr(InverseOfAttr::invert(op.getKind()));
  // That of the other direction.
  inverse->removeAttr(kGainAttrName);
  ctx.provide(op.getCoupled(), inverse.getResult(), Precision::Rounded);
  if (op.getLogDet())
    ctx.provide(op.getLogDet(), arith::NegFOp::create(b, op.getLoc(),
                                                      inverse.getLogDet()));
  for (auto [result, now] :
       llvm::zip_equal(op.getAuxiliary(), inverse.getAuxiliary()))
    ctx.provide(result, now);
  return success();
}

LogicalResult CouplingOp::buildInverse(DerivativeContext &ctx, unsigned) {
  // Somebody may have asked for the coupled value before its turn.
  if (ctx.isRounded(getCoupled()))
    return success();
  if (ctx.emitsProgram())
    return buildInverseCoupling(*this, ctx);
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
///
/// That of an inverse y = g^-1(x; p) is derived from g at y, which the coupling
/// returned: y is exact there, and nothing is divided by dg/dy twice. With the
/// cotangents y~ of y and l~ of log |dy/dx| = -log |dg/dy|,
///
///   u  = (y~ - l~ d log |dg/dy| / dy) / (dg/dy),
///   x~ = u,   p~ = -(dg/dp)^T u - l~ d log |dg/dy| / dp.
class BijectionDerivative {
public:
  BijectionDerivative(CouplingOp op, DerivativeContext &ctx)
      : op(op), ctx(ctx), loc(op.getLoc()),
        inverse(dyn_cast<InverseOfAttr>(op.getKind())),
        kind(inverse ? inverse.getKind() : op.getKind()) {}

  /// True if it reads the result of the coupling, not the coupled value.
  static bool readsResult(CouplingOp op) {
    return isa<InverseOfAttr>(op.getKind());
  }

  /// `parameters` are what the region yields in its clone.
  LogicalResult build(ValueRange parameters);

  /// Emits the cotangents of the parameters and accumulates them.
  LogicalResult emitParameters(ValueRange parameters);

  /// Emits the cotangent of the coupled value, over that of the result.
  LogicalResult emitCoupled();

private:
  /// Emit scalar code into the block with `builder`, and its derivative.
  LogicalResult differentiate(OpBuilder &builder, DerivativeContext &nested,
                              Value x, ValueRange parameters);
  LogicalResult differentiateInverse(OpBuilder &builder,
                                     DerivativeContext &nested, Value y,
                                     ValueRange parameters);

  /// One elementwise operation for the partial derivatives `scalars`. With
  /// `overwrites` it takes the place of the result's cotangent.
  SmallVector<Value> emit(ArrayRef<Value> scalars, bool overwrites);

  CouplingOp op;
  DerivativeContext &ctx;
  Location loc;
  /// The kind of the coupling if that is an inverse, and the kind whose forward
  /// form is differentiated.
  InverseOfAttr inverse;
  BijectionAttrInterface kind;
  Region scratch;
  /// What each argument of the block stands for, and where it is read.
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  /// The arguments for the cotangents of the result and of the
  /// log-determinant, if they have one.
  Value cotangentScalar, logDetScalar;
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
  Value start = ctx.primal(inverse ? op.getResult() : op.getCoupled());
  if (!start)
    return failure();
  Value x = add(start, identity);
  SmallVector<Value> p;
  for (Value parameter : parameters)
    p.push_back(add(parameter, identity));
  if (Value cotangent = ctx.cotangent(op.getResult()))
    cotangentScalar = add(cotangent, identity);
  Value logDet = op.getLogDet();
  if (Value cotangent = logDet ? ctx.cotangent(logDet) : Value())
    logDetScalar = add(cotangent,
                       AffineMap::get(type.getRank(), 0,
                                      b.getAffineDimExpr(op.getBatchDim())));

  OpBuilder builder(op.getContext());
  builder.setInsertionPointToEnd(&block);
  std::unique_ptr<DerivativeContext> nested =
      ctx.nest(builder, scratch, DerivativeContext::Fallback::Recompute);
  SmallVector<Value> active;
  if (ctx.isActive(inverse ? op.getResult() : op.getCoupled()))
    active.push_back(x);
  for (auto [scalar, parameter] : llvm::zip_equal(p, parameters))
    if (ctx.isActive(parameter))
      active.push_back(scalar);
  nested->adopt({}, active);
  if (failed(inverse ? differentiateInverse(builder, *nested, x, p)
                     : differentiate(builder, *nested, x, p)))
    return failure();
  for (Value scalar : p)
    parameterScalars.push_back(nested->cotangent(scalar));
  return success();
}

/// Makes the operations that `emit` appends to `block` part of the program that
/// `nested` differentiates, and returns them.
static SmallVector<Operation *> adopt(Block &block, DerivativeContext &nested,
                                      function_ref<void()> emit) {
  Operation *last = block.empty() ? nullptr : &block.back();
  emit();
  SmallVector<Operation *> ops;
  for (Operation &op :
       llvm::make_range(last ? std::next(last->getIterator()) : block.begin(),
                        block.end()))
    ops.push_back(&op);
  nested.adopt(ops, {});
  return ops;
}

LogicalResult BijectionDerivative::differentiate(OpBuilder &builder,
                                                 DerivativeContext &nested,
                                                 Value x,
                                                 ValueRange parameters) {
  Value y, logDerivative;
  SmallVector<Operation *> ops = adopt(scratch.front(), nested, [&] {
    y = kind.buildForward(builder, loc, x, parameters);
    if (logDetScalar)
      logDerivative = kind.buildLogDerivative(builder, loc, x, parameters);
  });
  if (cotangentScalar)
    nested.accumulate(y, cotangentScalar);
  if (logDerivative)
    nested.accumulate(logDerivative, logDetScalar);
  if (failed(nested.differentiate(ops)))
    return failure();
  coupledScalar = nested.cotangent(x);
  return success();
}

LogicalResult BijectionDerivative::differentiateInverse(
    OpBuilder &builder, DerivativeContext &nested, Value y,
    ValueRange parameters) {
  Value sum = cotangentScalar;
  if (logDetScalar) {
    Value logDerivative;
    SmallVector<Operation *> ops = adopt(scratch.front(), nested, [&] {
      logDerivative = kind.buildLogDerivative(builder, loc, y, parameters);
    });
    if (logDerivative) {
      nested.accumulate(logDerivative,
                        arith::NegFOp::create(builder, loc, logDetScalar));
      if (failed(nested.differentiate(ops)))
        return failure();
    }
    if (Value direct = nested.cotangent(y))
      sum = sum ? arith::AddFOp::create(builder, loc, sum, direct).getResult()
                : direct;
  }
  if (!sum)
    return success();

  // dx = dg/dy dy + ...: the tangent map of g, undone.
  coupledScalar = sum;
  BijectionAttrInterface tangent = kind.getTangentKind();
  if (!isa<AdditiveAttr>(tangent)) {
    SmallVector<Value> slopes =
        kind.buildTangent(builder, loc, y, parameters,
                          SmallVector<Value>(parameters.size()));
    for (Value &slope : slopes)
      if (!slope)
        slope = arith::ConstantOp::create(builder, loc,
                                          builder.getZeroAttr(y.getType()));
    coupledScalar = tangent.buildInverse(builder, loc, sum, slopes);
  }
  Value x;
  SmallVector<Operation *> ops = adopt(scratch.front(), nested, [&] {
    x = kind.buildForward(builder, loc, y, parameters);
  });
  nested.accumulate(x, arith::NegFOp::create(builder, loc, coupledScalar));
  return nested.differentiate(ops);
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

/// Emits the vector-Jacobian product of `op`, and its inverse if `inverts`.
static LogicalResult buildReverse(CouplingOp op, DerivativeContext &ctx,
                                  bool inverts) {
  FailureOr<Evaluation> evaluation = evaluateRegion(op, ctx);
  if (failed(evaluation))
    return failure();
  // The coupled value takes the place of the result, behind what reads that.
  bool readsResult = BijectionDerivative::readsResult(op);
  if (inverts && !readsResult && failed(op.buildInverse(ctx, 0)))
    return failure();
  BijectionDerivative derivative(op, ctx);
  if (failed(derivative.build(evaluation->parameters)) ||
      failed(derivative.emitParameters(evaluation->parameters)))
    return failure();
  if (inverts && readsResult && failed(op.buildInverse(ctx, 0)))
    return failure();
  for (auto [i, value] : llvm::enumerate(evaluation->auxiliary))
    if (Value cotangent = ctx.cotangent(op.getAuxiliary()[i]);
        cotangent && !evaluation->isNamed[i])
      ctx.accumulate(value, cotangent);
  if (failed(ctx.differentiate(evaluation->clones)))
    return failure();
  // Last, for it overwrites what the others read.
  return derivative.emitCoupled();
}

LogicalResult CouplingOp::buildVJP(DerivativeContext &ctx) {
  return buildReverse(*this, ctx, /*inverts=*/false);
}

LogicalResult CouplingOp::buildInverseAndVJP(DerivativeContext &ctx, unsigned) {
  return buildReverse(*this, ctx, /*inverts=*/true);
}
