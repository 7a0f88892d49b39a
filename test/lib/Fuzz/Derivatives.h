//===- Derivatives.h - Derived functions of a program --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_FUZZ_DERIVATIVES_H
#define MEMREV_TEST_LIB_FUZZ_DERIVATIVES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mlir::memrev::testing {

/// The derived functions that are checked, each by the name of a function that
/// `derive` adds to a copy of the program.
enum class Derived {
  /// The program itself, lowered.
  Function,
  /// (arguments, cotangents of `of`) -> gradients of `wrt`
  VjpStore,
  VjpInvert,
  /// (arguments, tangents of `wrt`) -> (results, tangents of `of`)
  Jvp,
  /// (arguments) -> (results, gradients of `wrt`)
  ValueAndGrad,
  /// (arguments, cotangents, tangents) -> (gradients, their tangents): the
  /// Hessian's product with a vector.
  JvpOfVjp,
  /// (arguments, cotangents, weights of the gradients) -> gradients
  VjpOfVjp,
};

/// The name of the function that `derive` makes.
StringRef getName(Derived derived);

/// What a program's attributes say.
struct Signature {
  func::FuncOp func;
  SmallVector<int64_t> wrt, of;

  explicit Signature(ModuleOp program);
  SmallVector<Type> typesOfWrt();
  SmallVector<Type> typesOf();
};

/// Adds the function `derived` to `program`, as a transform.
void addTransforms(ModuleOp program, Derived derived);

/// A module without transforms, or why there is none.
struct DerivedModule {
  OwningOpRef<ModuleOp> module;
  /// The first error, if there was one.
  std::string error;
  /// Whether the error has a place in the program.
  bool isLocated = true;
};

/// A copy of `program` with the functions `derived`, differentiated and lowered
/// to upstream dialects. `strongZero` is the option of that name of the
/// transforms.
DerivedModule derive(ModuleOp program, ArrayRef<Derived> derived,
                     bool strongZero = false);

/// As above, with `f_fwd` and `f_bwd`.
DerivedModule split(ModuleOp program);

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_FUZZ_DERIVATIVES_H
