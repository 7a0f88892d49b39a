//===- Entries.h - Entries of a bufferized module ------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_PIPELINES_ENTRIES_H
#define MEMREV_PIPELINES_ENTRIES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace mlir::memrev {

/// What a program calls the arguments and results of its public functions
/// (`rev.name`), and what else it says of them to callers (`rev.residual`). It
/// is taken off once functions are derived, so that no later pass has to hand
/// it on where it makes a function anew.
class ParameterNames {
public:
  static ParameterNames take(ModuleOp module);

  /// The name of an argument or a result; "arg" or "result" and its number if
  /// it has none.
  std::string getArgument(StringRef func, size_t index) const;
  std::string getResult(StringRef func, size_t index) const;
  /// What an argument is of the forward function of a split derivative, "saved
  /// 0" for example; empty for other arguments.
  std::string getResidual(StringRef func, size_t index) const;

private:
  using Names = llvm::StringMap<SmallVector<std::string>>;
  Names arguments, results, residuals;
};

/// An argument or a result of an entry.
struct EntryParameter {
  /// A buffer, or the scalar that is passed by value.
  Type type;
  /// The program has a scalar here.
  bool isScalar = false;
  /// The call overwrites this argument.
  bool isDonated = false;
  /// Formulas of the extents that the type leaves open.
  std::vector<std::string> extents;
};

/// An extent of an argument that its type leaves open: d0, d1, ... of formulas.
struct EntryExtent {
  int64_t argument = 0;
  int64_t axis = 0;
};

/// The bytes that a call of an entry with open extents takes, as formulas.
struct EntryFormulas {
  std::string arguments, results, arena, peak;
};

/// A public function after the bufferize stage: its parameters are the
/// arguments, then their open extents, then those results that do not live in
/// an argument, then the arena.
struct Entry {
  func::FuncOp func;
  SmallVector<EntryParameter> arguments;
  SmallVector<EntryParameter> results;
  /// For each result the position of the parameter that holds it.
  SmallVector<int64_t> resultParameters;
  SmallVector<EntryExtent> extents;
  /// If there are open extents the formulas say what is not known.
  int64_t arenaBytes = 0;
  EntryFormulas formulas;
  /// The buffers of the arena (see `kArenaBuffersAttr`).
  ArrayAttr arenaBuffers;
};

/// Reads the entries of `module` from what the bufferize stage left on them.
std::vector<Entry> readEntries(ModuleOp module);

/// The names of the functions without a body that a module of a program for the
/// CPU calls, after the bufferize stage.
std::vector<std::string> readExternals(ModuleOp module);

/// The most bytes that a call of `func` may take by the program
/// (`memrev.memory_budget`), if it says so.
std::optional<int64_t> getMemoryBudget(func::FuncOp func);

/// Returns what differentiation decided for each value that a backward pass
/// needs, dictionaries of function, location, bytes, strategy and reason; null
/// if nothing was differentiated.
ArrayAttr readPlan(ModuleOp module);

} // namespace mlir::memrev

#endif // MEMREV_PIPELINES_ENTRIES_H
