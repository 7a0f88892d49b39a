//===- InverseCheck.cpp - Compare a function with its inverse -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/InverseCheck.h"
#include "memrev/ExecutionEngine/LoadedCode.h"
#include "memrev/InitAll.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/APFloat.h"
#include <cmath>
#include <random>

using namespace mlir;
using namespace mlir::memrev;

/// Of the function that calls both.
static constexpr StringRef kCheckName = "memrev.check_inverse";

namespace {
/// The program with a function (arguments) -> (arguments given back, results,
/// results of these).
struct CheckedProgram {
  std::string text;
  size_t numRecovered = 0, numResults = 0;
};
} // namespace

/// How many arguments the inverse of `function` gives back.
static int64_t getNumRecovered(ModuleOp module, func::FuncOp function) {
  auto name = function->getAttrOfType<FlatSymbolRefAttr>("rev.inverse");
  auto inverse = name ? module.lookupSymbol<func::FuncOp>(name.getAttr())
                      : func::FuncOp();
  if (!inverse)
    return 1;
  auto numSide = function->getAttrOfType<IntegerAttr>("rev.side_results");
  // A wrong number is the compiler's to report.
  return std::clamp<int64_t>(
      inverse.getNumResults() - (numSide ? numSide.getInt() : 0), 1,
      function.getNumArguments());
}

/// Adds the function to the program.
static CheckedProgram addCheck(ModuleOp module, func::FuncOp function) {
  MLIRContext *context = module.getContext();
  Location loc = function.getLoc();
  CheckedProgram program;
  program.numRecovered = getNumRecovered(module, function);
  program.numResults = function.getNumResults();
  SmallVector<Type> results(
      function.getArgumentTypes().take_front(program.numRecovered));
  for (int i = 0; i < 2; ++i)
    llvm::append_range(results, function.getResultTypes());
  // What else is public is not called.
  for (auto other : module.getOps<func::FuncOp>())
    other.setPrivate();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto check = func::FuncOp::create(
      builder, loc, kCheckName,
      builder.getFunctionType(function.getArgumentTypes(), results));
  Block *body = check.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  auto call =
      func::CallOp::create(builder, loc, function, body->getArguments());
  SmallVector<Value> inputs(call.getResults());
  auto others = body->getArguments().drop_front(program.numRecovered);
  llvm::append_range(inputs, others);
  OperationState state(loc, "rev.inverse");
  state.addOperands(inputs);
  state.addTypes(function.getArgumentTypes().take_front(program.numRecovered));
  state.addAttribute("callee",
                     FlatSymbolRefAttr::get(context, function.getSymName()));
  state.addAttribute(
      "wrt", DenseI64ArrayAttr::get(context, llvm::to_vector(llvm::seq<int64_t>(
                                                 0, program.numRecovered))));
  Operation *inverse = builder.create(state);
  SmallVector<Value> again(inverse->getResults());
  llvm::append_range(again, others);
  auto second = func::CallOp::create(builder, loc, function, again);
  SmallVector<Value> returned(inverse->getResults());
  llvm::append_range(returned, call.getResults());
  llvm::append_range(returned, second.getResults());
  func::ReturnOp::create(builder, loc, returned);
  llvm::raw_string_ostream os(program.text);
  module.print(os, OpPrintingFlags().enableDebugInfo());
  return program;
}

/// The format of the floats of `type`, or null for other elements.
static const llvm::fltSemantics *getSemantics(DType type) {
  switch (type) {
  case DType::F16:
    return &llvm::APFloat::IEEEhalf();
  case DType::BF16:
    return &llvm::APFloat::BFloat();
  case DType::F32:
    return &llvm::APFloat::IEEEsingle();
  case DType::F64:
    return &llvm::APFloat::IEEEdouble();
  default:
    return nullptr;
  }
}

/// The float number `index` of `array`.
static double getNumber(const Array &array, int64_t index) {
  DType type = array.getType().dtype;
  if (type == DType::F64)
    return static_cast<const double *>(array.getData())[index];
  if (type == DType::F32)
    return static_cast<const float *>(array.getData())[index];
  uint16_t bits = static_cast<const uint16_t *>(array.getData())[index];
  return llvm::APFloat(*getSemantics(type), llvm::APInt(16, bits))
      .convertToDouble();
}

static void setNumber(const Array &array, int64_t index, double number) {
  DType type = array.getType().dtype;
  if (type == DType::F64) {
    static_cast<double *>(array.getData())[index] = number;
    return;
  }
  if (type == DType::F32) {
    static_cast<float *>(array.getData())[index] = number;
    return;
  }
  llvm::APFloat rounded(number);
  bool losesInfo = false;
  rounded.convert(*getSemantics(type), llvm::APFloat::rmNearestTiesToEven,
                  &losesInfo);
  static_cast<uint16_t *>(array.getData())[index] =
      rounded.bitcastToAPInt().getZExtValue();
}

/// An argument of random numbers.
static llvm::Expected<Array> makeArgument(const ArrayType &type,
                                          std::mt19937 &random) {
  llvm::Expected<Array> array = Array::create(type);
  if (!array)
    return array;
  std::memset(array->getData(), 0, type.getByteSize());
  if (!getSemantics(type.dtype))
    return array;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    double number = 0.25 + random() / double(std::mt19937::max());
    setNumber(*array, i, random() % 2 ? number : -number);
  }
  return array;
}

/// The largest difference of two arrays, of the largest element of the first;
/// NaN if there is one.
static double compare(const Array &expected, const Array &actual) {
  double largest = 0, difference = 0;
  for (int64_t i = 0; i < expected.getType().getNumElements(); ++i) {
    double number = getNumber(expected, i);
    double off = std::abs(number - getNumber(actual, i));
    if (std::isnan(off))
      return off;
    largest = std::max(largest, std::abs(number));
    difference = std::max(difference, off);
  }
  return difference == 0 ? 0 : difference / largest;
}

static double getTolerance(DType type) {
  int bits = llvm::APFloat::semanticsPrecision(*getSemantics(type));
  return std::exp2((1 - bits) / 2.0);
}

llvm::Expected<InverseCheck>
mlir::memrev::checkInverse(llvm::StringRef text, llvm::StringRef name,
                           CompileOptions options) {
  InverseCheck result;
  CheckedProgram checked;
  {
    DialectRegistry registry;
    memrev::registerAllDialects(registry);
    MLIRContext context(registry);
    // What is wrong with the program the compiler says.
    ScopedDiagnosticHandler handler(&context,
                                    [](Diagnostic &) { return success(); });
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
        text, ParserConfig(&context), options.fileName);
    if (!module) {
      result.diagnostics = compile(text, options).diagnostics;
      return result;
    }
    auto function = module->lookupSymbol<func::FuncOp>(name);
    if (!function || function.getNumArguments() == 0)
      return llvm::createStringError(
          "expects a function with arguments to check the inverse of, but got "
          "'" +
          name.str() + "'");
    checked = addCheck(*module, function);
  }
  options.until = Stage::Binary;
  CompileResult compiled = compile(checked.text, options);
  result.diagnostics = std::move(compiled.diagnostics);
  if (!compiled.program)
    return result;
  auto signature = compiled.program->findFunction(kCheckName);
  if (!signature)
    return signature.takeError();
  if (!(*signature)->extents.empty())
    return llvm::createStringError(
        "expects static shapes to check an inverse, but '" + name.str() +
        "' leaves extents open");
  auto code = compiled.program->load();
  if (!code)
    return code.takeError();

  std::mt19937 random;
  constexpr int numCalls = 3;
  for (int call = 0; call < numCalls; ++call) {
    std::vector<Array> arguments;
    for (const ParameterSignature &argument : (*signature)->arguments) {
      auto array = makeArgument(argument.type, random);
      if (!array)
        return array.takeError();
      arguments.push_back(std::move(*array));
    }
    auto results = callWithArrays(**code, **signature, arguments,
                                  options.parallel ? 0 : 1);
    if (!results)
      return results.takeError();
    size_t next = 0;
    auto note = [&](const llvm::Twine &value, const Array &expected,
                    const Array &actual) {
      DType type = expected.getType().dtype;
      if (!getSemantics(type))
        return;
      if (next == result.errors.size())
        result.errors.push_back({value.str(), 0, getTolerance(type)});
      double error = compare(expected, actual);
      InverseError &noted = result.errors[next++];
      if (!(error <= noted.error) && !std::isnan(noted.error))
        noted.error = error;
    };
    for (size_t i = 0; i < checked.numRecovered; ++i)
      note("argument " + llvm::Twine(i), arguments[i], (*results)[i]);
    for (size_t i = 0; i < checked.numResults; ++i) {
      size_t at = checked.numRecovered + i;
      note("result " + llvm::Twine(i), (*results)[at],
           (*results)[at + checked.numResults]);
    }
  }
  return result;
}
