//===- CHeader.cpp - How C programs call a program ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/CHeader.h"
#include "memrev/ExecutionEngine/NativeCode.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir::memrev;

/// Returns `name` with every character that C does not allow replaced.
static std::string toIdentifier(llvm::StringRef name) {
  std::string identifier;
  for (char c : name)
    identifier.push_back(llvm::isAlnum(c) ? c : '_');
  if (identifier.empty() || llvm::isDigit(identifier.front()))
    identifier.insert(identifier.begin(), '_');
  return identifier;
}

/// Writes `text` as a C string literal.
static void printLiteral(llvm::raw_ostream &os, llvm::StringRef text) {
  os << '"';
  llvm::printEscapedString(text, os);
  os << '"';
}

/// Writes what a comment says of a parameter: its identifier, the program's
/// name for it, and its type.
static void describe(llvm::raw_ostream &os, llvm::StringRef identifier,
                     const ParameterSignature &parameter) {
  os << "\n     " << identifier << ' ';
  if (parameter.name != identifier) {
    // A name may hold the end of a comment.
    for (char c : parameter.name)
      os << (c == '/' || !llvm::isPrint(c) ? '_' : c);
    os << ' ';
  }
  if (parameter.extents.empty()) {
    os << parameter.type;
    return;
  }
  os << getName(parameter.type.dtype) << '[';
  auto next = parameter.extents.begin();
  llvm::interleaveComma(parameter.type.shape, os, [&](int64_t extent) {
    if (extent == kOpenExtent)
      os << *next++;
    else
      os << extent;
  });
  os << ']';
}

/// Writes the end of a declaration, with the symbol `name` if the identifier is
/// another one.
static void printSymbol(llvm::raw_ostream &os, llvm::StringRef identifier,
                        llvm::StringRef name) {
  if (identifier != name) {
    os << " __asm__(";
    printLiteral(os, name);
    os << ')';
  }
  os << ";\n";
}

/// Declares the functions that say what a call with some open extents takes.
static void printExtentFunctions(llvm::raw_ostream &os,
                                 const FunctionSignature &function,
                                 llvm::StringRef identifier) {
  std::string extents;
  llvm::raw_string_ostream list(extents);
  llvm::interleaveComma(llvm::seq(function.extents.size()), list,
                        [&](size_t i) { list << "int64_t d" << i; });
  for (const std::string &name : getEntryNames({function})) {
    llvm::StringRef suffix = llvm::StringRef(name).substr(function.name.size());
    std::string declared = (identifier + suffix).str();
    if (suffix == kArenaBytesSuffix)
      os << "int64_t " << declared << '(' << extents << ')';
    else if (suffix == kResultExtentsSuffix)
      os << "void " << declared << '(' << extents << ", int64_t *extents)";
    else
      continue;
    printSymbol(os, declared, name);
  }
}

static std::string getIdentifier(llvm::StringRef kind, size_t index) {
  return (kind + llvm::Twine(index)).str();
}

static void printFunction(llvm::raw_ostream &os,
                          const FunctionSignature &function) {
  std::string identifier = toIdentifier(function.name);
  if (function.extents.empty())
    os << "\n#define " << llvm::StringRef(identifier).upper() << "_ARENA_BYTES "
       << function.arenaBytes << "\n/* Arguments:";
  else
    os << "\n/* " << identifier << kArenaBytesSuffix << " is "
       << function.arenaFormula << ".\n   Arguments:";
  for (auto [i, argument] : llvm::enumerate(function.arguments))
    describe(os, getIdentifier("arg", i), argument);
  os << "\n   Results:";
  for (auto [i, result] : llvm::enumerate(function.results)) {
    describe(os, getIdentifier("result", i), result);
    if (!function.hasOwnParameter(i))
      os << " in arg" << function.resultParameters[i];
  }
  os << " */\n";
  printExtentFunctions(os, function, identifier);
  os << "void " << identifier << '(';
  for (auto [i, argument] : llvm::enumerate(function.arguments)) {
    llvm::StringRef type = getCType(argument.type.dtype);
    if (argument.isScalar)
      os << type << " arg" << i << ", ";
    else
      os << (argument.isDonated ? "" : "const ") << type << " *arg" << i
         << ", ";
  }
  for (size_t i = 0; i < function.extents.size(); ++i)
    os << "int64_t d" << i << ", ";
  for (auto [i, result] : llvm::enumerate(function.results)) {
    if (function.hasOwnParameter(i))
      os << getCType(result.type.dtype) << " *result" << i << ", ";
  }
  os << "void *arena)";
  printSymbol(os, identifier, function.name);
}

/// What callers of every program have to know, and what they include.
static constexpr llvm::StringLiteral kPreamble =
    R"(/* Functions compiled by memrev. Arrays are contiguous in C order and
   results overlap nothing. Each call at a time needs an arena of its
   own, of *_ARENA_BYTES bytes, aligned to 64. Where types leave extents
   open, *_arena_bytes computes its bytes from them. It returns -1 if sizes
   are negative or do not fit 64 bits, and -2 if extents do not agree with
   each other: the function must not be called then. *_result_extents
   stores the extents of results. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
)";

/// What callers of a program for a GPU use beside its functions; all of it, and
/// more, is in memrev/Runtime/CUDA/CUDARuntime.h.
static constexpr llvm::StringLiteral kDevicePreamble = R"(
/* Arrays and arenas are device memory; arrays of 16 bytes and more are
   aligned to 16. A call returns when its results are there, unless its thread
   uses a stream: then it returns when its work is submitted. Functions of the
   runtime return 0, or 1 after an error. After an error the thread's calls do
   nothing until it is cleared; a null pointer says that there was none. */
const char *memrevCudaLastError(void);
void memrevCudaClearError(void);
int memrevCudaSetDevice(int32_t device);
void memrevCudaUseStream(void *stream);
void memrevCudaUseOwnStreams(void);
int memrevCudaAllocate(void **pointer, size_t bytes);
int memrevCudaFree(void *pointer);
int memrevCudaCopyToDevice(void *device, const void *host, size_t bytes);
int memrevCudaCopyToHost(void *host, const void *device, size_t bytes);
)";

void mlir::memrev::printCHeader(llvm::raw_ostream &os,
                                llvm::ArrayRef<FunctionSignature> functions,
                                bool isForDevice) {
  os << kPreamble;
  if (isForDevice)
    os << kDevicePreamble;
  for (const FunctionSignature &function : functions)
    printFunction(os, function);
  os << "\n#ifdef __cplusplus\n}\n#endif\n";
}
