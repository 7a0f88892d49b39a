//===- Artifacts.cpp - Libraries and headers for C -------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/ExecutionEngine/Artifacts.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Program.h"

using namespace mlir::memrev;

//===----------------------------------------------------------------------===//
// C header
//===----------------------------------------------------------------------===//

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
  os << "/* Functions compiled by memrev. Arrays are contiguous in C order and\n"
        "   results overlap nothing. Each call at a time needs an arena of its\n"
        "   own, of *_ARENA_BYTES bytes, aligned to 64. */\n"
        "#pragma once\n#include <stdbool.h>\n#include <stdint.h>\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
  for (const FunctionSignature &function : functions)
    printFunction(os, function);
  os << "\n#ifdef __cplusplus\n}\n#endif\n";
}

//===----------------------------------------------------------------------===//
// Shared library
//===----------------------------------------------------------------------===//

llvm::Error mlir::memrev::linkSharedLibrary(const llvm::MemoryBuffer &object,
                                            llvm::StringRef path) {
  std::string linker;
  for (const char *name : {"clang-22", "clang", "cc", "gcc"}) {
    if (auto found = llvm::sys::findProgramByName(name)) {
      linker = *found;
      break;
    }
  }
  if (linker.empty())
    return llvm::createStringError("no C compiler was found to link with");

  llvm::SmallString<128> objectPath, errorPath;
  int descriptor;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile(
          "memrev", "o", descriptor, objectPath))
    return llvm::createStringError("cannot make a temporary file: " +
                                   code.message());
  llvm::FileRemover removeObject(objectPath);
  {
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    os << object.getBuffer();
    os.close();
    if (os.has_error()) {
      std::string message = os.error().message();
      os.clear_error();
      return llvm::createStringError("cannot write a temporary file: " +
                                     message);
    }
  }
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("memrev", "txt", errorPath))
    return llvm::createStringError("cannot make a temporary file: " +
                                   code.message());
  llvm::FileRemover removeErrors(errorPath);

  // In the folder of the result, so that it can be renamed.
  llvm::SmallString<128> libraryPath;
  if (std::error_code code = llvm::sys::fs::createUniqueFile(
          path + "-%%%%%%.tmp", libraryPath))
    return llvm::createStringError("cannot write '" + path.str() +
                                   "': " + code.message());
  llvm::FileRemover removeLibrary(libraryPath);
  llvm::SmallVector<llvm::StringRef> arguments = {
      linker, "-shared", "-o", libraryPath, objectPath, "-Wl,--as-needed",
      "-lm"};
  if (object.getBuffer().contains("_ZGV"))
    arguments.push_back("-lmvec");
  if (object.getBuffer().contains("__kmpc_"))
    arguments.push_back("-l:libomp.so.5");
  std::optional<llvm::StringRef> redirects[] = {std::nullopt, std::nullopt,
                                                llvm::StringRef(errorPath)};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(linker, arguments, std::nullopt,
                                         redirects, 0, 0, &message);
  if (status != 0) {
    if (auto errors = llvm::MemoryBuffer::getFile(errorPath))
      message += (*errors)->getBuffer();
    return llvm::createStringError("linking failed: " +
                                   llvm::StringRef(message).trim().str());
  }
  if (std::error_code code = llvm::sys::fs::rename(libraryPath, path))
    return llvm::createStringError("cannot write '" + path.str() +
                                   "': " + code.message());
  removeLibrary.releaseFile();
  return llvm::Error::success();
}
