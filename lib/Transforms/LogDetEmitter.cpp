//===- LogDetEmitter.cpp - Log-determinants of operations -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LogDetEmitter.h"
#include "Accumulation.h"
#include "ForwardContext.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::memrev;

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

//===----------------------------------------------------------------------===//
// What operations have
//===----------------------------------------------------------------------===//

/// The edge of `op` that the plan follows, unless it has no derivative.
static std::optional<InverseEdge> getEdge(Operation *op) {
  std::optional<unsigned> number = getPlannedEdge(op);
  if (!number)
    return std::nullopt;
  InverseEdge edge =
      cast<InvertibleOpInterface>(op).getInverseEdges()[*number];
  // A counter has none.
  if (llvm::none_of(edge.solved, [](Value v) {
        return rev::isDifferentiable(v.getType());
      }))
    return std::nullopt;
  return edge;
}

/// True if the logarithm of the determinant of `edge`, one of `op`, is known.
static bool hasLogDet(Operation *op, const InverseEdge &edge) {
  auto isTensor = [](Value v) {
    return isFloat(v) && isa<RankedTensorType>(v.getType());
  };
  if (isa<scf::ForOp, rev::CouplingOp>(op) ||
      edge.determinant == Determinant::One)
    return true;
  // Samples are those of tensors.
  if (isa<func::CallOp>(op))
    return op->getNumResults() > 0 && llvm::all_of(edge.solved, isTensor);
  return edge.determinant == Determinant::Diagonal &&
         isFloat(edge.solved.front()) && llvm::any_of(op->getResults(), isFloat);
}

Operation *memrev::findWithoutLogDet(Block &block) {
  for (Operation &op : block) {
    std::optional<InverseEdge> edge = getEdge(&op);
    if (!edge)
      continue;
    if (!hasLogDet(&op, *edge))
      return &op;
    if (auto loop = dyn_cast<scf::ForOp>(op))
      if (Operation *inside = findWithoutLogDet(*loop.getBody()))
        return inside;
  }
  return nullptr;
}

bool memrev::visitPlannedCalls(Block &block,
                               function_ref<bool(func::CallOp)> visit) {
  for (Operation &op : block) {
    if (!getEdge(&op))
      continue;
    if (auto call = dyn_cast<func::CallOp>(op); call && !visit(call))
      return false;
    if (auto loop = dyn_cast<scf::ForOp>(op);
        loop && !visitPlannedCalls(*loop.getBody(), visit))
      return false;
  }
  return true;
}

InFlightDiagnostic memrev::reportWithoutLogDet(Location loc,
                                               OperationName name) {
  return emitError(loc, "expects operations with a log-determinant on the way "
                        "from the arguments to the results, but '")
         << name << "' has none";
}

//===----------------------------------------------------------------------===//
// LogDetEmitter
//===----------------------------------------------------------------------===//

Value LogDetEmitter::buildZero(Location loc) {
  ImplicitLocOpBuilder b(loc, builder);
  Value zero =
      arith::ConstantOp::create(b, b.getZeroAttr(samples.getElementType()));
  SmallVector<Value> extents;
  if (samples.isDynamicDim(0))
    extents.push_back(tensor::DimOp::create(b, first, batchDim));
  Value empty = tensor::EmptyOp::create(b, samples, extents);
  return linalg::FillOp::create(b, zero, empty).getResult(0);
}

Value LogDetEmitter::buildLogSum(Location loc, Value values,
                                 int64_t dimension) {
  ImplicitLocOpBuilder b(loc, builder);
  unsigned rank = cast<RankedTensorType>(values.getType()).getRank();
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::reduction);
  iterators[dimension] = utils::IteratorType::parallel;
  return linalg::GenericOp::create(
             b, TypeRange{samples}, values, buildZero(loc),
             ArrayRef<AffineMap>{
                 b.getMultiDimIdentityMap(rank),
                 AffineMap::get(rank, 0, b.getAffineDimExpr(dimension))},
             iterators,
             [](OpBuilder &builder, Location loc, ValueRange args) {
               ImplicitLocOpBuilder b(loc, builder);
               Value log =
                   math::LogOp::create(b, math::AbsFOp::create(b, args[0]));
               linalg::YieldOp::create(
                   b, arith::AddFOp::create(b, args[1], log).getResult());
             })
      .getResult(0);
}

void LogDetEmitter::add(Location loc, Value contribution, Value &sum) {
  contribution = castToType(builder, contribution, samples);
  sum = sum ? arith::AddFOp::create(builder, loc, sum, contribution).getResult()
            : contribution;
}

FailureOr<int64_t> LogDetEmitter::getDimension(Operation *op, Value value) {
  if (std::optional<int64_t> dimension = dimensions.get(value))
    return *dimension;
  return op->emitError("expects operations that keep samples apart on the way "
                       "of a log-determinant, but '")
         << op->getName() << "' has a result of type " << value.getType()
         << " without a dimension that numbers them";
}

void LogDetEmitter::replace(ValueRange from, ValueRange to) {
  for (auto [before, now] : llvm::zip_equal(from, to)) {
    if (std::optional<int64_t> dimension = dimensions.get(before))
      dimensions.set(now, *dimension);
    before.replaceAllUsesWith(now);
  }
}

LogicalResult LogDetEmitter::emit(Block &block, Value &sum) {
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator())
    ops.push_back(&op);
  for (Operation *op : ops)
    if (failed(emit(op, sum)))
      return failure();
  return success();
}

LogicalResult LogDetEmitter::emit(Operation *op, Value &sum) {
  std::optional<InverseEdge> edge = getEdge(op);
  if (!edge)
    return success();
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return emitLoop(loop, sum);
  for (Value value : edge->from)
    if (value.getDefiningOp() == op && isFloat(value) &&
        failed(getDimension(op, value)))
      return failure();
  if (!hasLogDet(op, *edge))
    return reportWithoutLogDet(op->getLoc(), op->getName());
  if (edge->determinant == Determinant::One)
    return success();
  if (auto coupling = dyn_cast<rev::CouplingOp>(op))
    return emitCoupling(coupling, sum);
  if (auto call = dyn_cast<func::CallOp>(op))
    return emitCall(call, edge->solved, sum);
  return emitDiagonal(op, *edge, sum);
}

LogicalResult LogDetEmitter::emitLoop(scf::ForOp loop, Value &sum) {
  Location loc = loop.getLoc();
  Block *block = loop.getBody();
  Value start = block->addArgument(samples, loc), inside = start;
  if (failed(emit(*block, inside)))
    return failure();
  if (inside == start) {
    block->eraseArgument(block->getNumArguments() - 1);
    return success();
  }
  cast<scf::YieldOp>(block->getTerminator())
      .getResultsMutable()
      .append(inside);
  builder.setInsertionPoint(loop);
  SmallVector<Value> inits(loop.getInitArgs());
  inits.push_back(sum ? sum : buildZero(loc));
  auto larger = scf::ForOp::create(builder, loc, loop.getLowerBound(),
                                   loop.getUpperBound(), loop.getStep(), inits,
                                   nullptr, loop.getUnsignedCmp());
  larger->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
  larger.getRegion().takeBody(loop.getRegion());
  replace(loop.getResults(), larger.getResults().drop_back());
  sum = larger.getResults().back();
  loop.erase();
  return success();
}

LogicalResult LogDetEmitter::emitCoupling(rev::CouplingOp coupling,
                                          Value &sum) {
  Location loc = coupling.getLoc();
  FailureOr<int64_t> dimension = getDimension(coupling, coupling.getResult());
  if (failed(dimension))
    return failure();
  if (coupling.getLogDet() &&
      static_cast<int64_t>(coupling.getBatchDim()) != *dimension)
    return coupling.emitError("expects a log-determinant of samples in "
                              "dimension ")
           << *dimension << ", but got 'batch_dim' " << coupling.getBatchDim();
  builder.setInsertionPointAfter(coupling);
  if (!coupling.getLogDet()) {
    auto type = cast<RankedTensorType>(coupling.getCoupled().getType());
    auto larger = rev::CouplingOp::create(
        builder, loc, type,
        RankedTensorType::get({type.getDimSize(*dimension)},
                              type.getElementType()),
        coupling.getAuxiliary().getTypes(), coupling.getKind(),
        coupling.getCoupled(), coupling.getGiven(), *dimension);
    larger->setDiscardableAttrs(coupling->getDiscardableAttrDictionary());
    larger.getBody().takeBody(coupling.getBody());
    replace(coupling.getResult(), larger.getResult());
    replace(coupling.getAuxiliary(), larger.getAuxiliary());
    coupling.erase();
    coupling = larger;
  }
  add(loc, coupling.getLogDet(), sum);
  return success();
}

LogicalResult LogDetEmitter::emitCall(func::CallOp call, ValueRange solved,
                                      Value &sum) {
  FailureOr<int64_t> dimension = getDimension(call, call.getResult(0));
  if (failed(dimension))
    return failure();
  for (Value value : solved)
    if (dimensions.get(value) != *dimension)
      return call.emitError("expects samples in dimension ")
             << *dimension << " of all that '@" << call.getCallee()
             << "' has an inverse for, but got type " << value.getType();
  FailureOr<func::FuncOp> callee = getCallee(call, *dimension);
  if (failed(callee))
    return failure();
  builder.setInsertionPointAfter(call);
  auto logDet = func::CallOp::create(builder, call.getLoc(), *callee,
                                     call.getOperands());
  add(call.getLoc(), logDet->getResults().back(), sum);
  if (logDet.getNumResults() == 1)
    return success();
  // It evaluates the function, too.
  replace(call.getResults(), logDet.getResults().drop_back());
  call.erase();
  return success();
}

/// A one for each element of `like`.
static Value buildOnes(OpBuilder &builder, Value like) {
  Location loc = like.getLoc();
  auto type = cast<RankedTensorType>(like.getType());
  TypedAttr one = builder.getFloatAttr(type.getElementType(), 1.0);
  if (type.hasStaticShape())
    return arith::ConstantOp::create(builder, loc,
                                     DenseElementsAttr::get(type, one));
  SmallVector<Value> extents;
  for (auto [i, extent] : llvm::enumerate(type.getShape()))
    if (ShapedType::isDynamic(extent))
      extents.push_back(tensor::DimOp::create(builder, loc, like, i));
  Value scalar = arith::ConstantOp::create(builder, loc, one);
  return tensor::SplatOp::create(builder, loc, scalar, type, extents);
}

LogicalResult LogDetEmitter::emitDiagonal(Operation *op,
                                          const InverseEdge &edge, Value &sum) {
  Location loc = op->getLoc();
  OperationName name = op->getName();
  Value solved = edge.solved.front();
  builder.setInsertionPointAfterValue(solved);
  // The tangents of the result where all those of the value are one are the
  // partial derivatives.
  ForwardContext context(builder.getContext(), /*strongZero=*/false,
                         /*isOfValues=*/true);
  context.addRoot(solved, buildOnes(builder, solved));
  for (Operation *part : edge.through) {
    context.propagate(part);
    if (failed(context.differentiate(part)))
      return failure();
  }
  context.propagate(op);
  SmallVector<Value> before(op->getResults());
  // A rule may replace the operation.
  auto holder =
      UnrealizedConversionCastOp::create(builder, loc, TypeRange(), before);
  holder->moveAfter(op);
  if (failed(context.differentiate(op)))
    return failure();
  Value partials;
  FailureOr<int64_t> dimension = failure();
  for (auto [result, now] : llvm::zip_equal(before, holder.getInputs())) {
    if (std::optional<int64_t> known = dimensions.get(result))
      dimensions.set(now, *known);
    if (Value tangent = context.tangent(now)) {
      partials = tangent;
      dimension = getDimension(now.getDefiningOp(), now);
    }
  }
  builder.setInsertionPoint(holder);
  if (succeeded(dimension))
    add(loc, buildLogSum(loc, partials, *dimension), sum);
  holder.erase();
  if (!partials)
    return reportWithoutLogDet(loc, name);
  return dimension;
}
