//===- DerivedFunctions.cpp - Functions derived from functions ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "ReverseContext.h"
#include "memrev/Analysis/MemoryPlan.h"
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

DerivedFunctions::DerivedFunctions(ModuleOp module)
    : module(module), symbols(module) {}

//===----------------------------------------------------------------------===//
// Expanding transforms
//===----------------------------------------------------------------------===//

static bool isTransform(Operation *op) {
  return isa<rev::VjpOp, rev::ValueAndGradOp, rev::JvpOp, rev::InverseOp>(op);
}

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
    if (isTransform(op))
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
    DerivativeRequest request{callee, {}, {}, false, vjp.getPolicy(), loc};
    request.wrt =
        rev::getDifferentiated(vjp.getWrt(), callee.getArgumentTypes());
    request.of = rev::getDifferentiated(vjp.getOf(), callee.getResultTypes());
    result = getDerivative(request);
  } else if (auto grad = dyn_cast<rev::ValueAndGradOp>(transform)) {
    DerivativeRequest request{callee, {}, {}, true, grad.getPolicy(), loc};
    request.wrt =
        rev::getDifferentiated(grad.getWrt(), callee.getArgumentTypes());
    result = getDerivative(request);
  } else if (auto jvp = dyn_cast<rev::JvpOp>(transform)) {
    TangentRequest request{callee, {}, {}, /*strongZero=*/false, loc};
    request.wrt =
        rev::getDifferentiated(jvp.getWrt(), callee.getArgumentTypes());
    request.of = rev::getDifferentiated(jvp.getOf(), callee.getResultTypes());
    result = getTangent(request);
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
  transform->replaceAllUsesWith(call);
  transform->erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Preparing a copy
//===----------------------------------------------------------------------===//

/// Inlines the calls in `region` of functions with one block. `stack` holds the
/// functions that are being inlined.
static LogicalResult
inlineCalls(Region &region, SymbolTable &symbols,
            function_ref<LogicalResult(func::FuncOp)> prepare,
            SmallVectorImpl<Operation *> &stack, bool &inlined) {
  SmallVector<func::CallOp> calls;
  region.walk([&](func::CallOp call) { calls.push_back(call); });
  for (func::CallOp call : calls) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    // What cannot be inlined has no derivative rule, and is an error only on a
    // path that a gradient takes.
    if (!callee || !llvm::hasSingleElement(callee.getBody()))
      continue;
    if (llvm::is_contained(stack, callee.getOperation())) {
      InFlightDiagnostic diag =
          call.emitError("expects calls without recursion to differentiate, "
                         "but '@")
          << callee.getName() << "' calls itself";
      diag.attachNote(callee.getLoc()) << "function defined here";
      return diag;
    }
    if (failed(prepare(callee)))
      return failure();
    inlined = true;
    // A region of its own, so that nested calls are found in the copy alone.
    Region copy;
    IRMapping mapping;
    callee.getBody().cloneInto(&copy, mapping);
    stack.push_back(callee);
    LogicalResult nested = inlineCalls(copy, symbols, prepare, stack, inlined);
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

/// The float scalars, but constants, that the body of `op` captures.
static llvm::SetVector<Value> getCapturedScalars(Operation *op) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  captured.remove_if([](Value v) {
    Operation *def = v.getDefiningOp();
    return !isa<FloatType>(v.getType()) ||
           (def && def->hasTrait<OpTrait::ConstantLike>());
  });
  return captured;
}

static bool capturesScalars(Operation *op) {
  return !getCapturedScalars(op).empty();
}

/// Turns float scalars that the body of a `linalg.generic` captures into
/// operands of rank 0, so that they have a place for a cotangent.
static void promoteCapturedScalars(linalg::GenericOp op) {
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

FailureOr<func::FuncOp> DerivedFunctions::clonePrepared(func::FuncOp function,
                                                        Twine name,
                                                        Location loc) {
  if (failed(expandTransforms(function)))
    return failure();
  OpBuilder builder(module.getContext());
  auto copy = func::FuncOp::create(builder, function.getLoc(), name.str(),
                                   function.getFunctionType());
  copy.setPrivate();
  symbols.insert(copy, std::next(function->getIterator()));
  if (Attribute planned = function->getAttr(kPlannedAttrName))
    copy->setAttr(kPlannedAttrName, planned);
  IRMapping mapping;
  function.getBody().cloneInto(&copy.getBody(), mapping);
  SmallVector<Operation *> stack{function};
  bool inlined = false;
  if (failed(inlineCalls(
          copy.getBody(), symbols,
          [&](func::FuncOp callee) { return expandTransforms(callee); }, stack,
          inlined)))
    return failure();
  // The plan of the function does not cover what was inlined.
  if (inlined)
    copy->removeAttr(kPlannedAttrName);
  return copy;
}

//===----------------------------------------------------------------------===//
// Reports
//===----------------------------------------------------------------------===//

static int64_t getBytes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() ||
      !tensor.getElementType().isIntOrIndexOrFloat())
    return 0;
  unsigned bits =
      tensor.getElementType().isIndex() ? 64 : tensor.getElementTypeBitWidth();
  return tensor.getNumElements() * ((bits + 7) / 8);
}

static std::string printLocation(Location loc) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto file = loc->findInstanceOf<FileLineColLoc>())
    os << file.getFilename().getValue() << ':' << file.getLine() << ':'
       << file.getColumn();
  else
    os << loc;
  return text;
}

static Attribute makeEntry(Builder &builder, Location loc, int64_t bytes,
                           StringRef strategy, StringRef reason) {
  auto string = [&](StringRef text) { return builder.getStringAttr(text); };
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes)),
       builder.getNamedAttr("location", string(printLocation(loc))),
       builder.getNamedAttr("reason", string(reason)),
       builder.getNamedAttr("strategy", string(strategy))});
}

void memrev::eraseDeadOps(Block &block, Operation *keep) {
  IRRewriter rewriter(block.getParentOp()->getContext());
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (&op != keep && isOpTriviallyDead(&op))
      rewriter.eraseOp(&op);
}

/// What the reverse part of `function`, behind `marker`, does with each value.
/// Cleans up dead code between collecting what was had back, which may be dead,
/// and what is stored, which must not be.
static SmallVector<Attribute> makeReport(func::FuncOp function,
                                         Operation *marker,
                                         const ReverseState &state) {
  Builder builder(function.getContext());
  Block &body = function.getBody().front();
  auto describe = [&](Value value, StringRef strategy,
                      StringRef reason) -> Attribute {
    int64_t bytes = getBytes(value.getType());
    return bytes ? makeEntry(builder, value.getLoc(), bytes, strategy, reason)
                 : Attribute();
  };
  SmallVector<std::pair<const void *, Attribute>> hadBack;
  for (Value value : state.inverted) {
    // The caller holds the arguments anyway.
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getOwner() == &body)
      continue;
    hadBack.push_back(
        {value.getAsOpaquePointer(),
         describe(value, "inverted", "given back by an inverse edge")});
  }
  for (Value value : state.recomputedValues)
    hadBack.push_back({value.getAsOpaquePointer(),
                       describe(value, "recomputed",
                                "evaluated again in the backward part")});
  eraseDeadOps(body, marker);

  SmallVector<Attribute> entries;
  llvm::DenseSet<const void *> stored;
  for (Operation &op : llvm::make_range(body.begin(), marker->getIterator())) {
    auto rule = dyn_cast<DifferentiableOpInterface>(&op);
    bool isView = op.hasTrait<OpTrait::ConstantLike>() ||
                  (rule && rule.isCheapToRecompute());
    for (Value result : op.getResults())
      for (Operation *user : result.getUsers()) {
        Operation *ancestor = body.findAncestorOpInBlock(*user);
        if (isView || !ancestor || !marker->isBeforeInBlock(ancestor))
          continue;
        stored.insert(result.getAsOpaquePointer());
        auto reason = op.getAttrOfType<StringAttr>(kReasonAttrName);
        if (Attribute entry = describe(result, "stored",
                                       reason ? reason.getValue()
                                              : "read by the backward part"))
          entries.push_back(entry);
        break;
      }
  }
  for (auto [value, entry] : hadBack)
    if (entry && !stored.contains(value))
      entries.push_back(entry);
  return entries;
}

/// The public functions that call `function`, directly or not.
static SmallVector<func::FuncOp> getEntries(func::FuncOp function,
                                            ModuleOp module) {
  llvm::SetVector<Operation *> reached;
  reached.insert(function);
  SmallVector<func::FuncOp> entries;
  for (size_t i = 0; i < reached.size(); ++i) {
    auto callee = cast<func::FuncOp>(reached[i]);
    if (callee.isPublic())
      entries.push_back(callee);
    auto uses = SymbolTable::getSymbolUses(callee, module);
    if (!uses)
      continue;
    for (const SymbolTable::SymbolUse &use : *uses)
      if (auto caller = use.getUser()->getParentOfType<func::FuncOp>())
        reached.insert(caller);
  }
  return entries;
}

void DerivedFunctions::addReport() {
  Builder builder(module.getContext());
  SmallVector<Attribute> all;
  for (auto &[function, entries] : reports)
    for (func::FuncOp entry : getEntries(function, module))
      for (Attribute value : entries) {
        NamedAttrList named(cast<DictionaryAttr>(value));
        named.set("function", builder.getStringAttr(entry.getName()));
        all.push_back(named.getDictionary(module.getContext()));
      }
  if (!all.empty())
    module->setAttr("memrev.plan", builder.getArrayAttr(all));
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

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

FailureOr<func::FuncOp>
DerivedFunctions::build(const DerivativeRequest &request, StringRef name,
                        bool returnResults, Operation *&marker) {
  FailureOr<func::FuncOp> copy =
      clonePrepared(request.function, name, request.loc);
  if (failed(copy))
    return failure();
  func::FuncOp function = *copy;
  auto planned = function->getAttrOfType<StringAttr>(kPlannedAttrName);
  if ((!planned || planned != rev::stringifyPolicy(request.policy)) &&
      failed(planFunction(function, request.policy)))
    return failure();
  expandForDifferentiation(function, DerivativeMode::Reverse);
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
    promoteCapturedScalars(op);

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
  for (int64_t i : request.wrt)
    state.activity.addRoot(body.getArgument(i));
  state.activity.propagate(body);
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
  for (int64_t i : request.wrt) {
    Value gradient = context.accumulator(body.getArgument(i));
    if (!gradient)
      return failure();
    outputs.push_back(gradient);
  }
  terminator->setOperands(outputs);
  function.setFunctionType(builder.getFunctionType(
      body.getArgumentTypes(), TypeRange(ValueRange(outputs))));
  buildTapes(state);
  reports.push_back({function, makeReport(function, marker, state)});
  return function;
}

FailureOr<func::FuncOp>
DerivedFunctions::getDerivative(const DerivativeRequest &request) {
  StringRef kind = request.isValueAndGrad ? "value_and_grad" : "vjp";
  func::FuncOp primal = request.function;
  std::string key = getKey(kind, primal, request.wrt, request.of,
                           rev::stringifyPolicy(request.policy));
  if (func::FuncOp known = derived.lookup(key))
    return known;
  Operation *marker = nullptr;
  FailureOr<func::FuncOp> function =
      build(request, (primal.getName() + "_" + kind).str(),
            /*returnResults=*/request.isValueAndGrad, marker);
  if (failed(function))
    return failure();
  marker->erase();
  erasePlan(*function);
  derived[key] = *function;
  return function;
}

FailureOr<func::FuncOp> DerivedFunctions::getInverse(func::FuncOp function,
                                                     ArrayRef<int64_t> wrt,
                                                     Location loc) {
  std::string key = getKey("inverse", function, wrt, {}, "");
  if (func::FuncOp known = derived.lookup(key))
    return known;
  std::string name = (function.getName() + "_inverse").str();
  FailureOr<func::FuncOp> forward = clonePrepared(function, name + "_of", loc);
  if (failed(forward))
    return failure();
  if (std::optional<int64_t> missing = planInverse(*forward, wrt)) {
    InFlightDiagnostic diag =
        emitError(loc, "expects a function whose inverse gives argument ")
        << *missing << " back, but no inverse edge reaches it";
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
