//===- CustomRules.cpp - Derivatives that the program gives ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function may say how it is differentiated: `rev.custom_vjp` names a forward
// and a backward function, `rev.custom_jvp` a tangent function. Their
// signatures cover all float arguments and results.
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"

using namespace mlir;
using namespace mlir::memrev;

bool memrev::hasCustomRule(func::FuncOp function) {
  return function->hasAttr(rev::kCustomVjpAttrName) ||
         function->hasAttr(rev::kCustomJvpAttrName);
}

static void append(SmallVectorImpl<Type> &types, ArrayRef<Type> from,
                   ArrayRef<int64_t> numbers) {
  for (int64_t i : numbers)
    types.push_back(from[i]);
}

static void appendDifferentiable(SmallVectorImpl<Type> &types,
                                 ArrayRef<Type> from) {
  append(types, from, rev::getDifferentiated(std::nullopt, from));
}

/// Looks the function up that a rule of `function` names and checks what it
/// takes or returns against `expected`: all of it, or a prefix or suffix.
static func::FuncOp resolve(func::FuncOp function, FlatSymbolRefAttr name,
                            StringRef rule, const SymbolTable &symbols) {
  auto target = symbols.lookup<func::FuncOp>(name.getValue());
  if (!target)
    function.emitError("expects '")
        << rule << "' to name functions, but got '@" << name.getValue() << "'";
  return target;
}

static LogicalResult mismatch(func::FuncOp function, StringRef rule,
                              func::FuncOp target, StringRef what,
                              TypeRange expected, TypeRange actual) {
  InFlightDiagnostic diag = function.emitError("expects '")
                            << rule << "' to name functions that fit, but '@"
                            << target.getName() << "' has " << what << " ("
                            << actual << ") instead of (" << expected << ")";
  diag.attachNote(target.getLoc()) << "function defined here";
  return diag;
}

FailureOr<SplitFunctions>
DerivedFunctions::getCustomSplit(DerivativeRequest &request) {
  func::FuncOp function = request.function;
  auto rule =
      function->getAttrOfType<rev::CustomVjpAttr>(rev::kCustomVjpAttrName);
  if (!rule) {
    InFlightDiagnostic diag =
        emitError(request.loc, "expects a function with 'rev.custom_vjp' where "
                               "a gradient flows, but '@")
        << function.getName() << "' has 'rev.custom_jvp' alone";
    diag.attachNote(function.getLoc()) << "function defined here";
    return diag;
  }
  StringRef name = rev::kCustomVjpAttrName;
  SplitFunctions split;
  split.forward = resolve(function, rule.getForward(), name, symbols);
  split.backward = resolve(function, rule.getBackward(), name, symbols);
  if (!split.forward || !split.backward)
    return failure();

  ArrayRef<Type> arguments = function.getArgumentTypes();
  ArrayRef<Type> results = function.getResultTypes();
  ArrayRef<Type> forwardResults = split.forward.getResultTypes();
  if (!llvm::equal(split.forward.getArgumentTypes(), arguments))
    return mismatch(function, name, split.forward, "arguments", arguments,
                    split.forward.getArgumentTypes());
  if (forwardResults.size() < results.size() ||
      forwardResults.take_front(results.size()) != results)
    return mismatch(function, name, split.forward, "results", results,
                    forwardResults);
  SmallVector<Type> inputs(forwardResults.drop_front(results.size()));
  for (size_t k = 0; k < inputs.size(); ++k)
    split.residuals.push_back(
        {SplitFunctions::Residual::Saved, static_cast<int64_t>(k)});
  appendDifferentiable(inputs, results);
  SmallVector<Type> outputs;
  appendDifferentiable(outputs, arguments);
  if (!llvm::equal(split.backward.getArgumentTypes(), inputs))
    return mismatch(function, name, split.backward, "arguments", inputs,
                    split.backward.getArgumentTypes());
  if (!llvm::equal(split.backward.getResultTypes(), outputs))
    return mismatch(function, name, split.backward, "results", outputs,
                    split.backward.getResultTypes());
  // The rules may be transforms themselves.
  if (failed(expandTransforms(split.forward)) ||
      failed(expandTransforms(split.backward)))
    return failure();
  request.wrt = rev::getDifferentiated(std::nullopt, arguments);
  request.of = rev::getDifferentiated(std::nullopt, results);
  return split;
}

FlatSymbolRefAttr DerivedFunctions::getNamedInverse(func::FuncOp function) {
  if (auto name =
          function->getAttrOfType<FlatSymbolRefAttr>(rev::kInverseAttrName))
    return name;
  return inverted.lookup(function.getSymNameAttr());
}

int64_t DerivedFunctions::getNumSideResults(func::FuncOp function) {
  // Of two that are each other's inverses one says it for both.
  if (!function->hasAttr(rev::kInverseAttrName)) {
    FlatSymbolRefAttr name = getNamedInverse(function);
    function = name ? symbols.lookup<func::FuncOp>(name.getValue()) : nullptr;
  }
  if (!function)
    return 0;
  auto number = function->getAttrOfType<IntegerAttr>(rev::kSideResultsAttrName);
  return number ? number.getInt() : 0;
}

FailureOr<func::FuncOp>
DerivedFunctions::getCustomInverse(func::FuncOp function) {
  StringRef name = rev::kInverseAttrName;
  func::FuncOp inverse =
      resolve(function, getNamedInverse(function), name, symbols);
  if (!inverse)
    return failure();
  // Of two that are each other's inverses the one that says so is checked.
  if (!function->hasAttr(name)) {
    if (failed(getCustomInverse(inverse)) || failed(expandTransforms(inverse)))
      return failure();
    return inverse;
  }
  ArrayRef<Type> arguments = function.getArgumentTypes();
  ArrayRef<Type> results = function.getResultTypes();
  size_t numSide = getNumSideResults(function);
  if (numSide >= results.size())
    return function.emitError("expects '")
           << rev::kSideResultsAttrName
           << "' to be below the number of results " << results.size()
           << ", but got " << numSide;
  size_t numOutputs = inverse.getNumResults();
  size_t numRecovered = numOutputs > numSide ? numOutputs - numSide : 1;
  SmallVector<Type> outputs(arguments.take_front(numRecovered));
  llvm::append_range(outputs, results.take_back(numSide));
  if (numOutputs == 0 || !llvm::equal(inverse.getResultTypes(), outputs))
    return mismatch(function, name, inverse, "results", outputs,
                    inverse.getResultTypes());
  SmallVector<Type> inputs(results.drop_back(numSide));
  llvm::append_range(inputs, arguments.drop_front(numRecovered));
  if (!llvm::equal(inverse.getArgumentTypes(), inputs))
    return mismatch(function, name, inverse, "arguments", inputs,
                    inverse.getArgumentTypes());
  if (failed(expandTransforms(inverse)))
    return failure();
  return inverse;
}

FailureOr<func::FuncOp>
DerivedFunctions::getCustomLogDet(func::FuncOp function,
                                  RankedTensorType samples, Location loc) {
  StringRef name = rev::kLogDetAttrName;
  func::FuncOp logDet =
      resolve(function, function->getAttrOfType<FlatSymbolRefAttr>(name), name,
              symbols);
  if (!logDet)
    return failure();
  ArrayRef<Type> arguments = function.getArgumentTypes();
  if (!llvm::equal(logDet.getArgumentTypes(), arguments))
    return mismatch(function, name, logDet, "arguments", arguments,
                    logDet.getArgumentTypes());
  if (logDet.getNumResults() != 1 || logDet.getResultTypes()[0] != samples) {
    InFlightDiagnostic diag = emitError(loc, "expects a log-determinant of "
                                             "type ")
                              << samples << ", but that of '@"
                              << function.getName() << "' has type "
                              << logDet.getResultTypes();
    diag.attachNote(logDet.getLoc()) << "function defined here";
    return diag;
  }
  if (failed(expandTransforms(logDet)))
    return failure();
  return logDet;
}

FailureOr<func::FuncOp>
DerivedFunctions::getCustomTangent(TangentRequest &request) {
  func::FuncOp function = request.function;
  auto rule =
      function->getAttrOfType<FlatSymbolRefAttr>(rev::kCustomJvpAttrName);
  if (!rule) {
    InFlightDiagnostic diag =
        emitError(request.loc, "expects a function with 'rev.custom_jvp' where "
                               "a tangent flows, but '@")
        << function.getName() << "' has 'rev.custom_vjp' alone";
    diag.attachNote(function.getLoc()) << "function defined here";
    return diag;
  }
  StringRef name = rev::kCustomJvpAttrName;
  func::FuncOp tangent = resolve(function, rule, name, symbols);
  if (!tangent)
    return failure();
  SmallVector<Type> inputs(function.getArgumentTypes());
  appendDifferentiable(inputs, function.getArgumentTypes());
  SmallVector<Type> outputs(function.getResultTypes());
  appendDifferentiable(outputs, function.getResultTypes());
  if (!llvm::equal(tangent.getArgumentTypes(), inputs))
    return mismatch(function, name, tangent, "arguments", inputs,
                    tangent.getArgumentTypes());
  if (!llvm::equal(tangent.getResultTypes(), outputs))
    return mismatch(function, name, tangent, "results", outputs,
                    tangent.getResultTypes());
  if (failed(expandTransforms(tangent)))
    return failure();
  request.wrt =
      rev::getDifferentiated(std::nullopt, function.getArgumentTypes());
  request.of = rev::getDifferentiated(std::nullopt, function.getResultTypes());
  return tangent;
}
