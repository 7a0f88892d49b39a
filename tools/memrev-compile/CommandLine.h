//===- CommandLine.h - Options of memrev-compile -------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TOOLS_COMPILE_COMMANDLINE_H
#define MEMREV_TOOLS_COMPILE_COMMANDLINE_H

#include "memrev/Compiler/Compiler.h"

namespace mlir::memrev {

/// What to write.
enum class Emit { Nothing, MLIR, LLVM, Object, SharedLibrary, Header, Kernels };

/// A parsed command line.
struct CommandLine {
  CompileOptions compile;
  std::string input = "-";
  std::string output = "-";
  Emit emit = Emit::Nothing;
  /// The value of --emit.
  std::string emitted;
  bool run = false;
  std::string entry;
  std::vector<std::string> arguments;
  std::string results;
  unsigned bench = 0;
  unsigned threads = 0;
  bool reportMemory = false;
  ReportFormat reportFormat = ReportFormat::Text;
  /// The file of --cost-model.
  std::string costModel;
  bool calibrate = false;
  /// The function of --check-inverse.
  std::string checkedInverse;
  bool help = false;
};

/// Parses the arguments of the program, without its name. LLVM's own parser is
/// not used: libLLVM registers hundreds of options in it, some by our names.
llvm::Expected<CommandLine> parseCommandLine(llvm::ArrayRef<const char *> args);

/// Prints all options.
void printHelp(llvm::raw_ostream &os);

} // namespace mlir::memrev

#endif // MEMREV_TOOLS_COMPILE_COMMANDLINE_H
