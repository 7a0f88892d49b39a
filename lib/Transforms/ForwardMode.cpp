//===- ForwardMode.cpp - Functions that evaluate tangents -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Accumulation.h"
#include "DerivedFunctions.h"
#include "ForwardContext.h"
#include "ReverseContext.h"
#include "memrev/Analysis/MemoryPlan.h"

using namespace mlir;
using namespace mlir::memrev;

FailureOr<func::FuncOp>
DerivedFunctions::getTangent(const TangentRequest &request) {
  func::FuncOp primal = request.function;
  std::string key = getKey("jvp", primal, request.wrt, request.of,
                           request.strongZero ? "strong_zero" : "") +
                    (request.keepsInverses ? " inverses" : "");
  if (func::FuncOp known = derived.lookup(key))
    return known;
  Preparation preparation{
      Preparation::Forward, request.wrt, {}, request.strongZero, request.loc};
  preparation.keepsInverses = request.keepsInverses;
  FailureOr<func::FuncOp> copy =
      clonePrepared(primal, primal.getName() + "_jvp", preparation);
  if (failed(copy))
    return failure();
  func::FuncOp function = *copy;
  erasePlan(function);
  expandForDifferentiation(function, DerivativeMode::Forward);

  Block &body = function.getBody().front();
  ForwardContext context(module.getContext(), request.strongZero);
  for (int64_t i : request.wrt)
    context.addRoot(
        body.getArgument(i),
        body.addArgument(body.getArgument(i).getType(), request.loc));
  context.propagate(body);
  if (failed(context.verifyNoWrites(function)) ||
      failed(context.differentiate(body)))
    return failure();
  Operation *terminator = body.getTerminator();
  SmallVector<Value> outputs(terminator->getOperands());
  context.getBuilder().setInsertionPoint(terminator);
  for (int64_t i : request.of)
    outputs.push_back(context.tangentOrZero(terminator->getOperand(i)));
  terminator->setOperands(outputs);
  eraseDeadOps(body);
  eraseCallDerivatives(function);
  function.setFunctionType(FunctionType::get(module.getContext(),
                                             body.getArgumentTypes(),
                                             terminator->getOperandTypes()));
  derived[key] = function;
  return function;
}

FailureOr<func::FuncOp>
DerivedFunctions::getAnyTangent(TangentRequest &request) {
  return hasCustomRule(request.function) ? getCustomTangent(request)
                                         : getTangent(request);
}

//===----------------------------------------------------------------------===//
// Tangents that have an inverse
//===----------------------------------------------------------------------===//

namespace {

/// The arguments of a function in two parts, each followed by the tangents of
/// those that are differentiated.
struct PartedArguments {
  PartedArguments(ArrayRef<Type> types, int64_t numFirst,
                  ArrayRef<int64_t> wrt) {
    for (bool isFirst : {true, false}) {
      auto isOfPart = [&](int64_t i) { return (i < numFirst) == isFirst; };
      for (int64_t i : llvm::seq<int64_t>(0, types.size()))
        if (isOfPart(i)) {
          values.push_back(all.size());
          all.push_back(types[i]);
        }
      for (int64_t i : wrt)
        if (isOfPart(i)) {
          tangents[i] = all.size();
          all.push_back(types[i]);
        }
    }
  }

  SmallVector<Type> all;
  /// Where values are, and the tangents of those that have one.
  SmallVector<int64_t> values;
  llvm::SmallDenseMap<int64_t, int64_t> tangents;
};

} // namespace

/// Emits a call of `tangent`, a function (arguments, tangents of `wrt`), with
/// the `arguments` that are `parted`; zeros are the tangents that are missing.
static func::CallOp callTangent(OpBuilder &b, Location loc,
                                func::FuncOp tangent, ArrayRef<int64_t> wrt,
                                ValueRange arguments,
                                const PartedArguments &parted) {
  SmallVector<Value> operands;
  for (int64_t i : parted.values)
    operands.push_back(arguments[i]);
  for (int64_t i : wrt) {
    auto it = parted.tangents.find(i);
    operands.push_back(it == parted.tangents.end()
                           ? createZero(b, loc, operands[i].getType(),
                                        operands[i])
                           : arguments[it->second]);
  }
  return func::CallOp::create(b, loc, tangent, operands);
}

FailureOr<func::FuncOp>
DerivedFunctions::getInvertibleTangent(TangentRequest &request) {
  func::FuncOp primal = request.function;
  FailureOr<func::FuncOp> inverse = getCustomInverse(primal);
  if (failed(inverse))
    return failure();
  int64_t numSide = getNumSideResults(primal);
  int64_t numFirst = inverse->getNumResults() - numSide;
  int64_t numResults = primal.getNumResults() - numSide;
  // The inverse needs the tangents of all results.
  request.of = rev::getDifferentiated(std::nullopt, primal.getResultTypes());
  FailureOr<func::FuncOp> tangent = getAnyTangent(request);
  if (failed(tangent))
    return failure();
  std::string key =
      getKey("invertible_jvp", primal, request.wrt, request.of,
             request.strongZero ? "strong_zero" : "");
  if (func::FuncOp known = derived.lookup(key))
    return known;

  // With x = g(y; p), x. is the tangent of g at y and p in the direction of y.
  // and p.
  TangentRequest back{*inverse,           {},          {},
                      request.strongZero, request.loc, request.keepsInverses};
  llvm::copy_if(request.of, std::back_inserter(back.wrt),
                [&](int64_t i) { return i < numResults; });
  int64_t numTangents = back.wrt.size();
  for (int64_t i : request.wrt) {
    if (i < numFirst)
      back.of.push_back(i);
    else
      back.wrt.push_back(i - numFirst + numResults);
  }
  // Side results have tangents, too, which are side results of tangents.
  for (int64_t i : ArrayRef(request.of).drop_front(numTangents))
    back.of.push_back(i - numResults + numFirst);
  PartedArguments arguments(primal.getArgumentTypes(), numFirst, request.wrt);
  PartedArguments given(inverse->getArgumentTypes(), numResults, back.wrt);
  SmallVector<int64_t> recovered = back.of;
  FailureOr<func::FuncOp> backTangent = getAnyTangent(back);
  if (failed(backTangent))
    return failure();

  // Side results and their tangents are behind all other results.
  auto add = [&](StringRef name, const PartedArguments &parted,
                 func::FuncOp callee, const TangentRequest &asked,
                 ArrayRef<int64_t> of) {
    OpBuilder b(module.getContext());
    func::FuncOp evaluated = asked.function;
    int64_t numValues = evaluated.getNumResults();
    int64_t numMain = numValues - numSide;
    SmallVector<int64_t> numbers;
    for (bool isSide : {false, true}) {
      llvm::append_range(numbers, isSide ? llvm::seq(numMain, numValues)
                                         : llvm::seq<int64_t>(0, numMain));
      for (int64_t i : of)
        if ((i >= numMain) == isSide)
          numbers.push_back(numValues +
                            (llvm::find(asked.of, i) - asked.of.begin()));
    }
    SmallVector<Type> types;
    for (int64_t i : numbers)
      types.push_back(callee.getResultTypes()[i]);
    auto function =
        func::FuncOp::create(b, primal.getLoc(), name,
                             b.getFunctionType(parted.all, types));
    function.setPrivate();
    symbols.insert(function, std::next(callee->getIterator()));
    Block *body = function.addEntryBlock();
    b.setInsertionPointToEnd(body);
    func::CallOp call = callTangent(b, request.loc, callee, asked.wrt,
                                    body->getArguments(), parted);
    SmallVector<Value> results;
    for (int64_t i : numbers)
      results.push_back(call.getResult(i));
    func::ReturnOp::create(b, request.loc, results);
    ++numCalls[callee];
    return function;
  };
  func::FuncOp forward =
      add((primal.getName() + "_invertible_jvp").str(), arguments, *tangent,
          request, request.of);
  func::FuncOp backward =
      add((primal.getName() + "_jvp_inverse").str(), given, *backTangent, back,
          recovered);
  forward->setAttr(rev::kInverseAttrName,
                   FlatSymbolRefAttr::get(backward.getSymNameAttr()));
  inverted.try_emplace(backward.getSymNameAttr(),
                       FlatSymbolRefAttr::get(forward.getSymNameAttr()));
  if (numSide != 0)
    forward->setAttr(
        rev::kSideResultsAttrName,
        Builder(module.getContext())
            .getI64IntegerAttr(numSide + request.of.size() - numTangents));
  if (Attribute gain = primal->getAttr(rev::kGainAttrName))
    forward->setAttr(rev::kGainAttrName, gain);
  derived[key] = forward;
  return forward;
}
