//===- DerivedFunctions.h - Functions derived from functions -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_DERIVEDFUNCTIONS_H
#define MEMREV_LIB_TRANSFORMS_DERIVEDFUNCTIONS_H

#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::memrev {

/// What to derive from a function.
struct DerivativeRequest {
  func::FuncOp function;
  SmallVector<int64_t> wrt;
  /// The results that get a cotangent each as an argument; empty for a value
  /// and gradient, where result 0 gets the cotangent 1.
  SmallVector<int64_t> of;
  bool isValueAndGrad = false;
  rev::Policy policy = rev::Policy::Invert;
  /// Whom to blame.
  Location loc;
};

/// What to derive from a function in forward mode.
struct TangentRequest {
  func::FuncOp function;
  SmallVector<int64_t> wrt;
  /// The results whose tangents are returned.
  SmallVector<int64_t> of;
  bool strongZero = false;
  /// Whom to blame.
  Location loc;
};

/// Adds derived functions to a module, each once.
class DerivedFunctions {
public:
  explicit DerivedFunctions(ModuleOp module);

  /// Replaces the transforms in all functions by calls, innermost first.
  LogicalResult expandAll();

  /// The function that evaluates `request`: (arguments, cotangents of `of`) ->
  /// gradients, or arguments -> (results, gradients).
  FailureOr<func::FuncOp> getDerivative(const DerivativeRequest &request);

  /// The function (arguments, tangents of `wrt`) -> (results, tangents of
  /// `of`).
  FailureOr<func::FuncOp> getTangent(const TangentRequest &request);

  /// Lists in the module's attribute `memrev.plan` what the derived functions
  /// store, invert and recompute, under the public functions that call them.
  void addReport();

  /// The function (results, other arguments) -> arguments `wrt`.
  FailureOr<func::FuncOp> getInverse(func::FuncOp function,
                                     ArrayRef<int64_t> wrt, Location loc);

  /// Adds `@f_fwd` and `@f_bwd` for `request`, a vector-Jacobian product.
  LogicalResult addSplit(const DerivativeRequest &request);

private:
  /// Expands the transforms in `function`; reports a function that transforms
  /// itself.
  LogicalResult expandTransforms(func::FuncOp function);
  LogicalResult expandTransform(Operation *transform);
  /// A private copy of `function` with calls inlined and transforms expanded.
  FailureOr<func::FuncOp> clonePrepared(func::FuncOp function, Twine name,
                                        Location loc);
  /// Builds the derivative of `request`; `lastForward` receives the last
  /// operation of its forward part.
  FailureOr<func::FuncOp> build(const DerivativeRequest &request,
                                StringRef name, bool returnResults,
                                Operation *&lastForward);

  ModuleOp module;
  SymbolTable symbols;
  llvm::StringMap<func::FuncOp> derived;
  /// What became of the values of each derived function.
  SmallVector<std::pair<func::FuncOp, SmallVector<Attribute>>> reports;
  llvm::SetVector<Operation *> expanding;
  llvm::DenseSet<Operation *> expanded;
};

/// A text that two requests for the same function share.
std::string getKey(StringRef kind, func::FuncOp function, ArrayRef<int64_t> wrt,
                   ArrayRef<int64_t> of, StringRef policy);

/// Erases the operations of `block` that have no uses, but `keep`, last first.
void eraseDeadOps(Block &block, Operation *keep = nullptr);

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_DERIVEDFUNCTIONS_H
