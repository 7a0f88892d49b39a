//===- TangentContext.h - What a forward-mode rule talks to --- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// This file declares the context in which forward-mode rules emit code. Forward
// mode computes tangents next to the values, in the program itself: a rule
// reads an operation's operands and results directly.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_TANGENTCONTEXT_H
#define MEMREV_INTERFACES_TANGENTCONTEXT_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

namespace mlir::memrev {

/// The tangents of the values of a program. A tangent has the type of its
/// value; null stands for zero.
class TangentContext {
public:
  virtual ~TangentContext() = default;

  /// Where rules emit code: behind the operation that is differentiated.
  virtual OpBuilder &getBuilder() = 0;

  /// True if `value` depends on what is differentiated with respect to. Known
  /// for values of regions that have not been differentiated yet too: a loop
  /// has to carry the tangents of its active iteration arguments.
  virtual bool isActive(Value value) = 0;

  /// The tangent of `value`, or null if it is zero.
  virtual Value tangent(Value value) = 0;

  /// The tangent of `value`, a zero of its type if there is none.
  virtual Value tangentOrZero(Value value) = 0;

  /// Declares the tangent of `value`; null means zero.
  virtual void setTangent(Value value, Value tangent) = 0;

  /// Adds `contribution` to the tangent of `value`.
  virtual void addTangent(Value value, Value contribution) = 0;

  /// A zero of type `type`; dynamic extents are those of `like`.
  virtual Value zero(Type type, Value like, Location loc) = 0;

  /// True if a zero tangent times an infinite or undefined partial derivative
  /// is zero.
  virtual bool hasStrongZero() = 0;

  /// Emits tangents next to the operations of `block`, whose arguments have
  /// theirs. The builder is where it was afterwards. The block may belong to an
  /// operation that a rule is building; the values in it are those that
  /// `isActive` knows.
  virtual LogicalResult differentiate(Block &block) = 0;

  /// Replaces `op` by an operation that a rule built with the same results
  /// followed by tangents: `results` take the place of those of `op`. Erases
  /// `op`. Values keep what is known of them.
  virtual void replace(Operation *op, ValueRange results) = 0;
};

} // namespace mlir::memrev

#endif // MEMREV_INTERFACES_TANGENTCONTEXT_H
