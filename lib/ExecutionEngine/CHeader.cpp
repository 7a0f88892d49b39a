//===- CHeader.cpp - How C programs call a program ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/CHeader.h"
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

static void printFunction(llvm::raw_ostream &os,
                          const FunctionSignature &function) {
  std::string identifier = toIdentifier(function.name);
  os << "\n#define " << llvm::StringRef(identifier).upper() << "_ARENA_BYTES "
     << function.arenaBytes << "\n/* Arguments:";
  for (const ParameterSignature &argument : function.arguments)
    os << ' ' << argument.name << ' ' << argument.type;
  os << ". Results:";
  for (size_t i = 0; i < function.results.size(); ++i) {
    os << ' ' << function.results[i].name << ' ' << function.results[i].type;
    if (!function.hasOwnParameter(i))
      os << " in arg" << function.resultParameters[i];
  }
  os << ". */\nvoid " << identifier << '(';
  for (const ParameterSignature &argument : function.arguments) {
    llvm::StringRef type = getCType(argument.type.dtype);
    if (argument.isScalar)
      os << type << ' ' << argument.name << ", ";
    else
      os << (argument.isDonated ? "" : "const ") << type << " *"
         << argument.name << ", ";
  }
  for (size_t i = 0; i < function.results.size(); ++i) {
    if (function.hasOwnParameter(i))
      os << getCType(function.results[i].type.dtype) << " *"
         << function.results[i].name << ", ";
  }
  os << "void *arena)";
  if (identifier != function.name) {
    os << " __asm__(";
    printLiteral(os, function.name);
    os << ')';
  }
  os << ";\n";
}

void mlir::memrev::printCHeader(llvm::raw_ostream &os,
                                llvm::ArrayRef<FunctionSignature> functions) {
  os << "/* Functions compiled by memrev. Arrays are contiguous in C order "
        "and\n"
        "   results overlap nothing. Each call at a time needs an arena of "
        "its\n"
        "   own, of *_ARENA_BYTES bytes, aligned to 64. */\n"
        "#pragma once\n#include <stdbool.h>\n#include <stdint.h>\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
  for (const FunctionSignature &function : functions)
    printFunction(os, function);
  os << "\n#ifdef __cplusplus\n}\n#endif\n";
}
