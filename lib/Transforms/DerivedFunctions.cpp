//===- DerivedFunctions.cpp - Functions derived from functions ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "PlannedStorage.h"
#include "PreparedLoops.h"
#include "ReverseContext.h"
#include "memrev/Analysis/InferredInverses.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/Recomputation.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

DerivedFunctions::DerivedFunctions(ModuleOp module, const CostModel &costs)
    : module(module), costs(costs), symbols(module) {
  module.walk([&](func::CallOp call) {
    if (Operation *callee = symbols.lookup(call.getCallee()))
      ++numCalls[callee];
  });
  for (auto function : module.getOps<func::FuncOp>())
    if (auto inverse =
            function->getAttrOfType<FlatSymbolRefAttr>(rev::kInverseAttrName))
      inverted.try_emplace(inverse.getAttr(), FlatSymbolRefAttr::get(
                                                  function.getSymNameAttr()));
  module.walk([&](Operation *op) {
    if (isa<rev::VjpOp, rev::ValueAndGradOp>(op))
      addReversed(symbols.lookup<func::FuncOp>(
          op->getAttrOfType<FlatSymbolRefAttr>("callee").getValue()));
  });
}

void DerivedFunctions::addReversed(func::FuncOp function) {
  SmallVector<func::FuncOp> pending{function};
  while (!pending.empty()) {
    func::FuncOp next = pending.pop_back_val();
    if (!next || !reversed.insert(next).second)
      continue;
    // What calls and transforms name.
    next.walk([&](Operation *op) {
      if (auto name = op->getAttrOfType<FlatSymbolRefAttr>("callee"))
        pending.push_back(symbols.lookup<func::FuncOp>(name.getValue()));
    });
  }
}

//===----------------------------------------------------------------------===//
// Expanding transforms
//===----------------------------------------------------------------------===//

LogicalResult DerivedFunctions::expandAll() {
  SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
  for (func::FuncOp function : functions)
    if (failed(expandTransforms(function)))
      return failure();
  return success();
}

LogicalResult DerivedFunctions::expandTransforms(func::FuncOp function) {
  if (expanded.contains(function))
    return success();
  if (!expanding.insert(function))
    return function.emitError("expects a function that does not transform "
                              "itself, but '@")
           << function.getName() << "' does";
  SmallVector<Operation *> transforms;
  function.walk([&](Operation *op) {
    if (rev::isTransform(op))
      transforms.push_back(op);
  });
  for (Operation *transform : transforms)
    if (failed(expandTransform(transform)))
      return failure();
  expanding.remove(function);
  expanded.insert(function);
  return success();
}

LogicalResult DerivedFunctions::expandTransform(Operation *transform) {
  Location loc = transform->getLoc();
  auto name = transform->getAttrOfType<FlatSymbolRefAttr>("callee");
  auto callee = symbols.lookup<func::FuncOp>(name.getValue());
  FailureOr<func::FuncOp> result = failure();
  if (auto vjp = dyn_cast<rev::VjpOp>(transform)) {
    DerivativeRequest request{
        callee, {}, {}, false, vjp.getPolicy(), vjp.getStrongZero(), loc};
    request.wrt =
        rev::getDifferentiated(vjp.getWrt(), callee.getArgumentTypes());
    request.of = rev::getDifferentiated(vjp.getOf(), callee.getResultTypes());
    FailureOr<bool> shared = shareForward(vjp, request);
    if (failed(shared) || *shared)
      return shared;
    result = getDerivative(request);
  } else if (auto grad = dyn_cast<rev::ValueAndGradOp>(transform)) {
    DerivativeRequest request{
        callee, {}, {}, true, grad.getPolicy(), grad.getStrongZero(), loc};
    request.wrt =
        rev::getDifferentiated(grad.getWrt(), callee.getArgumentTypes());
    result = getDerivative(request);
  } else if (auto jvp = dyn_cast<rev::JvpOp>(transform)) {
    bool isReversed =
        reversed.contains(transform->getParentOfType<func::FuncOp>());
    TangentRequest request{callee, {},  {}, jvp.getStrongZero(),
                           loc,    isReversed};
    request.wrt =
        rev::getDifferentiated(jvp.getWrt(), callee.getArgumentTypes());
    request.of = rev::getDifferentiated(jvp.getOf(), callee.getResultTypes());
    result = getTangent(request);
  } else if (auto logDet = dyn_cast<rev::LogDetOp>(transform)) {
    LogDetRequest request{callee, {0}, {}, int64_t(logDet.getBatchDim()), loc};
    if (logDet.getWrt())
      request.wrt = SmallVector<int64_t>(*logDet.getWrt());
    if (logDet.getOf())
      request.of = SmallVector<int64_t>(*logDet.getOf());
    result = getLogDet(request);
  } else {
    auto inverse = cast<rev::InverseOp>(transform);
    SmallVector<int64_t> wrt = inverse.getWrt()
                                   ? SmallVector<int64_t>(*inverse.getWrt())
                                   : SmallVector<int64_t>{0};
    result = getInverse(callee, wrt, loc);
  }
  if (failed(result))
    return failure();
  OpBuilder builder(transform);
  auto call =
      func::CallOp::create(builder, loc, *result, transform->getOperands());
  ++numCalls[*result];
  transform->replaceAllUsesWith(call);
  transform->erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

std::string memrev::getMode(rev::Policy policy, bool strongZero) {
  return (rev::stringifyPolicy(policy) + (strongZero ? " strong_zero" : ""))
      .str();
}

std::string memrev::getKey(StringRef kind, func::FuncOp function,
                           ArrayRef<int64_t> wrt, ArrayRef<int64_t> of,
                           StringRef policy) {
  std::string key;
  llvm::raw_string_ostream os(key);
  os << kind << ' ' << function.getName() << ' ' << policy << " wrt ";
  llvm::interleaveComma(wrt, os);
  os << " of ";
  llvm::interleaveComma(of, os);
  return key;
}

/// Follows the storage plan of `function`, if it has one.
static LogicalResult storeWhatFits(func::FuncOp function,
                                   const DerivativeRequest &request,
                                   const CostModel &costs) {
  Activity activity;
  for (int64_t i : request.wrt)
    activity.addRoot(function.getArgument(i));
  activity.propagate(function.getBody().front());
  FailureOr<bool> isAnyStored = planStorage(function, activity, costs);
  if (failed(isAnyStored))
    return failure();
  if (*isAnyStored)
    expandForDifferentiation(function, DerivativeMode::Reverse);
  return success();
}

FailureOr<func::FuncOp>
DerivedFunctions::build(const DerivativeRequest &request, StringRef name,
                        bool returnResults, Operation *&marker,
                        SmallVectorImpl<int64_t> &sums) {
  Preparation preparation{Preparation::Reverse, request.wrt, request.policy,
                          request.strongZero, request.loc};
  FailureOr<func::FuncOp> copy =
      clonePrepared(request.function, name, preparation);
  if (failed(copy))
    return failure();
  func::FuncOp function = *copy;
  expandForDifferentiation(function, DerivativeMode::Reverse);
  if (failed(promoteCapturedScalars(function)))
    return failure();
  if (request.policy == rev::Policy::Invert) {
    Activity activity;
    for (int64_t i : request.wrt)
      activity.addRoot(function.getArgument(i));
    activity.propagate(function.getBody().front());
    planInferredInverses(function.getBody().front(), activity);
  }
  if (request.storage)
    function->setAttr(kStorageAttrName,
                      OpBuilder(function).getI64IntegerAttr(*request.storage));
  bool hasPlan =
      request.policy == rev::Policy::Invert && hasStoragePlan(function);
  if (hasPlan && failed(storeWhatFits(function, request, costs)))
    return failure();
  function->removeAttr(kStorageAttrName);
  function->removeAttr(rev::kDriftToleranceAttrName);

  Block &body = function.getBody().front();
  Operation *terminator = body.getTerminator();
  Location loc = request.loc;
  SmallVector<Value> results(terminator->getOperands());
  unsigned numArguments = body.getNumArguments();
  for (int64_t i : request.of)
    body.addArgument(results[i].getType(), loc);

  OpBuilder builder(terminator);
  marker = UnrealizedConversionCastOp::create(builder, loc, TypeRange(),
                                              ValueRange());
  ReverseState state;
  state.strongZero = request.strongZero;
  state.drift = drift ? &*drift : nullptr;
  for (int64_t i : request.wrt)
    state.activity.addRoot(body.getArgument(i));
  state.activity.propagate(body);
  if (failed(state.activity.verifyNoWrites(function)))
    return failure();
  if (request.policy == rev::Policy::Invert)
    planRecomputation(function.getBody().front(), state.activity,
                      /*lowersPeak=*/!hasPlan);
  ReverseContext context(builder, function.getBody(), state);
  function.walk([&](Operation *op) { context.addInverters(op); });

  SmallVector<Operation *> ops;
  for (Operation &op : llvm::make_range(body.begin(), marker->getIterator()))
    ops.push_back(&op);
  for (auto [k, i] : llvm::enumerate(request.of))
    context.accumulate(results[i], body.getArgument(numArguments + k));
  if (request.isValueAndGrad) {
    Type type = results[0].getType();
    Attribute one = builder.getFloatAttr(getElementTypeOrSelf(type), 1.0);
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      one = DenseElementsAttr::get(tensor, one);
    context.accumulate(results[0], arith::ConstantOp::create(
                                       builder, loc, cast<TypedAttr>(one)));
  }
  if (failed(context.differentiate(ops)))
    return failure();

  SmallVector<Value> outputs;
  if (returnResults)
    outputs = results;
  for (auto [k, i] : llvm::enumerate(request.wrt)) {
    Value argument = body.getArgument(i);
    Value gradient = context.accumulator(argument);
    if (!gradient)
      return failure();
    outputs.push_back(gradient);
    Value start = context.getZeroStart(argument);
    if (request.accumulates && start && start != gradient &&
        isa<RankedTensorType>(start.getType())) {
      start.replaceAllUsesWith(body.addArgument(start.getType(), loc));
      sums.push_back(k);
    }
  }
  terminator->setOperands(outputs);
  function.setFunctionType(builder.getFunctionType(
      body.getArgumentTypes(), TypeRange(ValueRange(outputs))));
  buildTapes(state);
  // Who gives a value back is asked of the calls, too.
  reports.push_back({function, makeReport(function, marker, state, costs)});
  eraseCallDerivatives(function);
  eraseLoopForms(function);
  return function;
}

FailureOr<func::FuncOp>
DerivedFunctions::getDerivative(const DerivativeRequest &request) {
  StringRef kind = request.isValueAndGrad ? "value_and_grad" : "vjp";
  func::FuncOp primal = request.function;
  std::string key = getKey(kind, primal, request.wrt, request.of,
                           getMode(request.policy, request.strongZero));
  if (func::FuncOp known = derived.lookup(key))
    return known;
  Operation *marker = nullptr;
  SmallVector<int64_t> sums;
  FailureOr<func::FuncOp> function =
      build(request, (primal.getName() + "_" + kind).str(),
            /*returnResults=*/request.isValueAndGrad, marker, sums);
  if (failed(function))
    return failure();
  marker->erase();
  erasePlan(*function);
  derived[key] = *function;
  return function;
}

func::FuncOp DerivedFunctions::ignoreSideResults(func::FuncOp function,
                                                 func::FuncOp inverse,
                                                 int64_t numSide) {
  std::string key = getKey("inverse_of_all_results", function, {}, {}, "");
  if (func::FuncOp known = derived.lookup(key))
    return known;
  ArrayRef<Type> results = function.getResultTypes();
  ArrayRef<Type> inputs = inverse.getArgumentTypes();
  ArrayRef<Type> recovered = inverse.getResultTypes().drop_back(numSide);
  size_t numMain = results.size() - numSide;
  SmallVector<Type> arguments(results);
  llvm::append_range(arguments, inputs.drop_front(numMain));
  OpBuilder builder(module.getContext());
  auto wrapper = func::FuncOp::create(
      builder, inverse.getLoc(), (function.getName() + "_inverse").str(),
      builder.getFunctionType(arguments, recovered));
  wrapper.setPrivate();
  symbols.insert(wrapper, std::next(inverse->getIterator()));
  Block *body = wrapper.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  SmallVector<Value> operands(body->getArguments().take_front(numMain));
  llvm::append_range(operands, body->getArguments().drop_front(results.size()));
  auto call =
      func::CallOp::create(builder, inverse.getLoc(), inverse, operands);
  ++numCalls[inverse];
  func::ReturnOp::create(builder, inverse.getLoc(),
                         call.getResults().drop_back(numSide));
  derived[key] = wrapper;
  return wrapper;
}

FailureOr<func::FuncOp>
DerivedFunctions::getInverseOfAllResults(func::FuncOp function) {
  FailureOr<func::FuncOp> inverse = getCustomInverse(function);
  int64_t numSide = succeeded(inverse) ? getNumSideResults(function) : 0;
  return numSide == 0 ? inverse
                      : ignoreSideResults(function, *inverse, numSide);
}

FailureOr<func::FuncOp> DerivedFunctions::getInverse(func::FuncOp function,
                                                     ArrayRef<int64_t> wrt,
                                                     Location loc) {
  if (getNamedInverse(function)) {
    FailureOr<func::FuncOp> inverse = getCustomInverse(function);
    if (failed(inverse))
      return failure();
    int64_t numSide = getNumSideResults(function);
    if (llvm::equal(wrt, llvm::seq<int64_t>(
                             0, inverse->getNumResults() - numSide)))
      return getInverseOfAllResults(function);
    if (!llvm::hasSingleElement(function.getBody())) {
      InFlightDiagnostic diag =
          emitError(loc, "expects a function with a body of one block where "
                         "'rev.inverse' gives other arguments back, but '@")
          << function.getName() << "' has "
          << function.getBody().getBlocks().size();
      diag.attachNote(function.getLoc()) << "function defined here";
      return diag;
    }
  }
  std::string key = getKey("inverse", function, wrt, {}, "");
  if (func::FuncOp known = derived.lookup(key))
    return known;
  std::string name = (function.getName() + "_inverse").str();
  Preparation preparation{Preparation::Inverse, {}, {}, false, loc};
  FailureOr<func::FuncOp> forward =
      clonePrepared(function, name + "_of", preparation);
  if (failed(forward))
    return failure();
  auto results =
      llvm::to_vector(llvm::seq<int64_t>(0, forward->getNumResults()));
  if (std::optional<UnreachedArgument> unreached =
          planInverse(*forward, wrt, results)) {
    InFlightDiagnostic diag =
        emitError(loc, "expects a function whose inverse gives argument ")
        << unreached->number << " back, but no inverse edge reaches it";
    diag.attachNote(unreached->obstacle.loc) << unreached->obstacle.reason;
    diag.attachNote(function.getLoc()) << "function defined here";
    return diag;
  }

  Block &primal = forward->getBody().front();
  Operation *terminator = primal.getTerminator();
  SmallVector<Value> others;
  for (BlockArgument argument : primal.getArguments())
    if (!llvm::is_contained(wrt, argument.getArgNumber()))
      others.push_back(argument);
  SmallVector<Type> inputs(terminator->getOperandTypes()), outputs;
  llvm::append_range(inputs, ValueRange(others).getTypes());
  for (int64_t i : wrt)
    outputs.push_back(primal.getArgument(i).getType());

  OpBuilder builder(module.getContext());
  auto inverse = func::FuncOp::create(builder, loc, name,
                                      builder.getFunctionType(inputs, outputs));
  inverse.setPrivate();
  symbols.insert(inverse, std::next((*forward)->getIterator()));
  Block *body = inverse.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  ReverseState state;
  state.isInverse = true;
  ReverseContext context(builder, forward->getBody(), state,
                         DerivativeContext::Fallback::Recompute);
  forward->walk([&](Operation *op) { context.addInverters(op); });
  unsigned numResults = terminator->getNumOperands();
  for (auto [i, result] : llvm::enumerate(terminator->getOperands()))
    context.provide(result, body->getArgument(i), Precision::Exact);
  for (auto [i, argument] : llvm::enumerate(others))
    context.provide(argument, body->getArgument(numResults + i),
                    Precision::Exact);
  SmallVector<Operation *> ops;
  for (Operation &op : primal.without_terminator())
    ops.push_back(&op);
  if (failed(context.differentiate(ops)))
    return failure();
  SmallVector<Value> recovered;
  for (int64_t i : wrt) {
    Value value = context.primal(primal.getArgument(i), Precision::Rounded);
    if (!value)
      return failure();
    recovered.push_back(value);
  }
  func::ReturnOp::create(builder, loc, recovered);
  eraseDeadOps(*body);
  erasePlan(inverse);
  symbols.erase(*forward);
  derived[key] = inverse;
  return inverse;
}
