//===- LinalgGeneric.cpp - Rules of linalg operations with scalar bodies --===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One rule for linalg.generic and the named operations that are generics with
// a fixed body: elementwise operations, and reductions by sums, products,
// maxima and minima. The derivative of the scalar body is reverse mode over the
// body; what it computes for each iteration is added to the cotangents of the
// operands by LinalgContributions.
//
//===----------------------------------------------------------------------===//

#include "Convolution.h"
#include "LinalgContributions.h"
#include "LinalgInverses.h"
#include "LinalgReductions.h"
#include "LinalgRules.h"
#include "Models.h"
#include "ScalarRules.h"
#include "TensorExpressions.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Transforms/RegionUtils.h"
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
  /// Tensors that the body captures and reads elements of.
  llvm::SetVector<Value> captured;

private:
  void visit(Value scalar, Precision precision);
  void read(Value scalar, Value tensor, AffineMap map, Precision precision);
  /// Reads `scalar` off a result that holds it, if there is one.
  bool readResult(Value scalar, Precision precision);

  LinalgOp op;
  Block *body;
  function_ref<bool(unsigned, Precision)> mayReadResult;
  llvm::SmallDenseMap<Value, unsigned> positions;
  llvm::SmallDenseSet<Value> visited;
};

} // namespace

/// The operations that fold something into a running value by a maximum, a
/// minimum or a product: their derivatives are not those of two scalars.
static llvm::SmallDenseSet<Operation *> getFoldingOps(LinalgOp op) {
  llvm::SmallDenseSet<Operation *> ops;
  for (unsigned k = 0, e = op.getNumDpsInits(); k < e; ++k)
    if (getReduction(op, k).folded)
      ops.insert(op.getBlock()->getTerminator()->getOperand(k).getDefiningOp());
  return ops;
}

BodyReads::BodyReads(LinalgOp op, function_ref<bool(Value)> isActive,
                     function_ref<bool(unsigned, Precision)> mayReadResult)
    : op(op), body(op.getBlock()), mayReadResult(mayReadResult) {
  llvm::SmallDenseSet<Operation *> foldingOps = getFoldingOps(op);
  for (Operation &inner : body->without_terminator()) {
    auto rule = dyn_cast<DifferentiableOpInterface>(&inner);
    bool isRead = llvm::any_of(inner.getOperands(), isActive);
    visitUsedValuesDefinedAbove(inner.getRegions(), [&](OpOperand *operand) {
      isRead |= isActive(operand->get());
    });
    if (!rule || !isRead || foldingOps.contains(&inner))
      continue;
    if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
      for (Value index : extract.getIndices())
        visit(index, Precision::Exact);
      continue;
    }
    SmallVector<Residual> residuals;
    rule.getResiduals(isActive, residuals);
    for (const Residual &residual : residuals)
      if (llvm::none_of(residual.alternatives, [&](Value scalar) {
            return readResult(scalar, residual.precision);
          }))
        visit(residual.alternatives.front(), residual.precision);
  }
}

void BodyReads::read(Value scalar, Value tensor, AffineMap map,
                     Precision precision) {
  auto [it, isNew] = positions.try_emplace(scalar, inputs.size());
  if (isNew)
    inputs.push_back({scalar, tensor, map, precision});
  else if (precision == Precision::Exact)
    inputs[it->second].precision = precision;
}

bool BodyReads::readResult(Value scalar, Precision precision) {
  if (op.getNumReductionLoops() != 0)
    return false;
  for (auto [k, yielded] :
       llvm::enumerate(body->getTerminator()->getOperands()))
    if (yielded == scalar && mayReadResult(k, precision)) {
      read(scalar, op->getResult(k),
           op.getMatchingIndexingMap(op.getDpsInitOperand(k)), precision);
      return true;
    }
  return false;
}

void BodyReads::visit(Value scalar, Precision precision) {
  auto argument = dyn_cast<BlockArgument>(scalar);
  if (argument && argument.getOwner() == body) {
    OpOperand *operand = op.getMatchingOpOperand(argument);
    read(scalar, operand->get(), op.getMatchingIndexingMap(operand), precision);
    return;
  }
  Operation *def = scalar.getDefiningOp();
  if (!def || def->getBlock() != body) {
    if (isa<RankedTensorType>(scalar.getType()))
      captured.insert(scalar);
    return;
  }
  if (readResult(scalar, precision))
    return;
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

namespace {

/// Emits the derivative of one operation.
class BodyDerivative {
public:
  BodyDerivative(LinalgOp op, DerivativeContext &ctx)
      : op(op), ctx(ctx), loc(op.getLoc()) {}

  LogicalResult emit();

private:
  /// A result with a cotangent.
  struct Result {
    unsigned number;
    Reduction reduction;
    /// The argument of scratch that holds the cotangent: of the result, or of
    /// each factor of a product.
    unsigned cotangent = 0;
    /// If it is an extremum, the argument that holds the winner's number.
    unsigned winner = 0;
    IterationNumber iteration;
  };

  LogicalResult collectCaptures();
  LogicalResult collectInputs();
  LogicalResult addResult(unsigned k);
  LogicalResult differentiateBody(SmallVectorImpl<Contribution> &contributions);
  void seed(DerivativeContext &nested, OpBuilder &builder,
            const Result &result);

  void addContribution(OpBuilder &builder, Contribution contribution,
                       SmallVectorImpl<Contribution> &all);

  LinalgOp op;
  DerivativeContext &ctx;
  Location loc;
  ScratchBody scratch;
  SmallVector<BodyInput> primals;
  SmallVector<Result> results;
  /// Reads of captured tensors that have derivatives.
  SmallVector<tensor::ExtractOp> gathers;
};

} // namespace

LogicalResult BodyDerivative::collectCaptures() {
  LogicalResult result = success();
  visitUsedValuesDefinedAbove(op->getRegions(), [&](OpOperand *operand) {
    if (!ctx.isActive(operand->get()) || failed(result))
      return;
    auto gather = dyn_cast<tensor::ExtractOp>(operand->getOwner());
    if (gather && gather->getBlock() == op.getBlock()) {
      gathers.push_back(gather);
      return;
    }
    InFlightDiagnostic diagnostic =
        operand->getOwner()->emitError(
            "expects captured tensors to be read by tensor.extract, outside of "
            "inner regions, where a gradient flows, but got '")
        << operand->getOwner()->getName() << "'";
    diagnostic.attachNote(loc) << "in the body of this operation";
    result = diagnostic;
  });
  return result;
}

LogicalResult BodyDerivative::addResult(unsigned k) {
  OpOperand *initOperand = op.getDpsInitOperand(k);
  Value cotangent = ctx.cotangent(op->getResult(k));
  AffineMap map = op.getMatchingIndexingMap(initOperand);
  Result result;
  result.number = k;
  result.reduction = getReduction(op, k);
  const Reduction &reduction = result.reduction;
  if (reduction.folding == Folding::Unknown)
    return op.emitError("expects a reduction by a sum, a product, a maximum or "
                        "a minimum where a gradient flows, but result ")
           << k << " is another function of its running value";
  if (reduction.folding == Folding::None && !map.isProjectedPermutation())
    return op.emitError("expects results at projected permutations of the "
                        "loops where a gradient flows, but got ")
           << AffineMapAttr::get(map);
  if (reduction.folding == Folding::Sum)
    ctx.accumulate(initOperand->get(), cotangent);
  if (reduction.folding == Folding::Product) {
    FailureOr<FactorCotangents> factors =
        buildFactorCotangents(op, ctx, k, reduction);
    if (failed(factors))
      return failure();
    ctx.accumulate(initOperand->get(), factors->start);
    cotangent = factors->factors;
    map = factors->map;
  }
  result.cotangent = scratch.tensors.size();
  scratch.add(cotangent, map);
  if (reduction.isExtremum()) {
    FailureOr<Winners> winners = buildWinners(op, ctx, k, reduction);
    if (failed(winners))
      return failure();
    result.winner = scratch.tensors.size();
    result.iteration = winners->number;
    scratch.add(winners->numbers, map);
    if (ctx.isActive(initOperand->get()))
      ctx.accumulate(
          initOperand->get(),
          buildIfStartWon(ctx.getBuilder(), loc, cotangent, winners->numbers));
  }
  results.push_back(result);
  return success();
}

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
    scratch.add(now, input.map);
  }
  for (unsigned k = 0, e = op->getNumResults(); k < e; ++k)
    if (ctx.cotangent(op->getResult(k)) && failed(addResult(k)))
      return failure();
  return success();
}

/// Gives the cotangent of `result` to what the body yields, or folds.
void BodyDerivative::seed(DerivativeContext &nested, OpBuilder &builder,
                          const Result &result) {
  Value cotangent = scratch.getBlock().getArgument(result.cotangent);
  const Reduction &reduction = result.reduction;
  if (!reduction.folded)
    return nested.accumulate(
        op.getBlock()->getTerminator()->getOperand(result.number), cotangent);
  if (!ctx.isActive(reduction.folded))
    return;
  if (reduction.isExtremum())
    cotangent = buildIfWon(builder, loc, cotangent,
                           scratch.getBlock().getArgument(result.winner),
                           result.iteration.build(builder, loc));
  nested.accumulate(
      reduction.folded,
      buildFloatCast(builder, loc, cotangent, reduction.folded.getType()));
}

void BodyDerivative::addContribution(OpBuilder &builder,
                                     Contribution contribution,
                                     SmallVectorImpl<Contribution> &all) {
  if (!contribution.scalar)
    return;
  // The same tensor read twice at the same place gets one sum.
  auto same = llvm::find_if(all, [&](const Contribution &c) {
    return !contribution.isIndexed && !c.isIndexed &&
           c.operand == contribution.operand && c.map == contribution.map;
  });
  if (same == all.end())
    all.push_back(std::move(contribution));
  else
    same->scalar =
        buildScalarSum(builder, loc, same->scalar, contribution.scalar);
}

LogicalResult BodyDerivative::differentiateBody(
    SmallVectorImpl<Contribution> &contributions) {
  Block &block = scratch.region.emplaceBlock();
  for (Value tensor : scratch.tensors)
    block.addArgument(getElementTypeOrSelf(tensor.getType()), loc);
  OpBuilder builder(ctx.getBuilder().getContext());
  builder.setInsertionPointToEnd(&block);
  std::unique_ptr<DerivativeContext> nested = ctx.nest(
      builder, op->getRegion(0), DerivativeContext::Fallback::Recompute);
  for (auto [i, input] : llvm::enumerate(primals))
    nested->provide(input.scalar, block.getArgument(i));
  for (const Result &result : results)
    seed(*nested, builder, result);
  llvm::SmallDenseSet<Operation *> others = getFoldingOps(op);
  others.insert(gathers.begin(), gathers.end());
  SmallVector<Operation *> ops;
  for (Operation &inner : op.getBlock()->without_terminator())
    if (!others.contains(&inner))
      ops.push_back(&inner);
  if (failed(nested->differentiate(ops)))
    return failure();

  bool reduces = op.getNumReductionLoops() != 0;
  for (OpOperand &operand : op->getOpOperands()) {
    Value argument = op.getMatchingBlockArgument(&operand);
    // What a reduction starts from was given its cotangent.
    if (!ctx.isActive(operand.get()) || argument.use_empty() ||
        (reduces && op.isDpsInit(&operand)))
      continue;
    Contribution contribution;
    contribution.operand = operand.get();
    contribution.map = op.getMatchingIndexingMap(&operand);
    contribution.scalar = nested->cotangent(argument);
    addContribution(builder, contribution, contributions);
  }
  for (tensor::ExtractOp gather : gathers) {
    Contribution contribution;
    contribution.operand = gather.getTensor();
    contribution.isIndexed = true;
    contribution.scalar = nested->cotangent(gather);
    if (!contribution.scalar)
      continue;
    for (Value index : gather.getIndices()) {
      Value now = nested->primal(index, Precision::Exact);
      if (!now)
        return failure();
      contribution.indices.push_back(now);
    }
    addContribution(builder, contribution, contributions);
  }
  return success();
}

LogicalResult BodyDerivative::emit() {
  SmallVector<Contribution> contributions;
  if (failed(collectCaptures()) || failed(collectInputs()) ||
      failed(differentiateBody(contributions)))
    return failure();
  return emitContributions(op, ctx, scratch, contributions);
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
  for (Value tensor : reads.captured)
    residuals.push_back(tensor);
  // Maxima ask who won, products for all factors.
  for (unsigned k = 0, e = op.getNumDpsInits(); k < e; ++k) {
    Reduction reduction = getReduction(op, k);
    if (!reduction.folded)
      continue;
    Precision precision =
        reduction.isExtremum() ? Precision::Exact : Precision::Rounded;
    for (OpOperand *operand : getOperandsOf(op, reduction.folded))
      residuals.push_back(Residual(operand->get(), precision));
    residuals.push_back(Residual(op.getDpsInitOperand(k)->get(), precision));
  }
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
    auto structured = cast<LinalgOp>(op);
    // The gradient of a convolution's filter is one that has no name.
    if (std::is_same_v<OpTy, linalg::GenericOp> && isConvolution(structured))
      return buildConvolutionVJP(structured, ctx);
    return buildStructuredVJP(structured, ctx);
  }
};

} // namespace

template <typename... OpTys>
static void attachStructured(MLIRContext *context) {
  (OpTys::template attachInterface<StructuredModel<OpTys>>(*context), ...);
}

template <typename... OpTys>
static void attachInvertible(MLIRContext *context) {
  (OpTys::template attachInterface<StructuredModel<OpTys>,
                                   StructuredInverse<OpTys>>(*context),
   ...);
}

void memrev::registerLinalgGenericModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    using namespace linalg;
    attachInvertible<GenericOp, MapOp, ElementwiseOp, AddOp, SubOp, MulOp,
                     DivOp, NegFOp, ExpOp, LogOp, SqrtOp, RsqrtOp, ReciprocalOp,
                     TanhOp, DotOp, MatvecOp, VecmatOp, BatchMatvecOp,
                     BatchVecmatOp, BatchReduceMatmulOp, Mmt4DOp, BatchMmt4DOp,
                     ContractOp>(c);
    attachStructured<SquareOp, ErfOp, AbsOp, MaxOp, MinOp, PowFOp, SelectOp,
                     FillRng2DOp>(c);
    // Steps.
    CeilOp::attachInterface<InactiveModel<CeilOp>>(*c);
    FloorOp::attachInterface<InactiveModel<FloorOp>>(*c);
    RoundOp::attachInterface<InactiveModel<RoundOp>>(*c);
  });
}
