//===- Array.cpp - Arrays that cross the border of a program --------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/Array.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <cstring>

using namespace mlir::memrev;

namespace {
struct DTypeInfo {
  int64_t bytes;
  const char *name;
  const char *cType;
};
} // namespace

/// The properties of each element type, in the order of the enumeration.
static const DTypeInfo &getInfo(DType type) {
  static const DTypeInfo infos[] = {
      {1, "bool", "bool"},         {1, "int8", "int8_t"},
      {2, "int16", "int16_t"},     {4, "int32", "int32_t"},
      {8, "int64", "int64_t"},     {2, "float16", "uint16_t"},
      {4, "float32", "float"},     {8, "float64", "double"},
      {2, "bfloat16", "uint16_t"},
  };
  return infos[static_cast<size_t>(type)];
}

int64_t mlir::memrev::getByteSize(DType type) { return getInfo(type).bytes; }
llvm::StringRef mlir::memrev::getName(DType type) { return getInfo(type).name; }
llvm::StringRef mlir::memrev::getCType(DType type) {
  return getInfo(type).cType;
}

int64_t ArrayType::getNumElements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

int64_t ArrayType::getByteSize() const {
  return getNumElements() * mlir::memrev::getByteSize(dtype);
}

llvm::raw_ostream &mlir::memrev::operator<<(llvm::raw_ostream &os,
                                            const ArrayType &type) {
  os << getName(type.dtype) << '[';
  llvm::interleaveComma(type.shape, os, [&](int64_t extent) {
    if (extent == kOpenExtent)
      os << '?';
    else
      os << extent;
  });
  return os << ']';
}

int64_t FunctionSignature::getNumArrayParameters() const {
  int64_t count = arguments.size() + extents.size();
  for (int64_t parameter : resultParameters)
    count = std::max(count, parameter + 1);
  return count;
}

llvm::Expected<Array> Array::create(ArrayType type) {
  // A file may claim any shape.
  int64_t bytes = mlir::memrev::getByteSize(type.dtype);
  for (int64_t size : type.shape) {
    if (size < 0 || llvm::MulOverflow(bytes, size, bytes))
      return llvm::createStringError("an array has an impossible shape");
  }
  if (bytes > std::numeric_limits<int64_t>::max() / 2)
    return llvm::createStringError("an array has an impossible shape");
  Array array;
  array.type = std::move(type);
  size_t rounded = llvm::alignTo(std::max<int64_t>(bytes, 1), 64);
  array.data.reset(std::aligned_alloc(64, rounded));
  if (!array.data)
    return llvm::createStringError("out of memory: an array needs " +
                                   std::to_string(bytes) + " bytes");
  std::memset(array.data.get(), 0, rounded);
  return array;
}

llvm::Error mlir::memrev::verifyArgument(const FunctionSignature &function,
                                         const ParameterSignature &expected,
                                         const ArrayType &actual) {
  bool fits = expected.type.dtype == actual.dtype &&
              expected.type.shape.size() == actual.shape.size();
  for (size_t i = 0; fits && i < actual.shape.size(); ++i)
    fits = expected.type.shape[i] == actual.shape[i] ||
           expected.type.shape[i] == kOpenExtent;
  if (fits)
    return llvm::Error::success();
  std::string message;
  llvm::raw_string_ostream os(message);
  os << "argument '" << expected.name << "' of '" << function.name << "' ";
  if (expected.type.dtype != actual.dtype)
    os << "expects dtype " << getName(expected.type.dtype) << ", but got "
       << getName(actual.dtype);
  else if (expected.type.shape.size() != actual.shape.size())
    os << "expects rank " << expected.type.shape.size() << " (" << expected.type
       << "), but got rank " << actual.shape.size() << " (" << actual << ")";
  else
    os << "expects shape " << expected.type << ", but got " << actual;
  return llvm::createStringError(message);
}
