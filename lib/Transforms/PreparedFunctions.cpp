//===- PreparedFunctions.cpp - Copies that are ready for differentiation --===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A derivative is built in a copy of its function. Here the copy's calls are
// inlined or given derivatives of their own, and forms without a place for a
// cotangent are rewritten.
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "PlannedStorage.h"
#include "PreparedLoops.h"
#include "memrev/Analysis/Activity.h"
#include "memrev/Analysis/Invertibility.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Interfaces/CallDerivative.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

InFlightDiagnostic memrev::reportRecursion(Location loc,
                                           func::FuncOp callee) {
  InFlightDiagnostic diag =
      emitError(loc, "expects calls without recursion to differentiate, but '@")
      << callee.getName() << "' calls itself";
  diag.attachNote(callee.getLoc()) << "function defined here";
  return diag;
}

static bool hasOneBlock(func::FuncOp function) {
  return llvm::hasSingleElement(function.getBody());
}

/// True if inverse edges give as many arguments of `function` back as it has
/// results of their types: the block of a chain.
static bool isInvertible(func::FuncOp function) {
  if (!hasOneBlock(function))
    return false;
  Block &body = function.getBody().front();
  SmallVector<Value> states;
  llvm::SmallBitVector isState(body.getNumArguments());
  for (Type type : function.getResultTypes())
    for (BlockArgument argument : body.getArguments())
      if (argument.getType() == type && rev::isDifferentiable(type) &&
          !isState[argument.getArgNumber()]) {
        isState.set(argument.getArgNumber());
        states.push_back(argument);
        break;
      }
  if (states.empty())
    return false;
  auto isOutside = [&](Value v) { return v.getParentBlock() != &body; };
  Invertibility invertibility(body, isOutside);
  for (BlockArgument argument : body.getArguments())
    if (!isState[argument.getArgNumber()])
      invertibility.addKnown(argument);
  for (Value result : body.getTerminator()->getOperands())
    invertibility.addKnown(result);
  invertibility.solve(/*mayLoseDigits=*/false);
  return llvm::all_of(states,
                      [&](Value v) { return invertibility.isKnown(v); });
}

/// True if `function` or what it calls holds a coupling, or a block of a chain.
static bool holdsInverses(func::FuncOp function, const SymbolTable &symbols,
                           llvm::SmallPtrSetImpl<Operation *> &visited) {
  if (!visited.insert(function).second)
    return false;
  if (isInvertible(function))
    return true;
  WalkResult result = function.walk([&](Operation *op) {
    if (isa<rev::CouplingOp>(op))
      return WalkResult::interrupt();
    if (auto call = dyn_cast<func::CallOp>(op))
      if (auto callee = symbols.lookup<func::FuncOp>(call.getCallee()))
        if (holdsInverses(callee, symbols, visited))
          return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return result.wasInterrupted();
}

bool DerivedFunctions::isInvertedByCall(func::CallOp call, func::FuncOp callee,
                                        const Preparation &preparation) {
  bool inverts = preparation.asksForInverse() ||
                 (preparation.kind == Preparation::Reverse &&
                  preparation.policy == rev::Policy::Invert);
  // The scalar body of an operation is differentiated as a whole.
  return inverts && !call->getParentOfType<linalg::LinalgOp>() &&
         getNamedInverse(callee);
}

bool DerivedFunctions::hasInvertibleTangent(func::CallOp call,
                                            func::FuncOp callee,
                                            const Preparation &preparation) {
  if (preparation.kind != Preparation::Forward || !preparation.keepsInverses ||
      call->getParentOfType<linalg::LinalgOp>())
    return false;
  FlatSymbolRefAttr name = getNamedInverse(callee);
  // The inverse must have a tangent, too, without that of the function itself.
  return name && hasTangentWithout(
                     callee, symbols.lookup<func::FuncOp>(name.getValue()));
}

bool DerivedFunctions::hasTangentWithout(func::FuncOp callee,
                                         func::FuncOp inverse) {
  llvm::SetVector<func::FuncOp> reached;
  reached.insert(inverse);
  for (size_t i = 0; i < reached.size(); ++i) {
    func::FuncOp next = reached[i];
    if (!next || next == callee)
      return false;
    if (hasCustomRule(next))
      continue;
    if (!hasOneBlock(next))
      return false;
    next.walk([&](func::CallOp call) {
      reached.insert(symbols.lookup<func::FuncOp>(call.getCallee()));
    });
  }
  return true;
}

bool DerivedFunctions::isInlined(func::CallOp call, func::FuncOp callee,
                                 const Preparation &preparation) {
  // What is inverted is looked into. The region of a coupling is not, and may be
  // differentiated by the rules that its functions have.
  if (preparation.asksForInverse())
    return !getNamedInverse(callee) &&
           !(preparation.isInCoupling && hasCustomRule(callee));
  // Until the plan is made, what has an inverse may be inverted.
  if (isInvertedByCall(call, callee, preparation) &&
      (!call->hasAttr(kCallInverseAttrName) || getPlannedEdge(call)))
    return false;
  if (hasCustomRule(callee) ||
      hasInvertibleTangent(call, callee, preparation))
    return false;
  // A call in the scalar body of an operation has no tensors to hand over, and
  // what is called once is not differentiated twice.
  if (call->getParentOfType<linalg::LinalgOp>() || numCalls.lookup(callee) <= 1)
    return true;
  if (preparation.kind == Preparation::Forward ||
      preparation.policy == rev::Policy::Store)
    return false;
  // Inversion crosses calls.
  llvm::SmallPtrSet<Operation *, 8> visited;
  return call->getParentOfType<LoopLikeOpInterface>() ||
         holdsInverses(callee, symbols, visited);
}

/// Inlines calls in `region`. `stack` holds the functions that are being
/// inlined, `inlined` receives those that were.
LogicalResult
DerivedFunctions::inlineCalls(Region &region, const Preparation &preparation,
                              SmallVectorImpl<Operation *> &stack,
                              llvm::SmallPtrSetImpl<Operation *> &inlined) {
  SmallVector<func::CallOp> calls;
  region.walk([&](func::CallOp call) { calls.push_back(call); });
  for (func::CallOp call : calls) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    // What cannot be inlined and has no rule is an error only on a path that a
    // gradient takes.
    if (!callee || !hasOneBlock(callee))
      continue;
    if (llvm::is_contained(stack, callee.getOperation()))
      return reportRecursion(call.getLoc(), callee);
    Preparation inner = preparation;
    inner.isInCoupling |= call->getParentOfType<rev::CouplingOp>() != nullptr;
    if (!isInlined(call, callee, inner))
      continue;
    if (failed(expandTransforms(callee)))
      return failure();
    inlined.insert(callee);
    // A region of its own, so that nested calls are found in the copy alone.
    Region copy;
    IRMapping mapping;
    callee.getBody().cloneInto(&copy, mapping);
    stack.push_back(callee);
    LogicalResult nested = inlineCalls(copy, inner, stack, inlined);
    stack.pop_back();
    if (failed(nested))
      return failure();
    IRRewriter rewriter(call);
    Operation *terminator = copy.front().getTerminator();
    rewriter.inlineBlockBefore(&copy.front(), call, call.getOperands());
    rewriter.replaceOp(call, terminator->getOperands());
    rewriter.eraseOp(terminator);
  }
  return success();
}

namespace {
/// A call that is active, and in which operands and results.
struct ActiveCall {
  func::CallOp call;
  func::FuncOp callee;
  SmallVector<int64_t> wrt, of;
};
} // namespace

static SmallVector<ActiveCall> findActiveCalls(func::FuncOp function,
                                               ArrayRef<int64_t> wrt,
                                               const SymbolTable &symbols) {
  Activity activity;
  for (int64_t i : wrt)
    activity.addRoot(function.getArgument(i));
  activity.propagate(function.getBody().front());
  SmallVector<ActiveCall> found;
  function.walk([&](func::CallOp call) {
    ActiveCall active{
        call, symbols.lookup<func::FuncOp>(call.getCallee()), {}, {}};
    for (auto [i, operand] : llvm::enumerate(call.getOperands()))
      if (activity.isActive(operand) &&
          rev::isDifferentiable(operand.getType()))
        active.wrt.push_back(i);
    for (auto [i, result] : llvm::enumerate(call.getResults()))
      if (activity.isActive(result) && !result.use_empty() &&
          rev::isDifferentiable(result.getType()))
        active.of.push_back(i);
    if (active.callee && !active.wrt.empty() && !active.of.empty())
      found.push_back(active);
  });
  return found;
}

/// Replaces `call` by one of `forward`, whose first results are the same.
static func::CallOp replaceCallee(func::CallOp call, func::FuncOp forward) {
  OpBuilder builder(call);
  auto augmented =
      func::CallOp::create(builder, call.getLoc(), forward, call.getOperands());
  call->replaceAllUsesWith(
      augmented.getResults().take_front(call.getNumResults()));
  call->erase();
  return augmented;
}

static void describe(func::CallOp call, StringRef derivedAttr,
                     func::FuncOp derivedFunction, ArrayRef<int64_t> wrt,
                     ArrayRef<int64_t> of) {
  Builder builder(call.getContext());
  call->setAttr(derivedAttr,
                FlatSymbolRefAttr::get(derivedFunction.getSymNameAttr()));
  call->setAttr(kCallWrtAttrName, builder.getDenseI64ArrayAttr(wrt));
  call->setAttr(kCallOfAttrName, builder.getDenseI64ArrayAttr(of));
}

LogicalResult DerivedFunctions::deriveCalls(func::FuncOp function,
                                            const Preparation &preparation) {
  for (ActiveCall &active :
       findActiveCalls(function, preparation.wrt, symbols)) {
    func::FuncOp callee = active.callee;
    Location loc = active.call.getLoc();
    if (!hasCustomRule(callee) && !hasOneBlock(callee))
      continue;
    if (preparation.kind == Preparation::Forward) {
      TangentRequest request{callee, active.wrt,
                             active.of, preparation.strongZero,
                             loc, preparation.keepsInverses};
      bool isInvertible =
          hasInvertibleTangent(active.call, callee, preparation);
      FailureOr<func::FuncOp> tangent = isInvertible
                                            ? getInvertibleTangent(request)
                                            : getAnyTangent(request);
      if (failed(tangent))
        return failure();
      if (isInvertible) {
        Builder builder(module.getContext());
        int64_t numSide = getNumSideResults(callee);
        active.call->setAttr(
            kCallRecoveredAttrName,
            builder.getI64IntegerAttr(
                getCustomInverse(callee)->getNumResults() - numSide));
        if (numSide != 0)
          active.call->setAttr(kCallSideResultsAttrName,
                               builder.getI64IntegerAttr(numSide));
      }
      describe(active.call, kTangentAttrName, *tangent, request.wrt,
               request.of);
      continue;
    }
    DerivativeRequest request{callee,
                              active.wrt,
                              active.of,
                              /*isValueAndGrad=*/false,
                              preparation.policy,
                              preparation.strongZero,
                              loc,
                              /*accumulates=*/true};
    // What the plan inverts saves nothing: its derivative evaluates the
    // function again at what came back.
    bool isInverted = getPlannedEdge(active.call).has_value();
    FailureOr<SplitFunctions> split =
        isInverted              ? getEvaluatingAgain(request)
        : hasCustomRule(callee) ? getCustomSplit(request)
                                : getSplit(request);
    if (failed(split))
      return failure();
    func::CallOp call = isInverted
                            ? active.call
                            : replaceCallee(active.call, split->forward);
    describe(call, kBackwardAttrName, split->backward, request.wrt, request.of);
    int64_t numOperands = call.getNumOperands();
    int64_t numResults = callee.getNumResults();
    SmallVector<int64_t> residuals;
    for (const SplitFunctions::Residual &residual : split->residuals) {
      switch (residual.kind) {
      case SplitFunctions::Residual::Argument:
        residuals.push_back(residual.number);
        break;
      case SplitFunctions::Residual::Result:
        residuals.push_back(numOperands + residual.number);
        break;
      case SplitFunctions::Residual::Saved:
        residuals.push_back(numOperands + numResults + residual.number);
        break;
      }
    }
    call->setAttr(kCallResidualsAttrName,
                  DenseI64ArrayAttr::get(call.getContext(), residuals));
    call->setAttr(kCallSumsAttrName,
                  DenseI64ArrayAttr::get(call.getContext(), split->sums));
  }
  return success();
}

LogicalResult
DerivedFunctions::describeInverses(func::FuncOp function,
                                   const Preparation &preparation) {
  WalkResult result = function.walk([&](func::CallOp call) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    if (!callee || !isInvertedByCall(call, callee, preparation))
      return WalkResult::advance();
    FailureOr<func::FuncOp> inverse = getCustomInverse(callee);
    if (failed(inverse))
      return WalkResult::interrupt();
    Builder builder(call.getContext());
    int64_t numSide = getNumSideResults(callee);
    call->setAttr(kCallInverseAttrName,
                  FlatSymbolRefAttr::get(inverse->getSymNameAttr()));
    call->setAttr(
        kCallRecoveredAttrName,
        builder.getI64IntegerAttr(inverse->getNumResults() - numSide));
    if (numSide != 0)
      call->setAttr(kCallSideResultsAttrName,
                    builder.getI64IntegerAttr(numSide));
    for (Operation *op : {callee.getOperation(), call.getOperation()})
      if (Attribute gain = op->getAttr(rev::kGainAttrName))
        call->setAttr(kCallGainAttrName, gain);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

void memrev::eraseCallDerivatives(func::FuncOp function) {
  function.walk([](func::CallOp call) {
    for (StringRef name :
         {kBackwardAttrName, kTangentAttrName, kCallInverseAttrName,
          kCallRecoveredAttrName, kCallSideResultsAttrName, kCallGainAttrName,
          kCallWrtAttrName, kCallOfAttrName, kCallResidualsAttrName,
          kCallSumsAttrName})
      call->removeAttr(name);
  });
}

//===----------------------------------------------------------------------===//
// Captured scalars
//===----------------------------------------------------------------------===//

/// The float scalars, but constants, that the body of `op` captures.
static llvm::SetVector<Value> getCapturedScalars(Operation *op) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  captured.remove_if([](Value v) {
    Operation *def = v.getDefiningOp();
    return !isa<FloatType, ComplexType>(v.getType()) ||
           (def && def->hasTrait<OpTrait::ConstantLike>());
  });
  return captured;
}

static bool capturesScalars(Operation *op) {
  return !getCapturedScalars(op).empty();
}

/// Turns float scalars that the body of a `linalg.generic` captures into
/// operands of rank 0, so that they have a place for a cotangent.
static void promoteScalarsOf(linalg::GenericOp op) {
  llvm::SetVector<Value> captured = getCapturedScalars(op);
  if (captured.empty())
    return;
  IRRewriter rewriter(op);
  Location loc = op.getLoc();
  SmallVector<Value> inputs(op.getInputs());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  unsigned numInputs = inputs.size();
  for (Value scalar : captured) {
    auto type = RankedTensorType::get({}, scalar.getType());
    inputs.push_back(
        tensor::FromElementsOp::create(rewriter, loc, type, scalar));
    maps.insert(maps.begin() + numInputs,
                AffineMap::get(op.getNumLoops(), 0, rewriter.getContext()));
  }
  auto promoted = linalg::GenericOp::create(
      rewriter, loc, op.getResultTypes(), inputs, op.getOutputs(),
      rewriter.getAffineMapArrayAttr(maps), op.getIteratorTypes(),
      op.getDocAttr(), op.getLibraryCallAttr());
  Block *body = op.getBody();
  for (auto [i, scalar] : llvm::enumerate(captured)) {
    BlockArgument argument =
        body->insertArgument(numInputs + i, scalar.getType(), loc);
    rewriter.replaceUsesWithIf(scalar, argument, [&](OpOperand &use) {
      return op->isProperAncestor(use.getOwner());
    });
  }
  rewriter.inlineRegionBefore(op.getRegion(), promoted.getRegion(),
                              promoted.getRegion().begin());
  rewriter.replaceOp(op, promoted.getResults());
}

LogicalResult memrev::promoteCapturedScalars(func::FuncOp function) {
  SmallVector<linalg::LinalgOp> named;
  function.walk([&](linalg::LinalgOp op) {
    if (isa<linalg::MapOp, linalg::ReduceOp>(op) && capturesScalars(op))
      named.push_back(op);
  });
  IRRewriter rewriter(function.getContext());
  for (linalg::LinalgOp op : named) {
    rewriter.setInsertionPoint(op);
    if (failed(linalg::generalizeNamedOp(rewriter, op)))
      return failure();
  }
  SmallVector<linalg::GenericOp> generics;
  function.walk([&](linalg::GenericOp op) { generics.push_back(op); });
  for (linalg::GenericOp op : generics)
    promoteScalarsOf(op);
  return success();
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

FailureOr<func::FuncOp>
DerivedFunctions::clonePrepared(func::FuncOp function, Twine name,
                                const Preparation &preparation) {
  if (failed(expandTransforms(function)))
    return failure();
  if (!deriving.insert(function)) {
    reportRecursion(preparation.loc, function);
    return failure();
  }
  llvm::scope_exit done([&] { deriving.remove(function); });
  OpBuilder builder(module.getContext());
  auto copy = func::FuncOp::create(builder, function.getLoc(), name.str(),
                                   function.getFunctionType());
  copy.setPrivate();
  symbols.insert(copy, std::next(function->getIterator()));
  if (Attribute planned = function->getAttr(kPlannedAttrName))
    copy->setAttr(kPlannedAttrName, planned);
  for (StringRef name : {kStorageAttrName, rev::kDriftToleranceAttrName})
    if (Attribute value = function->getAttr(name))
      copy->setAttr(name, value);
  bool isCustom = !preparation.asksForInverse() && hasCustomRule(function);
  if (isCustom) {
    // The copy calls the function, and the call has the rule.
    Block *body = copy.addEntryBlock();
    builder.setInsertionPointToEnd(body);
    auto call = func::CallOp::create(builder, preparation.loc, function,
                                     body->getArguments());
    func::ReturnOp::create(builder, function.getLoc(), call.getResults());
    if (failed(deriveCalls(copy, preparation)))
      return failure();
    return copy;
  }
  IRMapping mapping;
  function.getBody().cloneInto(&copy.getBody(), mapping);
  if (failed(prepareCalls(copy, function, preparation)))
    return failure();
  return copy;
}

LogicalResult DerivedFunctions::prepareCalls(func::FuncOp copy,
                                             func::FuncOp function,
                                             const Preparation &preparation) {
  bool isReverse = preparation.kind == Preparation::Reverse;
  auto isPlanned = [&] {
    auto planned = copy->getAttrOfType<StringAttr>(kPlannedAttrName);
    return planned && planned == rev::stringifyPolicy(preparation.policy);
  };
  // What is inlined because the plan does not invert it is planned in its turn:
  // once per level of calls.
  size_t numFunctions = llvm::range_size(module.getOps<func::FuncOp>());
  for (size_t level = 0;; ++level) {
    if (level > numFunctions) {
      reportRecursion(preparation.loc, function);
      return failure();
    }
    SmallVector<Operation *> stack{function};
    llvm::SmallPtrSet<Operation *, 8> inlined;
    if (failed(inlineCalls(copy.getBody(), preparation, stack, inlined)))
      return failure();
    for (Operation *callee : inlined)
      tightenDriftTolerance(copy, cast<func::FuncOp>(callee));
    if (failed(describeInverses(copy, preparation)))
      return failure();
    if (preparation.asksForInverse())
      return success();
    if (level > 0 && inlined.empty())
      break;
    bool changed = false;
    if (isReverse && failed(prepareLoops(copy, preparation.wrt, changed)))
      return failure();
    // The plan of the function does not cover what was inlined, nor what calls
    // have for inverses.
    bool hasInverses = false;
    copy.walk([&](func::CallOp call) {
      hasInverses |= call->hasAttr(kCallInverseAttrName);
    });
    if (changed || !inlined.empty() || hasInverses)
      copy->removeAttr(kPlannedAttrName);
    if (isReverse && !isPlanned())
      planFunction(copy, preparation.policy);
    if (!isReverse || !hasInverses)
      break;
  }
  return deriveCalls(copy, preparation);
}
