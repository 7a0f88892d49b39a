//===- InitAll.h - Register every memrev dialect and pass ----- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One entry point each for dialects and passes, called by the tools, the
// plugin and the C API alike: a missing external model shows only as "no rule"
// or "op was not bufferized" far from its cause.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INITALL_H
#define MEMREV_INITALL_H

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::memrev {

/// Adds the dialects and external interface models of memrev to `registry`,
/// and none of upstream's: all that a plugin adds to a stock mlir-opt.
void registerMemRevDialects(DialectRegistry &registry);

/// Adds every dialect, extension and translation interface, upstream's and
/// memrev's, that a memrev pipeline can use to `registry`.
void registerAllDialects(DialectRegistry &registry);

/// Registers the passes and pipelines of memrev for use by name.
void registerMemRevPasses();

/// Registers every upstream and memrev pass for use by name.
void registerAllPasses();

/// Prints a Markdown table of the derivative and inverse rules that `registry`
/// attaches to the operations of the dialects that can be differentiated:
/// docs/Coverage.md.
void printDerivativeRules(const DialectRegistry &registry,
                          llvm::raw_ostream &os);

} // namespace mlir::memrev

#endif // MEMREV_INITALL_H
