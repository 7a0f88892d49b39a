//===- EntrySignature.cpp - How callers see entries -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EntrySignature.h"

using namespace mlir;
using namespace mlir::memrev;

/// Returns the type that callers see for `type`, or an error at `func`.
static FailureOr<ArrayType> getArrayType(func::FuncOp func, Type type) {
  ArrayType array;
  if (auto buffer = dyn_cast<MemRefType>(type)) {
    for (int64_t extent : buffer.getShape())
      array.shape.push_back(ShapedType::isDynamic(extent) ? kOpenExtent
                                                          : extent);
    type = buffer.getElementType();
  }
  if (type.isInteger(1))
    array.dtype = DType::Bool;
  else if (type.isInteger(8))
    array.dtype = DType::I8;
  else if (type.isInteger(16))
    array.dtype = DType::I16;
  else if (type.isInteger(32))
    array.dtype = DType::I32;
  else if (type.isInteger(64) || type.isIndex())
    array.dtype = DType::I64;
  else if (type.isF16())
    array.dtype = DType::F16;
  else if (type.isF32())
    array.dtype = DType::F32;
  else if (type.isF64())
    array.dtype = DType::F64;
  else if (type.isBF16())
    array.dtype = DType::BF16;
  else
    return func.emitError()
           << "expects elements of type i1, i8, i16, i32, i64, index, f16, "
              "bf16, f32 or f64 at a public function, but got "
           << type;
  return array;
}

/// Describes `source` for callers under the name `name`.
static FailureOr<ParameterSignature> getParameter(func::FuncOp func,
                                                  const EntryParameter &source,
                                                  std::string name) {
  FailureOr<ArrayType> type = getArrayType(func, source.type);
  if (failed(type))
    return failure();
  return ParameterSignature{std::move(name),  *type,           source.isScalar,
                            source.isDonated, /*residual=*/{}, source.extents};
}

FailureOr<FunctionSignature>
mlir::memrev::getSignature(const Entry &entry, const ParameterNames &names) {
  FunctionSignature signature;
  func::FuncOp func = entry.func;
  signature.name = func.getSymName().str();
  signature.arenaBytes = entry.arenaBytes;
  signature.resultParameters = entry.resultParameters;
  for (const EntryExtent &extent : entry.extents)
    signature.extents.push_back({extent.argument, extent.axis});
  if (!signature.extents.empty()) {
    signature.arenaBytes = kOpenExtent;
    signature.arenaFormula = entry.formulas.arena;
  }
  for (auto [index, source] : llvm::enumerate(entry.arguments)) {
    auto argument =
        getParameter(func, source, names.getArgument(signature.name, index));
    if (failed(argument))
      return failure();
    argument->residual = names.getResidual(signature.name, index);
    signature.arguments.push_back(std::move(*argument));
  }
  for (auto [index, source] : llvm::enumerate(entry.results)) {
    auto result =
        getParameter(func, source, names.getResult(signature.name, index));
    if (failed(result))
      return failure();
    signature.results.push_back(std::move(*result));
  }
  return signature;
}
