//===- InverseCheck.h - Compare a function with its inverse ---- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_COMPILER_INVERSECHECK_H
#define MEMREV_COMPILER_INVERSECHECK_H

#include "memrev/Compiler/Compiler.h"

namespace mlir::memrev {

/// How far a value is from the one that it should be.
struct InverseError {
  /// "argument 0" or "result 0".
  std::string value;
  /// The largest difference of an element, of the largest element.
  double error = 0;
  /// What rounding may come to: the square root of the type's epsilon.
  double tolerance = 0;

  /// False for NaN, too.
  bool isRight() const { return error <= tolerance; }
};

struct InverseCheck {
  std::vector<CompileDiagnostic> diagnostics;
  /// One for each argument that the inverse gives back, and one for each result
  /// of the function on these; empty if the program did not compile.
  std::vector<InverseError> errors;
};

/// Calls `function` of the program `text` with random arguments x, its inverse
/// (`rev.inverse`: the one that the function names, else the one that its
/// operations have, for argument 0) with the results y, and the function again
/// with what that gives, three times, and compares: x with inverse(f(x)), and y
/// with f(inverse(y)). Floats are drawn from [-1.25, -0.25] and [0.25, 1.25],
/// other arguments are 0. Fails if the program cannot be called.
llvm::Expected<InverseCheck> checkInverse(llvm::StringRef text,
                                          llvm::StringRef function,
                                          CompileOptions options);

} // namespace mlir::memrev

#endif // MEMREV_COMPILER_INVERSECHECK_H
