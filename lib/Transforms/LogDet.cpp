//===- LogDet.cpp - Functions that evaluate log-determinants --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inverse edges that lead from a function's results back to its arguments
// solve the equations of its operations one after the other, each for other
// values: the matrix of the derivatives of these equations is triangular, with
// a block on its diagonal for each edge. Operations that are evaluated instead
// have blocks of one. As many equations as unknowns make the determinant of the
// function's derivative the product of these blocks, but for its sign.
//
// What the logarithms of the blocks are computed from is at hand where the
// operation stands, so they are emitted there, and added up per sample.
//
//===----------------------------------------------------------------------===//

#include "Accumulation.h"
#include "DerivedFunctions.h"
#include "ForwardContext.h"
#include "memrev/Analysis/Activity.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Analysis/SampleDimensions.h"
#include "memrev/Interfaces/CallDerivative.h"
#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::memrev;

/// The function of `call` with its log-determinant.
using CalleeLogDet =
    function_ref<FailureOr<func::FuncOp>(func::CallOp, int64_t batchDim)>;

namespace {

/// Emits the log-determinants of the planned edges of a function.
class LogDetEmitter {
public:
  LogDetEmitter(Value first, int64_t batchDim, CalleeLogDet getCallee)
      : builder(first.getContext()), first(first), batchDim(batchDim),
        getCallee(getCallee) {
    auto type = cast<RankedTensorType>(first.getType());
    samples = RankedTensorType::get({type.getDimSize(batchDim)},
                                    type.getElementType());
  }

  RankedTensorType getType() const { return samples; }
  SampleDimensions &getDimensions() { return dimensions; }

  /// Adds those of the operations in `block` to `sum`, which may be null.
  LogicalResult emit(Block &block, Value &sum);

  /// A zero for each sample.
  Value buildZero(Location loc);

  OpBuilder builder;

private:
  LogicalResult emit(Operation *op, Value &sum);
  LogicalResult emitLoop(scf::ForOp loop, Value &sum);
  LogicalResult emitCoupling(rev::CouplingOp coupling, Value &sum);
  LogicalResult emitCall(func::CallOp call, Value &sum);
  LogicalResult emitDiagonal(Operation *op, Value solved, Value &sum);

  /// Sums log |values| over all dimensions but that of the samples.
  Value buildLogSum(Location loc, Value values, int64_t dimension);
  void add(Location loc, Value contribution, Value &sum);
  /// The dimension of `value`, a result of `op`, that numbers samples; nothing
  /// after an error.
  FailureOr<int64_t> getDimension(Operation *op, Value value);
  /// Lets results take the place of those of an operation.
  void replace(ValueRange from, ValueRange to);

  /// An argument that the samples come from, and their dimension there.
  Value first;
  int64_t batchDim;
  CalleeLogDet getCallee;
  RankedTensorType samples;
  SampleDimensions dimensions;
};

} // namespace

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

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
  std::optional<unsigned> number = getPlannedEdge(op);
  if (!number)
    return success();
  InverseEdge edge =
      cast<InvertibleOpInterface>(op).getInverseEdges()[*number];
  // A counter has no derivative.
  if (llvm::none_of(edge.solved, [](Value v) {
        return rev::isDifferentiable(v.getType());
      }))
    return success();
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return emitLoop(loop, sum);
  for (Value value : edge.from)
    if (value.getDefiningOp() == op && isFloat(value) &&
        failed(getDimension(op, value)))
      return failure();
  if (edge.determinant == Determinant::One)
    return success();
  if (auto coupling = dyn_cast<rev::CouplingOp>(op))
    return emitCoupling(coupling, sum);
  if (auto call = dyn_cast<func::CallOp>(op); call && call.getNumResults() > 0)
    return emitCall(call, sum);
  if (edge.determinant == Determinant::Diagonal && isFloat(edge.solved.front()))
    return emitDiagonal(op, edge.solved.front(), sum);
  return op->emitError("expects operations with a log-determinant on the way "
                       "from the arguments to the results, but '")
         << op->getName() << "' has none";
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

LogicalResult LogDetEmitter::emitCall(func::CallOp call, Value &sum) {
  FailureOr<int64_t> dimension = getDimension(call, call.getResult(0));
  if (failed(dimension))
    return failure();
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

LogicalResult LogDetEmitter::emitDiagonal(Operation *op, Value solved,
                                          Value &sum) {
  Location loc = op->getLoc();
  builder.setInsertionPoint(op);
  // The tangents of the result where all those of the value are one are the
  // partial derivatives.
  ForwardContext context(builder.getContext(), /*strongZero=*/false);
  context.addRoot(solved, buildOnes(builder, solved));
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
  return dimension;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// The results of `function` that depend on its arguments `wrt` and can be
/// differentiated.
static SmallVector<int64_t> getDependentResults(func::FuncOp function,
                                                ArrayRef<int64_t> wrt) {
  Activity activity;
  for (int64_t i : wrt)
    activity.addRoot(function.getArgument(i));
  Block &body = function.getBody().front();
  activity.propagate(body);
  SmallVector<int64_t> results;
  for (auto [i, result] :
       llvm::enumerate(body.getTerminator()->getOperands()))
    if (activity.isActive(result) && isFloat(result))
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

/// The arguments that a log-determinant that a function names is about, whose
/// inverse is called `name`, or null.
static SmallVector<int64_t> getNamedArguments(FlatSymbolRefAttr name,
                                              const SymbolTable &symbols) {
  auto inverse =
      name ? symbols.lookup<func::FuncOp>(name.getValue()) : func::FuncOp();
  return llvm::to_vector(
      llvm::seq<int64_t>(0, inverse ? inverse.getNumResults() : 1));
}

static RankedTensorType getSamples(Type type, int64_t batchDim) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get({tensor.getDimSize(batchDim)},
                               tensor.getElementType());
}

FailureOr<func::FuncOp>
DerivedFunctions::getLogDet(const LogDetRequest &request) {
  func::FuncOp primal = request.function;
  std::string key = getKey("log_det", primal, request.wrt, request.of,
                           std::to_string(request.batchDim));
  if (func::FuncOp known = derived.lookup(key))
    return known;
  OpBuilder b(module.getContext());
  Location loc = request.loc;
  bool isNamed = primal->hasAttr(rev::kLogDetAttrName) &&
                 request.wrt == getNamedArguments(getNamedInverse(primal), symbols);
  if (!isNamed && !llvm::hasSingleElement(primal.getBody())) {
    InFlightDiagnostic diag =
        emitError(loc, "expects a function with a body of one block, or with "
                       "'rev.log_det', for a log-determinant, but '@")
        << primal.getName() << "' has " << primal.getBody().getBlocks().size();
    diag.attachNote(primal.getLoc()) << "function defined here";
    return diag;
  }

  if (isNamed) {
    auto samples =
        getSamples(primal.getArgumentTypes()[request.wrt[0]], request.batchDim);
    FailureOr<func::FuncOp> named = getCustomLogDet(primal, samples, loc);
    if (failed(named))
      return failure();
    SmallVector<Type> types(primal.getResultTypes());
    types.push_back(samples);
    auto both = func::FuncOp::create(
        b, primal.getLoc(), (primal.getName() + "_log_det").str(),
        b.getFunctionType(primal.getArgumentTypes(), types));
    both.setPrivate();
    symbols.insert(both, std::next(primal->getIterator()));
    Block *body = both.addEntryBlock();
    b.setInsertionPointToEnd(body);
    SmallVector<Value> results(
        func::CallOp::create(b, loc, primal, body->getArguments())
            .getResults());
    results.push_back(func::CallOp::create(b, loc, *named, body->getArguments())
                          .getResult(0));
    func::ReturnOp::create(b, loc, results);
    ++numCalls[primal];
    ++numCalls[*named];
    derived[key] = both;
    return both;
  }

  Preparation preparation{Preparation::LogDet, {}, {}, false, loc};
  FailureOr<func::FuncOp> copy =
      clonePrepared(primal, primal.getName() + "_log_det", preparation);
  if (failed(copy))
    return failure();
  func::FuncOp function = *copy;
  SmallVector<int64_t> of = request.of;
  if (of.empty())
    of = getDependentResults(function, request.wrt);
  if (failed(verifySquare(function, request, of)))
    return failure();
  if (std::optional<UnreachedArgument> unreached =
          planInverse(function, request.wrt, of)) {
    InFlightDiagnostic diag =
        emitError(loc, "expects a function with a log-determinant, but no "
                       "inverse edge reaches its argument ")
        << unreached->number;
    diag.attachNote(unreached->obstacle.loc) << unreached->obstacle.reason;
    diag.attachNote(primal.getLoc()) << "function defined here";
    return diag;
  }

  // Side results are not what the arguments are mapped to.
  auto getResultsWithoutSide = [&](func::FuncOp callee) {
    int64_t numSide = getNumSideResults(callee);
    return numSide == 0 ? SmallVector<int64_t>()
                        : rev::getDifferentiated(
                              std::nullopt,
                              callee.getResultTypes().drop_back(numSide));
  };
  auto getCallee = [&](func::CallOp call,
                       int64_t batchDim) -> FailureOr<func::FuncOp> {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    auto recovered = call->getAttrOfType<IntegerAttr>(kCallRecoveredAttrName);
    FailureOr<func::FuncOp> found = failure();
    if (callee->hasAttr(rev::kLogDetAttrName))
      found = getCustomLogDet(
          callee, getSamples(call.getOperand(0).getType(), batchDim),
          call.getLoc());
    else
      found = getLogDet({callee,
                         llvm::to_vector(llvm::seq<int64_t>(
                             0, recovered.getInt())),
                         getResultsWithoutSide(callee), batchDim,
                         call.getLoc()});
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
    sum = emitter.buildZero(loc);
  }
  terminator->insertOperands(terminator->getNumOperands(), sum);
  function.setFunctionType(b.getFunctionType(body.getArgumentTypes(),
                                             terminator->getOperandTypes()));
  eraseDeadOps(body);
  erasePlan(function);
  eraseCallDerivatives(function);
  derived[key] = function;
  return function;
}
