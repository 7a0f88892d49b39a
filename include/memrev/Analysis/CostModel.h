//===- CostModel.h - How long operations take ----------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What planning weighs memory against: the time of an operation on one thread
// of a CPU. A few rates of a machine, and the work that an operation does.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_COSTMODEL_H
#define MEMREV_ANALYSIS_COSTMODEL_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir::memrev {

/// The rates of a machine; what work takes at them.
///
/// The defaults are those that `memrev-compile --calibrate` measured on one
/// core of an AMD EPYC of Zen 5.
struct CostModel {
  /// What one element type is computed at, per nanosecond.
  struct Rates {
    /// Multiply-adds of matrix products and of convolutions over channels.
    double contractions;
    /// Multiply-adds of loops that reuse little: convolutions of each channel
    /// by itself, pooling.
    double depthwise;
    /// Evaluations of exp, tanh, log and the like.
    double functions;
  };

  /// The processor that was measured, for people.
  std::string processor = "znver5";
  Rates f64{60, 30, 1.3};
  Rates f32{129, 59, 7};
  Rates f16{17, 11, 4.7};
  Rates bf16{17, 10, 4.7};
  /// Bytes that elementwise operations read and write per nanosecond, where
  /// these are in a cache, and where they are not.
  double cachedBytes = 129;
  double memoryBytes = 40;
  /// The bytes that the cache holds.
  double cacheBytes = 24 << 20;

  /// The time of a tick, the unit of times that are whole numbers.
  static constexpr double kNanosecondsPerTick = 1e-3;

  /// How long `op` and what is in it take, in picoseconds. A loop whose length
  /// is not known counts 64 times, a dynamic extent as 64. What fusion puts
  /// into one kernel moves no bytes.
  int64_t getTime(Operation *op) const;

  /// How long it takes to write `bytes` for the backward part and to read them
  /// there, in picoseconds.
  int64_t getStorageTime(int64_t bytes) const;

  /// The model that `module` has (`setOn`), or the defaults if it has none.
  /// Reports an attribute that is no model.
  static FailureOr<CostModel> get(ModuleOp module);
  /// Writes the model into the attribute `rev.cost_model` of `module`.
  void setOn(ModuleOp module) const;

  /// Reads the text of a file, as `print` writes it.
  static llvm::Expected<CostModel> parse(llvm::StringRef text);
  /// Writes a JSON object.
  void print(llvm::raw_ostream &os) const;

  /// Calls `visit` with each number of the model, which are positive, by name.
  void
  forEach(llvm::function_ref<void(llvm::StringRef name, double &number)> visit);
};

/// On a module: the rates that costs are estimated by, a dictionary of the
/// numbers that a file of `memrev-compile --calibrate` has (f64).
inline constexpr llvm::StringLiteral kCostModelAttrName = "rev.cost_model";

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_COSTMODEL_H
