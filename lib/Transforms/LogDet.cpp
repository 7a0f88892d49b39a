//===- LogDet.cpp - Functions that evaluate log-determinants --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function's log-determinant is what it names, or else that of its own body,
// or else, where it has an inverse with one, the negative of that at the
// function's results.
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "LogDetEmitter.h"
#include "memrev/Analysis/Activity.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Interfaces/CallDerivative.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace mlir::memrev;

/// The results of `function` that depend on its arguments `wrt` and can be
/// differentiated.
static SmallVector<int64_t> getDependentResults(func::FuncOp function,
                                                ArrayRef<int64_t> wrt) {
  // Derivatives stop where a program says so, its values go on.
  Activity activity(/*isOfValues=*/true);
  for (int64_t i : wrt)
    activity.addRoot(function.getArgument(i));
  Block &body = function.getBody().front();
  activity.propagate(body);
  SmallVector<int64_t> results;
  for (auto [i, result] :
       llvm::enumerate(body.getTerminator()->getOperands()))
    if (activity.isActive(result) && rev::isDifferentiable(result.getType()))
      results.push_back(i);
  return results;
}

/// The number of elements of `values`, where open extents count as one, and the
/// number of these extents.
static std::pair<int64_t, int64_t> countElements(ValueRange values) {
  int64_t elements = 0, open = 0;
  for (Value value : values) {
    int64_t count = 1;
    if (auto type = dyn_cast<RankedTensorType>(value.getType()))
      for (int64_t extent : type.getShape()) {
        open += ShapedType::isDynamic(extent);
        count *= ShapedType::isDynamic(extent) ? 1 : extent;
      }
    elements += count;
  }
  return {elements, open};
}

/// Verifies that the derivative of the results `of` of `function` by its
/// arguments `wrt` is a square matrix.
static LogicalResult verifySquare(func::FuncOp function,
                                  const LogDetRequest &request,
                                  ArrayRef<int64_t> of) {
  SmallVector<Value> arguments, results;
  for (int64_t i : request.wrt)
    arguments.push_back(function.getArgument(i));
  Operation *terminator = function.getBody().front().getTerminator();
  for (int64_t i : of)
    results.push_back(terminator->getOperand(i));
  auto [wanted, wantedOpen] = countElements(arguments);
  auto [found, foundOpen] = countElements(results);
  if (wanted == found && wantedOpen == foundOpen)
    return success();
  InFlightDiagnostic diag =
      emitError(request.loc, "expects results 'of' with as many elements as "
                             "the arguments 'wrt' of a log-determinant, types ")
      << ValueRange(arguments).getTypes() << ", but got "
      << ValueRange(results).getTypes();
  func::FuncOp primal = request.function;
  diag.attachNote(primal.getLoc()) << "function defined here";
  return diag;
}

static RankedTensorType getSamples(Type type, int64_t batchDim) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get({tensor.getDimSize(batchDim)},
                               tensor.getElementType());
}

static RankedTensorType getSamples(const LogDetRequest &request) {
  func::FuncOp function = request.function;
  return getSamples(function.getArgumentTypes()[request.wrt.front()],
                    request.batchDim);
}

/// True if all of `types` are tensors of as many samples.
static bool areOfSamples(ArrayRef<Type> types, int64_t batchDim) {
  return llvm::all_of(types, [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && batchDim < tensor.getRank() &&
           getSamples(type, batchDim) == getSamples(types.front(), batchDim);
  });
}

bool DerivedFunctions::namesLogDet(const LogDetRequest &request) {
  func::FuncOp function = request.function;
  if (!function->hasAttr(rev::kLogDetAttrName))
    return false;
  FlatSymbolRefAttr name = getNamedInverse(function);
  auto inverse =
      name ? symbols.lookup<func::FuncOp>(name.getValue()) : func::FuncOp();
  // It is about the arguments that the inverse gives back.
  int64_t count =
      inverse ? inverse.getNumResults() - getNumSideResults(function) : 1;
  return llvm::equal(request.wrt, llvm::seq<int64_t>(0, count)) &&
         asksForNoSideResult(request);
}

bool DerivedFunctions::asksForNoSideResult(const LogDetRequest &request) {
  func::FuncOp function = request.function;
  int64_t numMain = function.getNumResults() - getNumSideResults(function);
  return llvm::all_of(request.of, [&](int64_t i) { return i < numMain; });
}

LogDetRequest DerivedFunctions::getLogDetRequest(func::CallOp call,
                                                 int64_t batchDim) {
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  auto recovered = call->getAttrOfType<IntegerAttr>(kCallRecoveredAttrName);
  LogDetRequest request{
      callee,
      llvm::to_vector(llvm::seq<int64_t>(0, recovered.getInt())),
      {},
      batchDim,
      call.getLoc()};
  // Side results are not what the arguments are mapped to.
  if (int64_t numSide = getNumSideResults(callee))
    request.of = rev::getDifferentiated(
        std::nullopt, callee.getResultTypes().drop_back(numSide));
  return request;
}

//===----------------------------------------------------------------------===//
// Where a log-determinant comes from
//===----------------------------------------------------------------------===//

FailureOr<LogDetPlan>
DerivedFunctions::planLogDet(const LogDetRequest &request) {
  func::FuncOp primal = request.function;
  Location loc = request.loc, primalLoc = primal.getLoc();
  LogDetPlan plan;
  if (!llvm::hasSingleElement(primal.getBody())) {
    plan.obstacle = [=, name = primal.getName().str(),
                     count = primal.getBody().getBlocks().size()] {
      InFlightDiagnostic diag =
          emitError(loc, "expects a function with a body of one block, or with "
                         "'rev.log_det', for a log-determinant, but '@")
          << name << "' has " << count;
      diag.attachNote(primalLoc) << "function defined here";
      return diag;
    };
    return plan;
  }
  Preparation preparation{Preparation::LogDet, {}, {}, false, loc};
  FailureOr<func::FuncOp> copy =
      clonePrepared(primal, primal.getName() + "_log_det", preparation);
  if (failed(copy))
    return failure();
  plan.function = *copy;
  SmallVector<int64_t> of = request.of;
  if (of.empty()) {
    of = getDependentResults(plan.function, request.wrt);
    int64_t numMain = primal.getNumResults() - getNumSideResults(primal);
    llvm::erase_if(of, [&](int64_t i) { return i >= numMain; });
  }
  if (failed(verifySquare(plan.function, request, of)))
    return failure();
  if (std::optional<UnreachedArgument> unreached =
          planInverse(plan.function, request.wrt, of)) {
    plan.obstacle = [=] {
      InFlightDiagnostic diag =
          emitError(loc, "expects a function with a log-determinant, but no "
                         "inverse edge reaches its argument ")
          << unreached->number;
      diag.attachNote(unreached->obstacle.loc) << unreached->obstacle.reason;
      diag.attachNote(primalLoc) << "function defined here";
      return diag;
    };
    return plan;
  }
  Block &body = plan.function.getBody().front();
  if (Operation *op = findWithoutLogDet(body)) {
    plan.obstacle = [at = op->getLoc(), name = op->getName()] {
      return reportWithoutLogDet(at, name);
    };
    return plan;
  }
  LogicalResult result = success();
  visitPlannedCalls(body, [&](func::CallOp call) {
    FailureOr<LogDetRoute> route =
        getLogDetRoute(getLogDetRequest(call, request.batchDim));
    result = route;
    if (succeeded(route))
      plan.obstacle = route->obstacle;
    return succeeded(route) && !plan.obstacle;
  });
  if (failed(result))
    return failure();
  return plan;
}

FailureOr<std::optional<LogDetRequest>>
DerivedFunctions::getRequestOfInverse(const LogDetRequest &request) {
  func::FuncOp primal = request.function;
  std::optional<LogDetRequest> inner;
  if (request.isOfInverse || !getNamedInverse(primal))
    return inner;
  FailureOr<func::FuncOp> inverse = getInverseOfAllResults(primal);
  if (failed(inverse))
    return failure();
  int64_t numResults = primal.getNumResults() - getNumSideResults(primal);
  SmallVector<Type> types(inverse->getResultTypes());
  llvm::append_range(types, primal.getResultTypes().take_front(numResults));
  // All results have to be what the inverse is differentiated by.
  if (llvm::equal(request.wrt,
                  llvm::seq<int64_t>(0, inverse->getNumResults())) &&
      (request.of.empty() ||
       static_cast<int64_t>(request.of.size()) == numResults) &&
      asksForNoSideResult(request) &&
      areOfSamples(types, request.batchDim))
    inner = LogDetRequest{*inverse,
                          llvm::to_vector(llvm::seq<int64_t>(0, numResults)),
                          {},
                          request.batchDim,
                          request.loc,
                          /*isOfInverse=*/true};
  return inner;
}

std::string DerivedFunctions::getLogDetKey(const LogDetRequest &request) {
  return getKey(request.isOfInverse ? "log_det_of_inverse" : "log_det",
                request.function, request.wrt, request.of,
                std::to_string(request.batchDim));
}

FailureOr<LogDetRoute>
DerivedFunctions::getLogDetRoute(const LogDetRequest &request) {
  if (namesLogDet(request))
    return LogDetRoute{LogDetRoute::Named, {}};
  std::string key = getLogDetKey(request);
  if (auto known = logDetRoutes.find(key); known != logDetRoutes.end()) {
    if (known->second)
      return *known->second;
    reportRecursion(request.loc, request.function);
    return failure();
  }
  // Nothing, as long as it is looked for.
  logDetRoutes[key] = std::nullopt;
  FailureOr<LogDetPlan> plan = planLogDet(request);
  if (failed(plan))
    return failure();
  if (plan->function)
    symbols.erase(plan->function);
  LogDetRoute route{LogDetRoute::Body, plan->obstacle};
  if (route.obstacle) {
    FailureOr<std::optional<LogDetRequest>> inner =
        getRequestOfInverse(request);
    if (failed(inner))
      return failure();
    if (*inner) {
      FailureOr<LogDetRoute> found = getLogDetRoute(**inner);
      if (failed(found))
        return failure();
      if (!found->obstacle)
        route = {LogDetRoute::Inverse, {}};
    }
  }
  logDetRoutes[key] = route;
  return route;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

func::FuncOp DerivedFunctions::addLogDet(
    const LogDetRequest &request, func::FuncOp logDet,
    function_ref<Value(OpBuilder &, Block &, ValueRange)> build) {
  func::FuncOp primal = request.function;
  OpBuilder b(module.getContext());
  SmallVector<Type> types(primal.getResultTypes());
  types.push_back(logDet.getResultTypes().back());
  auto both = func::FuncOp::create(
      b, primal.getLoc(), (primal.getName() + "_log_det").str(),
      b.getFunctionType(primal.getArgumentTypes(), types));
  both.setPrivate();
  symbols.insert(both, std::next(primal->getIterator()));
  Block *body = both.addEntryBlock();
  b.setInsertionPointToEnd(body);
  SmallVector<Value> results(
      func::CallOp::create(b, request.loc, primal, body->getArguments())
          .getResults());
  results.push_back(build(b, *body, results));
  func::ReturnOp::create(b, request.loc, results);
  ++numCalls[primal];
  ++numCalls[logDet];
  return both;
}

FailureOr<func::FuncOp>
DerivedFunctions::getNamedLogDet(const LogDetRequest &request) {
  FailureOr<func::FuncOp> named = getCalledLogDet(request);
  if (failed(named))
    return failure();
  return addLogDet(
      request, *named, [&](OpBuilder &b, Block &body, ValueRange) -> Value {
        return func::CallOp::create(b, request.loc, *named, body.getArguments())
            .getResult(0);
      });
}

FailureOr<func::FuncOp>
DerivedFunctions::getLogDetOfInverse(const LogDetRequest &request) {
  FailureOr<std::optional<LogDetRequest>> inner = getRequestOfInverse(request);
  if (failed(inner))
    return failure();
  FailureOr<func::FuncOp> logDet = getCalledLogDet(**inner);
  if (failed(logDet))
    return failure();
  return addLogDet(
      request, *logDet,
      [&](OpBuilder &b, Block &body, ValueRange results) -> Value {
        // The inverse takes the results, then the other arguments.
        SmallVector<Value> operands(results);
        llvm::append_range(operands,
                           body.getArguments().drop_front(request.wrt.size()));
        auto call = func::CallOp::create(b, request.loc, *logDet, operands);
        return arith::NegFOp::create(b, request.loc, call.getResults().back());
      });
}

FailureOr<func::FuncOp>
DerivedFunctions::getLogDetOfBody(const LogDetRequest &request) {
  FailureOr<LogDetPlan> plan = planLogDet(request);
  if (failed(plan))
    return failure();
  func::FuncOp function = plan->function;
  auto getCallee = [&](func::CallOp call,
                       int64_t batchDim) -> FailureOr<func::FuncOp> {
    FailureOr<func::FuncOp> found =
        getCalledLogDet(getLogDetRequest(call, batchDim));
    if (succeeded(found))
      ++numCalls[*found];
    return found;
  };
  Block &body = function.getBody().front();
  LogDetEmitter emitter(body.getArgument(request.wrt.front()), request.batchDim,
                        getCallee);
  for (int64_t i : request.wrt)
    emitter.getDimensions().set(body.getArgument(i), request.batchDim);
  emitter.getDimensions().follow(body);
  Value sum;
  if (failed(emitter.emit(body, sum)))
    return failure();
  Operation *terminator = body.getTerminator();
  if (!sum) {
    emitter.builder.setInsertionPoint(terminator);
    sum = emitter.buildZero(request.loc);
  }
  terminator->insertOperands(terminator->getNumOperands(), sum);
  function.setFunctionType(
      FunctionType::get(module.getContext(), body.getArgumentTypes(),
                        terminator->getOperandTypes()));
  eraseDeadOps(body);
  erasePlan(function);
  eraseCallDerivatives(function);
  return function;
}

FailureOr<func::FuncOp>
DerivedFunctions::getCalledLogDet(const LogDetRequest &request) {
  return namesLogDet(request) ? getCustomLogDet(request.function,
                                                getSamples(request),
                                                request.loc)
                              : getLogDet(request);
}

FailureOr<func::FuncOp>
DerivedFunctions::getLogDet(const LogDetRequest &request) {
  std::string key = getLogDetKey(request);
  if (func::FuncOp known = derived.lookup(key))
    return known;
  FailureOr<LogDetRoute> route = getLogDetRoute(request);
  if (failed(route))
    return failure();
  if (route->obstacle)
    return route->obstacle();
  FailureOr<func::FuncOp> function =
      route->kind == LogDetRoute::Named  ? getNamedLogDet(request)
      : route->kind == LogDetRoute::Body ? getLogDetOfBody(request)
                                         : getLogDetOfInverse(request);
  if (succeeded(function))
    derived[key] = *function;
  return function;
}
