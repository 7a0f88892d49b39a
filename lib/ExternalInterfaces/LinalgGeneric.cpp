//===- LinalgGeneric.cpp - Rules of linalg operations with scalar bodies --===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One rule for linalg.generic and the named operations that are generics with
// a fixed body: elementwise operations with broadcasts, and additive
// reductions. The derivative of the scalar body is reverse mode over the body.
//
//===----------------------------------------------------------------------===//

#include "LinalgRules.h"
#include "Models.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::memrev;
using linalg::LinalgOp;

namespace {

/// A value of an operation's body that is read off a tensor: a block argument
/// or what the body yields.
struct BodyInput {
  Value scalar;
  Value tensor;
  AffineMap map;
  Precision precision = Precision::Rounded;
};

/// What the derivative of a body reads.
class BodyReads {
public:
  /// `isActive` is asked about values in the body, `mayReadResult` whether a
  /// result of `op` can stand in for what the body yields.
  BodyReads(LinalgOp op, function_ref<bool(Value)> isActive,
            function_ref<bool(unsigned, Precision)> mayReadResult);

  SmallVector<BodyInput> inputs;

private:
  void visit(Value scalar, Precision precision);

  LinalgOp op;
  Block *body;
  function_ref<bool(unsigned, Precision)> mayReadResult;
  llvm::SmallDenseMap<Value, unsigned> positions;
  llvm::SmallDenseSet<Value> visited;
};

} // namespace

BodyReads::BodyReads(LinalgOp op, function_ref<bool(Value)> isActive,
                     function_ref<bool(unsigned, Precision)> mayReadResult)
    : op(op), body(op.getBlock()), mayReadResult(mayReadResult) {
  for (Operation &inner : body->without_terminator()) {
    auto rule = dyn_cast<DifferentiableOpInterface>(&inner);
    bool isRead = llvm::any_of(inner.getOperands(), isActive);
    visitUsedValuesDefinedAbove(inner.getRegions(), [&](OpOperand *operand) {
      isRead |= isActive(operand->get());
    });
    if (!rule || !isRead)
      continue;
    SmallVector<Residual> residuals;
    rule.getResiduals(isActive, residuals);
    for (const Residual &residual : residuals)
      visit(residual.alternatives.front(), residual.precision);
  }
}

void BodyReads::visit(Value scalar, Precision precision) {
  auto read = [&](Value tensor, AffineMap map) {
    auto [it, isNew] = positions.try_emplace(scalar, inputs.size());
    if (isNew)
      inputs.push_back({scalar, tensor, map, precision});
    else if (precision == Precision::Exact)
      inputs[it->second].precision = precision;
  };
  if (auto argument = dyn_cast<BlockArgument>(scalar)) {
    if (argument.getOwner() == body) {
      OpOperand *operand = op.getMatchingOpOperand(argument);
      read(operand->get(), op.getMatchingIndexingMap(operand));
    }
    return;
  }
  Operation *def = scalar.getDefiningOp();
  if (!def || def->getBlock() != body)
    return;
  if (op.getNumReductionLoops() == 0)
    for (auto [k, yielded] :
         llvm::enumerate(body->getTerminator()->getOperands()))
      if (yielded == scalar && mayReadResult(k, precision))
        return read(op->getResult(k),
                    op.getMatchingIndexingMap(op.getDpsInitOperand(k)));
  // Evaluated again by the operation that defines it, from operands that may
  // be rounded.
  if (!visited.insert(scalar).second)
    return;
  for (Value operand : def->getOperands())
    visit(operand, Precision::Rounded);
  visitUsedValuesDefinedAbove(def->getRegions(), [&](OpOperand *operand) {
    visit(operand->get(), Precision::Rounded);
  });
}

/// True if the body yields the sum of its out argument number `k` and something
/// that does not read it.
static bool isAdditive(LinalgOp op, unsigned k) {
  Value out = op.getRegionOutputArgs()[k];
  Value yielded = op.getBlock()->getTerminator()->getOperand(k);
  auto add = yielded.getDefiningOp<arith::AddFOp>();
  if (!add || !out.hasOneUse() || !llvm::is_contained(add->getOperands(), out))
    return false;
  // What is added must not read a running value, its own or another result's.
  SmallVector<Value> pending{add.getLhs() == out ? add.getRhs() : add.getLhs()};
  llvm::SmallDenseSet<Value> visited;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!visited.insert(value).second)
      continue;
    if (llvm::is_contained(op.getRegionOutputArgs(), value))
      return false;
    Operation *def = value.getDefiningOp();
    if (def && def->getBlock() == op.getBlock())
      llvm::append_range(pending, def->getOperands());
  }
  return true;
}

/// An operand that an iteration space can be read off: its sizes give those of
/// loop `dim`.
static OpOperand &getOperandWithLoop(LinalgOp op, unsigned dim) {
  for (OpOperand &operand : op->getOpOperands())
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
      if (auto position = dyn_cast<AffineDimExpr>(expr))
        if (position.getPosition() == dim)
          return operand;
  llvm_unreachable("the verifier wants an operand for each loop");
}

namespace {

/// Emits the derivative of one operation.
class BodyDerivative {
public:
  BodyDerivative(LinalgOp op, DerivativeContext &ctx)
      : op(op), ctx(ctx), loc(op.getLoc()) {}

  LogicalResult emit();

private:
  /// The partial derivative of an operand: what scratch computes for each
  /// element of the iteration space.
  struct Target {
    Value operand;
    AffineMap map;
    Value scalar;
  };

  LogicalResult collectInputs();
  LogicalResult differentiateBody(SmallVectorImpl<Target> &targets);
  LogicalResult emitGroup(AffineMap map, ArrayRef<Target> targets);
  /// The operations in scratch that `values` depend on, and the arguments.
  void getSlice(ValueRange values, llvm::SetVector<Operation *> &ops,
                llvm::SetVector<Value> &arguments);

  LinalgOp op;
  DerivativeContext &ctx;
  Location loc;
  /// A block with one argument per input of the derivative: primal values, then
  /// cotangents of results.
  Region scratch;
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  SmallVector<BodyInput> primals;
  SmallVector<unsigned> differentiatedResults;
};

} // namespace

LogicalResult BodyDerivative::collectInputs() {
  auto isActive = [&](Value v) { return ctx.isActive(v); };
  auto mayReadResult = [&](unsigned k, Precision precision) {
    Value result = op->getResult(k);
    return ctx.isAvailable(result) &&
           (precision == Precision::Rounded || !ctx.isRounded(result));
  };
  BodyReads reads(op, isActive, mayReadResult);
  primals = reads.inputs;
  for (BodyInput &input : primals) {
    Value now = ctx.primal(input.tensor, input.precision);
    if (!now)
      return failure();
    tensors.push_back(now);
    maps.push_back(input.map);
  }
  for (unsigned k = 0, e = op->getNumResults(); k < e; ++k) {
    Value cotangent = ctx.cotangent(op->getResult(k));
    if (!cotangent)
      continue;
    if (op.getNumReductionLoops() != 0 && !isAdditive(op, k))
      return op.emitError("expects a reduction that adds to its out operand "
                          "where a gradient flows, but result ")
             << k << " does not";
    differentiatedResults.push_back(k);
    tensors.push_back(cotangent);
    maps.push_back(op.getMatchingIndexingMap(op.getDpsInitOperand(k)));
  }
  return success();
}

LogicalResult
BodyDerivative::differentiateBody(SmallVectorImpl<Target> &targets) {
  Block *body = op.getBlock();
  Block &block = scratch.emplaceBlock();
  for (Value tensor : tensors)
    block.addArgument(getElementTypeOrSelf(tensor.getType()), loc);
  OpBuilder builder(ctx.getBuilder().getContext());
  builder.setInsertionPointToEnd(&block);
  std::unique_ptr<DerivativeContext> nested = ctx.nest(
      builder, op->getRegion(0), DerivativeContext::Fallback::Recompute);
  for (auto [i, input] : llvm::enumerate(primals))
    nested->provide(input.scalar, block.getArgument(i));
  for (auto [i, k] : llvm::enumerate(differentiatedResults))
    nested->accumulate(body->getTerminator()->getOperand(k),
                       block.getArgument(primals.size() + i));
  SmallVector<Operation *> ops;
  for (Operation &inner : body->without_terminator())
    ops.push_back(&inner);
  if (failed(nested->differentiate(ops)))
    return failure();

  bool reduces = op.getNumReductionLoops() != 0;
  for (OpOperand &operand : op->getOpOperands()) {
    Value argument = op.getMatchingBlockArgument(&operand);
    if (!ctx.isActive(operand.get()) || argument.use_empty())
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    // What a reduction starts from gets the cotangent of the result as it is.
    if (reduces && op.isDpsInit(&operand))
      continue;
    Value scalar = nested->cotangent(argument);
    if (!scalar)
      continue;
    if (!map.isProjectedPermutation())
      return op.emitError("expects indexing maps that are projected "
                          "permutations where a gradient flows, but got ")
             << AffineMapAttr::get(map);
    // The same tensor read twice at the same place gets one sum.
    auto same = llvm::find_if(targets, [&](const Target &t) {
      return t.operand == operand.get() && t.map == map;
    });
    if (same == targets.end())
      targets.push_back({operand.get(), map, scalar});
    else
      same->scalar =
          arith::AddFOp::create(builder, loc, same->scalar, scalar);
  }
  return success();
}

void BodyDerivative::getSlice(ValueRange values,
                              llvm::SetVector<Operation *> &ops,
                              llvm::SetVector<Value> &arguments) {
  Block *block = &scratch.front();
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

LogicalResult BodyDerivative::emitGroup(AffineMap map,
                                        ArrayRef<Target> targets) {
  OpBuilder &b = ctx.getBuilder();
  bool reduces = !map.isPermutation();
  SmallVector<Value> scalars;
  for (const Target &target : targets)
    scalars.push_back(target.scalar);
  llvm::SetVector<Operation *> ops;
  llvm::SetVector<Value> arguments;
  getSlice(scalars, ops, arguments);

  SmallVector<Value> inputs, outputs;
  SmallVector<AffineMap> groupMaps;
  SmallVector<Value> inputScalars;
  for (auto [i, tensor] : llvm::enumerate(tensors)) {
    Value argument = scratch.front().getArgument(i);
    if (!arguments.contains(argument))
      continue;
    inputs.push_back(tensor);
    groupMaps.push_back(maps[i]);
    inputScalars.push_back(argument);
  }
  // Loops that nothing runs over any more take their extent from an operand.
  llvm::SmallBitVector covered(op.getNumLoops());
  auto cover = [&](AffineMap m) {
    for (AffineExpr expr : m.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        covered.set(dim.getPosition());
  };
  cover(map);
  llvm::for_each(groupMaps, cover);
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
    if (covered[dim])
      continue;
    OpOperand &operand = getOperandWithLoop(op, dim);
    Value now = ctx.primal(operand.get());
    if (!now)
      return failure();
    inputs.push_back(now);
    groupMaps.push_back(op.getMatchingIndexingMap(&operand));
    inputScalars.push_back(nullptr);
    cover(groupMaps.back());
  }

  SmallVector<Type> types;
  for (const Target &target : targets) {
    auto type = cast<RankedTensorType>(target.operand.getType());
    types.push_back(type);
    // An elementwise contribution is written, not added to zeros. Of several
    // sums none is taken in place: two of them can be parts of one buffer.
    if (reduces) {
      Value sum = targets.size() == 1
                      ? ctx.accumulator(target.operand)
                      : ctx.zero(type, target.operand, loc);
      if (!sum)
        return failure();
      outputs.push_back(sum);
    } else {
      SmallVector<OpFoldResult> sizes;
      if (!type.hasStaticShape()) {
        Value now = ctx.primal(target.operand);
        if (!now)
          return failure();
        sizes = tensor::getMixedSizes(b, loc, now);
      } else {
        sizes = getAsIndexOpFoldResult(b.getContext(), type.getShape());
      }
      outputs.push_back(
          tensor::EmptyOp::create(b, loc, sizes, type.getElementType()));
    }
    groupMaps.push_back(map);
  }
  SmallVector<utils::IteratorType> iterators;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
    iterators.push_back(map.isFunctionOfDim(dim)
                            ? utils::IteratorType::parallel
                            : utils::IteratorType::reduction);

  auto generic = linalg::GenericOp::create(
      b, loc, types, inputs, outputs, groupMaps, iterators,
      [&](OpBuilder &builder, Location l, ValueRange args) {
        IRMapping mapping;
        for (auto [scalar, arg] : llvm::zip_first(inputScalars, args))
          if (scalar)
            mapping.map(scalar, arg);
        for (Operation *inner : ops)
          builder.clone(*inner, mapping);
        SmallVector<Value> yields;
        for (auto [i, scalar] : llvm::enumerate(scalars)) {
          Value value = mapping.lookupOrDefault(scalar);
          if (reduces)
            value = arith::AddFOp::create(builder, l, args[inputs.size() + i],
                                          value);
          yields.push_back(value);
        }
        linalg::YieldOp::create(builder, l, yields);
      });
  for (auto [i, target] : llvm::enumerate(targets)) {
    if (reduces && targets.size() == 1)
      ctx.setCotangent(target.operand, generic.getResult(i));
    else
      ctx.accumulate(target.operand, generic.getResult(i));
  }
  return success();
}

LogicalResult BodyDerivative::emit() {
  SmallVector<Target> targets;
  if (failed(collectInputs()) || failed(differentiateBody(targets)))
    return failure();

  if (op.getNumReductionLoops() != 0)
    for (unsigned k : differentiatedResults)
      ctx.accumulate(op.getDpsInitOperand(k)->get(),
                     ctx.cotangent(op->getResult(k)));

  // What has the same map is one pass.
  llvm::MapVector<AffineMap, SmallVector<Target>> groups;
  for (const Target &target : targets) {
    auto argument = dyn_cast<BlockArgument>(target.scalar);
    if (argument && argument.getOwner() == &scratch.front() &&
        maps[argument.getArgNumber()] == target.map &&
        target.map.isPermutation() &&
        tensors[argument.getArgNumber()].getType() ==
            target.operand.getType()) {
      ctx.accumulate(target.operand, tensors[argument.getArgNumber()]);
      continue;
    }
    groups[target.map].push_back(target);
  }
  for (auto &[map, group] : groups)
    if (failed(emitGroup(map, group)))
      return failure();
  return success();
}

void memrev::getStructuredResiduals(LinalgOp op,
                                    function_ref<bool(Value)> isActive,
                                    SmallVectorImpl<Residual> &residuals) {
  auto mayReadResult = [](unsigned, Precision precision) {
    return precision == Precision::Rounded;
  };
  BodyReads reads(op, isActive, mayReadResult);
  for (const BodyInput &input : reads.inputs)
    residuals.push_back(Residual(input.tensor, input.precision));
}

LogicalResult memrev::buildStructuredVJP(LinalgOp op, DerivativeContext &ctx) {
  return BodyDerivative(op, ctx).emit();
}

namespace {

template <typename OpTy>
struct StructuredModel
    : DifferentiableOpInterface::ExternalModel<StructuredModel<OpTy>, OpTy> {
  void getResiduals(Operation *op, function_ref<bool(Value)> isActive,
                    SmallVectorImpl<Residual> &residuals) const {
    getStructuredResiduals(cast<LinalgOp>(op), isActive, residuals);
  }

  LogicalResult buildVJP(Operation *op, DerivativeContext &ctx) const {
    return buildStructuredVJP(cast<LinalgOp>(op), ctx);
  }
};

} // namespace

template <typename... OpTys>
static void attachStructured(MLIRContext *context) {
  (OpTys::template attachInterface<StructuredModel<OpTys>>(*context), ...);
}

void memrev::registerLinalgGenericModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    using namespace linalg;
    attachStructured<GenericOp, MapOp, ElementwiseOp, AddOp, SubOp, MulOp,
                     DivOp, NegFOp, ExpOp, LogOp, SqrtOp, RsqrtOp, SquareOp,
                     ReciprocalOp, TanhOp, ErfOp, AbsOp, MaxOp, MinOp, PowFOp,
                     SelectOp, DotOp, MatvecOp, VecmatOp, BatchMatvecOp,
                     ContractOp>(c);
  });
}
