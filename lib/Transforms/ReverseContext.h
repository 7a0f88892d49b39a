//===- ReverseContext.h - Reverse mode over a program --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The implementation of DerivativeContext. A function has one context, and a
// region that the reverse part rebuilds (a loop's body, the scalar body of a
// linalg operation) has one nested in it.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_REVERSECONTEXT_H
#define MEMREV_LIB_TRANSFORMS_REVERSECONTEXT_H

#include "memrev/Analysis/Activity.h"
#include "memrev/Interfaces/DerivativeContext.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {

/// A value that a loop stores in each iteration for the reverse part.
struct TapeRequest {
  /// The loop whose body defines `value`.
  Operation *loop;
  Value value;
  /// Stands for the tape after the loop until the loop is rewritten. Its
  /// operands are the extents of `value` that its type does not say.
  Operation *placeholder;
  /// The operations that read the tape.
  SmallVector<Operation *> reads;
};

/// Where the reverse part compares what inverses gave back with what was there
/// (`rev.check_drift`).
struct DriftChecks {
  /// The function that is told of each comparison.
  func::FuncOp report;
  /// The names of the operations that were inverted (strings), by the numbers
  /// that it is told.
  SmallVector<Attribute> sites;
};

/// What a function's context shares with those nested in it.
struct ReverseState {
  Activity activity;
  bool strongZero = false;
  /// Null if nothing is compared.
  DriftChecks *drift = nullptr;
  /// Nothing is differentiated: the inverse itself is the program.
  bool isInverse = false;
  /// The operation whose planned inverse gives a value back, by that value.
  DenseMap<Value, Operation *> inverters;
  /// Operations whose inverses are being built: what one needs that only itself
  /// would give back has to be had in another way.
  llvm::SmallPtrSet<Operation *, 4> inverting;
  /// What `recompute` emitted, by block.
  struct Recomputed {
    SmallVector<Operation *> clones;
    SmallVector<Value> yields;
  };
  DenseMap<Block *, Recomputed> recomputed;
  /// In the order of the requests.
  llvm::MapVector<Value, TapeRequest> tapes;
  /// For the report: values of the program that were had back by inverse
  /// edges, and such that were evaluated again.
  llvm::SetVector<Value> inverted, recomputedValues;
};

/// Region::isAncestor, but for regions without an operation too: the scalar
/// code of a rule lives in one until it is cloned into an operation.
bool isAncestor(Region &ancestor, Region *region);

class ReverseContext final : public DerivativeContext {
public:
  /// A context for `scope` that emits with `builder`. Without a fallback the
  /// values of `scope` themselves can be used where `builder` stands.
  ReverseContext(OpBuilder &builder, Region &scope, ReverseState &state,
                 std::optional<Fallback> fallback = std::nullopt)
      : builder(builder), scope(scope), state(state),
        emitted(*builder.getInsertionBlock()->getParent()), fallback(fallback) {
  }

  ~ReverseContext() override;

  OpBuilder &getBuilder() override { return builder; }

  bool emitsProgram() override { return state.isInverse; }

  Value primal(Value value, Precision precision) override;
  using DerivativeContext::primal;
  bool isAvailable(Value value) override;
  bool isRounded(Value value) override;
  void provide(Value value, Value now, Precision precision) override;
  LogicalResult recompute(Block &block, ValueRange arguments,
                          SmallVectorImpl<Operation *> &clones,
                          SmallVectorImpl<Value> &yields) override;
  void adopt(ArrayRef<Operation *> ops, ValueRange active) override;
  bool getRecomputed(Block &block, SmallVectorImpl<Operation *> &clones,
                     SmallVectorImpl<Value> &yields) override;

  bool isActive(Value value) override;
  Value cotangent(Value value) override;
  void accumulate(Value value, Value contribution) override;
  Value accumulator(Value value) override;
  LogicalResult takeSums(ValueRange values,
                         SmallVectorImpl<Value> &sums) override;
  void returnSums(ValueRange values, ValueRange sums) override;
  void setCotangent(Value value, Value cotangent) override;
  void lend(Value owner, Value borrower) override;
  Value zero(Type type, Value like, Location loc) override;
  bool hasStrongZero() override { return state.strongZero; }

  LogicalResult differentiate(ArrayRef<Operation *> ops) override;
  std::unique_ptr<DerivativeContext> nest(OpBuilder &builder, Region &region,
                                          Fallback fallback,
                                          Value index) override;

  /// Registers the values that the planned inverse of `op` gives back.
  void addInverters(Operation *op);

  /// The zero that the sum of the cotangents of `value` starts from, if rules
  /// add to one in place: another start in its stead is added to the gradient.
  Value getZeroStart(Value value) const { return zeroStarts.lookup(value); }

private:
  /// The primal value that `value` stands for.
  Value canonical(Value value) const;
  /// True if `value` belongs to the program of this context, not its parent's.
  bool isInScope(Value value) const;
  /// True if `value` itself can be used where the builder stands.
  bool isVisible(Value value) const;
  /// True if `value` is one that the inverse of a call finds on its way, and
  /// that call is the next one to be undone.
  bool isSideResultOfNext(Value value);
  /// Emits `result` again, as the plan wants it, from values of that precision.
  Value evaluateAgain(OpResult result, Precision precision);
  /// Clones `op` here, with results that stand for those of `op`, and operands
  /// of that precision.
  Operation *clone(Operation *op, Precision precision);
  /// A slice of a tape of `value`, which the loop that owns `scope` stores.
  /// Null if its shape is not known before the loop.
  Value readTape(Value value);
  /// As `readTape`, but provides nothing; `getOutside` says what holds a value
  /// of the code around the loop there.
  Value sliceTape(Value value, function_ref<Value(Value)> getOutside);
  /// What the forward part had for `value`, whatever was had back since. Null
  /// if that cannot be stored.
  Value getStored(Value value);
  /// Compares `now`, which an inverse gave back, with what `value` was.
  void checkDrift(Value value, Value now);
  /// Finds what has to be stored for `value` to be evaluated again by
  /// operations that satisfy `mayEvaluate`. False if that takes many.
  bool findLeaves(Value value, function_ref<bool(Operation *)> mayEvaluate,
                  llvm::SetVector<Value> &leaves);
  /// True if a loop that stores had better evaluate `value` again.
  bool isWorthEvaluating(Value value);
  /// Evaluates `value` before the code that this context emits, if every
  /// iteration computes the same. Null if not.
  Value evaluateOutside(Value value);
  /// Writes what was lent of the cotangent of `value` back.
  void settle(Value value);
  void replaceCotangent(Value value, Value cotangent);
  /// Emits `sum` + `contribution`, in place of `sum` if nobody else needs it.
  Value add(Value sum, Value contribution);
  /// True if the cotangent of `value` can be a part of another value's.
  bool isViewInScope(Value value) const;
  /// What the cotangent of `value` starts from, or null.
  Value seed(Value value);
  /// True if the derivative of `op` had better wait.
  bool isDeferred(Operation *op);
  LogicalResult differentiate(Operation *op);

  OpBuilder &builder;
  Region &scope;
  ReverseState &state;
  /// The region that `builder` emits into.
  Region &emitted;
  ReverseContext *parent = nullptr;
  std::optional<Fallback> fallback;
  Value tapeIndex;

  DenseMap<Value, Value> available;
  llvm::DenseSet<Value> rounded;
  DenseMap<Value, Value> standsFor;
  DenseMap<Value, Value> cotangents;
  /// How many values have each cotangent.
  DenseMap<Value, unsigned> holders;
  /// The borrower of each lent cotangent, and the owner by borrower.
  DenseMap<Value, Value> loans, borrowed;
  /// The zeros that accumulators start from.
  DenseMap<Value, Value> zeroStarts;
  /// What the cotangent of each borrower started from.
  DenseMap<Value, Value> parts;
  /// Set when a rule that cannot fail by itself (a seed) reported an error.
  bool failedRule = false;
};

/// Rewrites the loops that `state` has tape requests for, so that they store
/// the requested values, and replaces the placeholders.
void buildTapes(ReverseState &state);

enum class DerivativeMode { Forward, Reverse };

/// Replaces the operations in `root` that have no derivative of their own in
/// `mode` by what they are made of: couplings that no plan inverts, and layers
/// that are mere compositions. Couplings inside the region of one that is
/// inverted stay.
void expandForDifferentiation(Operation *root, DerivativeMode mode);

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_REVERSECONTEXT_H
