//===- ForwardMode.cpp - Functions that evaluate tangents -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

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
                           request.strongZero ? "strong_zero" : "");
  if (func::FuncOp known = derived.lookup(key))
    return known;
  Preparation preparation{
      Preparation::Forward, request.wrt, {}, request.strongZero, request.loc};
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
