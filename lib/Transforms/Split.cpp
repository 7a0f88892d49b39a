//===- Split.cpp - Forward and backward as two functions ------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Interfaces/DifferentiableOpInterface.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {

/// Cuts a derivative into a forward and a backward function.
class Splitter {
public:
  Splitter(func::FuncOp combined, unsigned numArguments, unsigned numResults,
           Operation *marker)
      : combined(combined), body(combined.getBody().front()), marker(marker),
        numArguments(numArguments),
        results(body.getTerminator()->operand_begin(),
                body.getTerminator()->operand_begin() + numResults) {}

  /// Finds what the backward part reads of the forward part.
  void findResiduals(SmallVectorImpl<SplitFunctions::Residual> &origins);
  func::FuncOp buildForward(StringRef name);
  func::FuncOp buildBackward(StringRef name);

private:
  bool isForward(Value value) const;
  /// True if evaluating `op` in the backward function costs nothing but reading
  /// residuals that it needs for others, or arguments.
  static bool isRemade(Operation *op);
  void addResidual(Value value);

  func::FuncOp combined;
  Block &body;
  Operation *marker;
  /// The arguments of the forward function; the cotangents follow them.
  unsigned numArguments;
  SmallVector<Value> results;
  /// What crosses the cut, and forward operations that are evaluated again.
  llvm::SetVector<Value> residuals;
  llvm::SetVector<Operation *> remade;
};

} // namespace

bool Splitter::isForward(Value value) const {
  auto argument = dyn_cast<BlockArgument>(value);
  if (argument && argument.getOwner() == &body)
    return argument.getArgNumber() < numArguments;
  Operation *op = value.getDefiningOp();
  return op && op->getBlock() == &body && op->isBeforeInBlock(marker);
}

bool Splitter::isRemade(Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>())
    return true;
  if (op->getNumRegions() != 0)
    return false;
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  return isMemoryEffectFree(op) &&
         ((rule && rule.isCheapToRecompute()) ||
          llvm::none_of(op->getResultTypes(),
                        [](Type type) { return isa<ShapedType>(type); }));
}

void Splitter::addResidual(Value value) {
  Operation *op = value.getDefiningOp();
  // A view of what has to be kept anyway is not worth keeping; one of a value
  // that is not needed whole is.
  bool ofArguments = op && llvm::all_of(op->getOperands(), [&](Value operand) {
                       Operation *def = operand.getDefiningOp();
                       return !def || isRemade(def);
                     });
  if (op && isRemade(op) && ofArguments) {
    for (Value operand : op->getOperands())
      addResidual(operand);
    remade.insert(op);
    return;
  }
  residuals.insert(value);
}

void Splitter::findResiduals(
    SmallVectorImpl<SplitFunctions::Residual> &origins) {
  auto read = [&](Operation *op) {
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value value : used)
      if (isForward(value))
        addResidual(value);
  };
  for (Operation *op = marker->getNextNode(); op != body.getTerminator();
       op = op->getNextNode())
    read(op);
  for (Value gradient :
       body.getTerminator()->getOperands().drop_front(results.size()))
    if (isForward(gradient))
      addResidual(gradient);
  using Residual = SplitFunctions::Residual;
  int64_t numSaved = 0;
  for (Value value : residuals) {
    auto result = llvm::find(results, value);
    if (auto argument = dyn_cast<BlockArgument>(value))
      origins.push_back({Residual::Argument, argument.getArgNumber()});
    else if (result != results.end())
      origins.push_back({Residual::Result, result - results.begin()});
    else
      origins.push_back({Residual::Saved, numSaved++});
  }
}

func::FuncOp Splitter::buildForward(StringRef name) {
  SmallVector<Value> outputs(results);
  for (Value value : residuals)
    if (value.getDefiningOp() && !llvm::is_contained(results, value))
      outputs.push_back(value);
  OpBuilder builder(combined.getContext());
  auto function = func::FuncOp::create(
      builder, combined.getLoc(), name,
      builder.getFunctionType(
          TypeRange(body.getArgumentTypes()).take_front(numArguments),
          TypeRange(ValueRange(outputs))));
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  IRMapping mapping;
  mapping.map(body.getArguments().take_front(numArguments),
              entry->getArguments());
  for (Operation &op : llvm::make_range(body.begin(), marker->getIterator()))
    builder.clone(op, mapping);
  SmallVector<Value> returned =
      llvm::map_to_vector(outputs, [&](Value v) { return mapping.lookup(v); });
  func::ReturnOp::create(builder, combined.getLoc(), returned);
  return function;
}

func::FuncOp Splitter::buildBackward(StringRef name) {
  OpBuilder builder(combined.getContext());
  SmallVector<Type> inputs(TypeRange(ValueRange(residuals.getArrayRef())));
  llvm::append_range(
      inputs, TypeRange(body.getArgumentTypes()).drop_front(numArguments));
  auto gradients =
      body.getTerminator()->getOperands().drop_front(results.size());
  auto function = func::FuncOp::create(
      builder, combined.getLoc(), name,
      builder.getFunctionType(inputs, TypeRange(gradients)));
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  IRMapping mapping;
  for (auto [i, value] : llvm::enumerate(residuals))
    mapping.map(value, entry->getArgument(i));
  mapping.map(body.getArguments().drop_front(numArguments),
              entry->getArguments().drop_front(residuals.size()));
  for (Operation *op : remade)
    builder.clone(*op, mapping);
  for (Operation *op = marker->getNextNode(); op != body.getTerminator();
       op = op->getNextNode())
    builder.clone(*op, mapping);
  SmallVector<Value> returned = llvm::map_to_vector(
      gradients, [&](Value v) { return mapping.lookup(v); });
  func::ReturnOp::create(builder, combined.getLoc(), returned);
  return function;
}

FailureOr<SplitFunctions>
DerivedFunctions::getSplit(const DerivativeRequest &request) {
  func::FuncOp primal = request.function;
  std::string key =
      getKey(request.accumulates ? "sums" : "split", primal, request.wrt,
             request.of, getMode(request.policy, request.strongZero));
  if (auto known = splits.find(key); known != splits.end())
    return known->second;
  Operation *marker = nullptr;
  SplitFunctions split;
  FailureOr<func::FuncOp> combined =
      build(request, (primal.getName() + "_combined").str(),
            /*returnResults=*/true, marker, split.sums);
  if (failed(combined))
    return failure();
  Splitter splitter(*combined, primal.getNumArguments(), primal.getNumResults(),
                    marker);
  splitter.findResiduals(split.residuals);
  split.forward = splitter.buildForward((primal.getName() + "_fwd").str());
  split.backward = splitter.buildBackward((primal.getName() + "_bwd").str());
  for (func::FuncOp function : {split.forward, split.backward}) {
    function.setPrivate();
    symbols.insert(function, (*combined)->getIterator());
    eraseDeadOps(function.getBody().front());
    erasePlan(function);
  }
  reports.back().first = split.backward;
  symbols.erase(*combined);
  splits[key] = split;
  return split;
}

FailureOr<SplitFunctions>
DerivedFunctions::getEvaluatingAgain(const DerivativeRequest &request) {
  func::FuncOp primal = request.function;
  std::string key = getKey("again", primal, request.wrt, request.of,
                           getMode(request.policy, request.strongZero));
  if (auto known = splits.find(key); known != splits.end())
    return known->second;
  Operation *marker = nullptr;
  SplitFunctions split;
  FailureOr<func::FuncOp> backward =
      build(request, (primal.getName() + "_again").str(),
            /*returnResults=*/true, marker, split.sums);
  if (failed(backward))
    return failure();
  marker->erase();
  erasePlan(*backward);
  Block &body = backward->getBody().front();
  Operation *terminator = body.getTerminator();
  unsigned numArguments = primal.getNumArguments();
  unsigned numResults = primal.getNumResults();
  // What the inverse has found on its way is handed over.
  SmallVector<int64_t> side = llvm::to_vector(llvm::seq<int64_t>(
      numResults - getNumSideResults(primal), numResults));
  for (auto [k, number] : llvm::enumerate(side)) {
    Value result = terminator->getOperand(number);
    result.replaceAllUsesWith(body.insertArgument(
        numArguments + k, result.getType(), request.loc));
  }
  terminator->eraseOperands(0, numResults);
  eraseDeadOps(body);
  // What it stores lives in the backward part only.
  llvm::erase_if(reports.back().second, [](Attribute entry) {
    return cast<StringAttr>(cast<DictionaryAttr>(entry).get("strategy")) ==
           "stored";
  });
  // What it does not read need not be there.
  llvm::BitVector unread(body.getNumArguments());
  using Residual = SplitFunctions::Residual;
  for (BlockArgument argument :
       body.getArguments().take_front(numArguments + side.size())) {
    unsigned number = argument.getArgNumber();
    if (argument.use_empty())
      unread.set(number);
    else if (number < numArguments)
      split.residuals.push_back({Residual::Argument, number});
    else
      split.residuals.push_back(
          {Residual::Result, side[number - numArguments]});
  }
  backward->setFunctionType(FunctionType::get(
      module.getContext(), body.getArgumentTypes(),
      terminator->getOperandTypes()));
  if (failed(backward->eraseArguments(unread)))
    return failure();
  split.forward = primal;
  split.backward = *backward;
  splits[key] = split;
  return split;
}

//===----------------------------------------------------------------------===//
// Sharing the forward part
//===----------------------------------------------------------------------===//

/// The last call before `op` in its block of one of `functions` on `operands`
/// that somebody reads the results of, or null.
static func::CallOp findCallBefore(Operation *op, ArrayRef<StringRef> functions,
                                   ValueRange operands) {
  for (Operation *previous = op->getPrevNode(); previous;
       previous = previous->getPrevNode())
    if (auto call = dyn_cast<func::CallOp>(previous))
      if (llvm::is_contained(functions, call.getCallee()) &&
          !call->use_empty() && llvm::equal(call.getOperands(), operands))
        return call;
  return nullptr;
}

FailureOr<bool>
DerivedFunctions::shareForward(rev::VjpOp vjp,
                               const DerivativeRequest &request) {
  func::FuncOp function = request.function;
  // A custom rule evaluates the function in its own way.
  if (hasCustomRule(function))
    return false;
  SmallVector<StringRef> names{function.getName()};
  std::string key = getKey("split", function, request.wrt, request.of,
                           getMode(request.policy, request.strongZero));
  if (auto known = splits.find(key); known != splits.end())
    names.push_back(known->second.forward.getName());
  func::CallOp call = findCallBefore(vjp, names, vjp.getArgs());
  if (!call)
    return false;
  FailureOr<SplitFunctions> split = getSplit(request);
  if (failed(split))
    return failure();
  OpBuilder builder(call);
  if (call.getCallee() == function.getName()) {
    auto forward = func::CallOp::create(builder, call.getLoc(), split->forward,
                                        call.getOperands());
    call->replaceAllUsesWith(
        forward.getResults().take_front(call.getNumResults()));
    --numCalls[function];
    ++numCalls[split->forward];
    call->erase();
    call = forward;
  }
  SmallVector<Value> operands;
  for (const SplitFunctions::Residual &residual : split->residuals) {
    switch (residual.kind) {
    case SplitFunctions::Residual::Argument:
      operands.push_back(call.getOperand(residual.number));
      break;
    case SplitFunctions::Residual::Result:
      operands.push_back(call.getResult(residual.number));
      break;
    case SplitFunctions::Residual::Saved:
      operands.push_back(
          call.getResult(function.getNumResults() + residual.number));
      break;
    }
  }
  llvm::append_range(operands, vjp.getCotangents());
  builder.setInsertionPoint(vjp);
  auto backward =
      func::CallOp::create(builder, vjp.getLoc(), split->backward, operands);
  ++numCalls[split->backward];
  vjp->replaceAllUsesWith(backward);
  vjp->erase();
  return true;
}
