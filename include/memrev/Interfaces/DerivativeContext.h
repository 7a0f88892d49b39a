//===- DerivativeContext.h - What a derivative rule talks to -- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// This file declares the context in which derivative and inverse rules emit
// code. Rules know no pass and no plan: they ask for values and add cotangents.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_INTERFACES_DERIVATIVECONTEXT_H
#define MEMREV_INTERFACES_DERIVATIVECONTEXT_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <functional>
#include <memory>

namespace mlir::memrev {

/// How good a primal value has to be.
enum class Precision {
  /// A reconstruction that differs by rounding will do: the rule is continuous
  /// in the value.
  Rounded,
  /// The rule jumps where the value has ties on a set of positive measure (the
  /// zeros of a relu's output): the value must be stored or come from the
  /// operation that computed it in the forward part.
  Exact
};

/// A primal value that a rule reads; any one of `alternatives` will do.
struct Residual {
  /*implicit*/ Residual(Value value, Precision precision = Precision::Rounded)
      : alternatives({value}), precision(precision) {}
  Residual(ArrayRef<Value> alternatives,
           Precision precision = Precision::Rounded)
      : alternatives(alternatives), precision(precision) {}

  SmallVector<Value, 2> alternatives;
  Precision precision;
};

/// How well an inverse edge gives values back.
enum class InverseKind {
  /// But for the rounding of the values at hand: none for what is moved and for
  /// integers; an addition that is undone by a subtraction.
  Exact,
  /// The forward operation loses digits that the inverse cannot have: where it
  /// is flat or its result is small, errors grow without a bound known here
  /// (a division undone, the logarithm of an exponential).
  Conditioned,
  /// By a formula that is not the inverse but close to it: an iteration that
  /// stops at a tolerance, a function that the program names as an inverse.
  Approximate
};

/// What is known of the derivative of the results of an operation by what an
/// inverse edge solves for, with what else the edge reads held fixed.
enum class Determinant {
  /// Nothing here: whoever needs the determinant knows the operation.
  Unknown,
  /// Its absolute value is one: elements are moved, or shifted by what is
  /// fixed.
  One,
  /// Each element of the result depends on one element of the value that is
  /// solved for, and that on no other: the product of the partial derivatives.
  Diagonal
};

/// The values `solved` are functions of the values `from`.
struct InverseEdge {
  SmallVector<Value, 1> solved;
  SmallVector<Value> from;
  InverseKind kind = InverseKind::Exact;
  /// By how much an error of one of the values `from` grows in what is solved,
  /// at most: the Lipschitz constant of the inverse. 0 if none is known.
  double gain = 1;
  Determinant determinant = Determinant::Unknown;
  /// Operations in front of the edge's own that compute of `solved` what that
  /// reads, each from no other of them: they are undone together, and
  /// `determinant` is that of all of them.
  SmallVector<Operation *, 2> through = {};

  /// An edge along which elements are only moved.
  static InverseEdge moving(ArrayRef<Value> solved, ArrayRef<Value> from) {
    InverseEdge edge{SmallVector<Value, 1>(solved), SmallVector<Value>(from)};
    edge.determinant = Determinant::One;
    return edge;
  }
};

/// Code that computes at one point of the reverse part: what each primal value
/// is called there, and its cotangent.
///
/// Primal values are the values of the program that is differentiated. All
/// methods take primal values; a value that this context emitted as a copy of a
/// primal value (a clone, a reconstruction) stands for it.
class DerivativeContext {
public:
  virtual ~DerivativeContext() = default;

  /// Where rules emit code.
  virtual OpBuilder &getBuilder() = 0;

  /// True if what rules emit is a program of its own, the inverse that somebody
  /// asked for, which may be differentiated itself: then what has an inverse
  /// stays one operation. False inside of a derivative.
  virtual bool emitsProgram() = 0;

  //===--------------------------------------------------------------------===//
  // Primal values
  //===--------------------------------------------------------------------===//

  /// A value that equals `value` here: one that is available, or one made by
  /// the cheapest way the plan allows. Null after an error was reported.
  virtual Value primal(Value value,
                       Precision precision = Precision::Rounded) = 0;

  /// True if `primal` needs to emit nothing for `value`.
  virtual bool isAvailable(Value value) = 0;

  /// True if what is available for `value` differs from it by rounding.
  virtual bool isRounded(Value value) = 0;

  /// Declares that `now` equals `value` from here on.
  virtual void provide(Value value, Value now,
                       Precision precision = Precision::Exact) = 0;

  /// Evaluates the operations of `block` again, with what equals the primal
  /// values `arguments` for its arguments. The clones, in program order, are
  /// part of the program that is differentiated from here on: their values
  /// stand for themselves, and `differentiate` takes them. `yields` receives
  /// the operands of the block's terminator in the clone.
  virtual LogicalResult recompute(Block &block, ValueRange arguments,
                                  SmallVectorImpl<Operation *> &clones,
                                  SmallVectorImpl<Value> &yields) = 0;

  /// Makes `ops`, which a rule emitted, part of the program that is
  /// differentiated, with `active` (values that they read) being active.
  virtual void adopt(ArrayRef<Operation *> ops, ValueRange active) = 0;

  /// The clones and yields of an earlier `recompute` of `block`, if any.
  virtual bool getRecomputed(Block &block, SmallVectorImpl<Operation *> &clones,
                             SmallVectorImpl<Value> &yields) = 0;

  //===--------------------------------------------------------------------===//
  // Cotangents
  //===--------------------------------------------------------------------===//

  /// True if `value` depends on what is differentiated with respect to and can
  /// have a cotangent.
  virtual bool isActive(Value value) = 0;

  /// The cotangent of `value` so far, or null if it is zero.
  virtual Value cotangent(Value value) = 0;

  /// Adds `contribution`, of the type of `value`, to its cotangent.
  virtual void accumulate(Value value, Value contribution) = 0;

  /// The cotangent of `value` so far as a destination that a rule may
  /// overwrite: a zero tensor if there is none. The rule hands the sum back to
  /// `setCotangent`. Null after an error was reported.
  virtual Value accumulator(Value value) = 0;

  /// Accumulators of several distinct values at once, for a region that adds to
  /// all of them; the sums come back by `returnSums`. A value whose cotangent
  /// is a part of another's (a slice) gets a zero of its own, for what it
  /// shares must not be in two sums. Fails after an error was reported.
  virtual LogicalResult takeSums(ValueRange values,
                                 SmallVectorImpl<Value> &sums) = 0;
  virtual void returnSums(ValueRange values, ValueRange sums) = 0;

  /// Replaces the cotangent of `value`; null makes it zero.
  virtual void setCotangent(Value value, Value cotangent) = 0;

  /// Declares that the cotangent of `borrower` holds a part of that of `owner`,
  /// so that both are one buffer. Before anything else touches the cotangent of
  /// `owner`, the rule of the operation that defines `borrower` is asked to
  /// write the part back.
  virtual void lend(Value owner, Value borrower) = 0;

  /// A zero of type `type`; dynamic extents are those of the primal value
  /// `like`. Null after an error was reported.
  virtual Value zero(Type type, Value like, Location loc) = 0;

  /// True if a zero cotangent times an infinite or undefined partial derivative
  /// is zero.
  virtual bool hasStrongZero() = 0;

  //===--------------------------------------------------------------------===//
  // Programs inside operations
  //===--------------------------------------------------------------------===//

  /// Emits the derivative of `ops`, given in program order, last first.
  virtual LogicalResult differentiate(ArrayRef<Operation *> ops) = 0;

  /// How a nested context gets a value of its region that nobody provides.
  enum class Fallback {
    /// Evaluate the operation that defines it again.
    Recompute,
    /// Read it from a tape, written by the forward loop.
    Tape
  };

  /// A context for the code that `builder` emits about the body of `region`.
  /// Values from outside of it come from this context. `index` is the
  /// iteration's position on the tapes of the loop that owns `region`.
  virtual std::unique_ptr<DerivativeContext> nest(OpBuilder &builder,
                                                  Region &region,
                                                  Fallback fallback,
                                                  Value index = {}) = 0;
};

} // namespace mlir::memrev

#endif // MEMREV_INTERFACES_DERIVATIVECONTEXT_H
