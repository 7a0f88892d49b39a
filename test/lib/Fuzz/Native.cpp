//===- Native.cpp - Runs derived functions as machine code ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Native.h"
#include "memrev/Compiler/Compiler.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::testing;

bool mlir::memrev::testing::isNativeCallable(ModuleOp program) {
  Signature signature(program);
  auto isCallable = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    Type element = getElementTypeOrSelf(type);
    return (!tensor || tensor.hasStaticShape()) &&
           (element.isF32() || element.isF64());
  };
  return llvm::all_of(signature.func.getArgumentTypes(), isCallable) &&
         llvm::all_of(signature.func.getResultTypes(), isCallable);
}

/// Copies numbers between an array and a datum.
template <typename T>
static void copyNumbers(const Datum &datum, Array &array) {
  T *target = static_cast<T *>(array.getData());
  for (auto [n, cell] : llvm::enumerate(datum.read()))
    target[n] = T(cell.real);
}
template <typename T>
static void copyNumbers(const Array &array, Datum &datum) {
  const T *source = static_cast<const T *>(array.getData());
  for (auto [n, cell] : llvm::enumerate(datum.write()))
    cell.real = double(source[n]);
}

std::optional<Values>
mlir::memrev::testing::runNative(ModuleOp program, Derived derived,
                                 ArrayRef<Datum> arguments, std::string &error,
                                 std::optional<unsigned> &overwritten) {
  OwningOpRef<ModuleOp> module = program.clone();
  addTransforms(*module, derived);
  Signature(*module).func.setPrivate();
  std::string text;
  {
    llvm::raw_string_ostream os(text);
    module->print(os, OpPrintingFlags().useLocalScope());
  }
  CompileOptions options;
  options.parallel = false;
  CompileResult compiled = compile(text, options);
  if (!compiled.program) {
    error = "failure without an error";
    for (const CompileDiagnostic &diagnostic :
         llvm::reverse(compiled.diagnostics))
      if (diagnostic.severity == CompileDiagnostic::Severity::Error)
        error = diagnostic.message;
    return std::nullopt;
  }
  auto report = [&](llvm::Error problem) {
    error = llvm::toString(std::move(problem));
    return std::nullopt;
  };
  llvm::Expected<const FunctionSignature *> function =
      compiled.program->findFunction(getName(derived));
  if (!function)
    return report(function.takeError());
  llvm::Expected<const LoadedCode *> code = compiled.program->load();
  if (!code)
    return report(code.takeError());
  std::vector<Array> arrays;
  std::vector<std::vector<char>> given;
  for (auto [datum, parameter] :
       llvm::zip_equal(arguments, (*function)->arguments)) {
    // The type may leave extents open.
    ArrayType type = parameter.type;
    type.shape.assign(datum.getShape().begin(), datum.getShape().end());
    llvm::Expected<Array> array = Array::create(type);
    if (!array)
      return report(array.takeError());
    if (parameter.type.dtype == DType::F32)
      copyNumbers<float>(datum, *array);
    else
      copyNumbers<double>(datum, *array);
    const char *data = static_cast<const char *>(array->getData());
    given.emplace_back(data, data + type.getByteSize());
    arrays.push_back(std::move(*array));
  }
  llvm::Expected<std::vector<Array>> results =
      callWithArrays(**code, **function, arrays, /*threads=*/1);
  if (!results)
    return report(results.takeError());
  // Arguments are the caller's.
  for (auto [number, array] : llvm::enumerate(arrays))
    if (!given[number].empty() &&
        std::memcmp(array.getData(), given[number].data(),
                    given[number].size()) != 0) {
      overwritten = number;
      return std::nullopt;
    }
  Values values;
  for (const Array &array : *results) {
    Datum datum(array.getType().shape, 1, Cell());
    if (array.getType().dtype == DType::F32)
      copyNumbers<float>(array, datum);
    else
      copyNumbers<double>(array, datum);
    values.push_back(datum);
  }
  return values;
}
