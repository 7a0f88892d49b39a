//===- ForwardContext.h - Forward mode over a program --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The implementation of TangentContext: computes tangents in the program
// itself.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_TRANSFORMS_FORWARDCONTEXT_H
#define MEMREV_LIB_TRANSFORMS_FORWARDCONTEXT_H

#include "memrev/Analysis/Activity.h"
#include "memrev/Interfaces/TangentContext.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::memrev {

class ForwardContext final : public TangentContext {
public:
  /// Tangents are those of the map of values if `isOfValues`: see Activity.
  ForwardContext(MLIRContext *context, bool strongZero, bool isOfValues = false)
      : builder(context), activity(isOfValues), strongZero(strongZero),
        isOfValues(isOfValues) {}

  ~ForwardContext() override;

  /// Marks an argument that has a tangent. Call `propagate` when all are
  /// marked.
  void addRoot(Value value, Value tangent);
  void propagate(Block &block) { activity.propagate(block); }
  void propagate(Operation *op) { activity.propagate(op); }
  /// Fails after an error at an operation that writes an active value to
  /// memory.
  LogicalResult verifyNoWrites(Operation *root) {
    return activity.verifyNoWrites(root);
  }

  OpBuilder &getBuilder() override { return builder; }
  bool isActive(Value value) override { return activity.isActive(value); }
  Value tangent(Value value) override { return tangents.lookup(value); }
  Value tangentOrZero(Value value) override;
  void setTangent(Value value, Value tangent) override;
  void addTangent(Value value, Value contribution) override;
  Value zero(Type type, Value like, Location loc) override;
  bool hasStrongZero() override { return strongZero; }
  LogicalResult differentiate(Block &block) override;
  /// Emits the tangents of the results of `op`, which may be replaced.
  LogicalResult differentiate(Operation *op);
  void replace(Operation *op, ValueRange results) override;

private:
  OpBuilder builder;
  Activity activity;
  DenseMap<Value, Value> tangents;
  bool strongZero, isOfValues;
  /// What was replaced, kept so that nothing new takes the place of a value
  /// that something is known of.
  SmallVector<Operation *> replaced;
};

} // namespace mlir::memrev

#endif // MEMREV_LIB_TRANSFORMS_FORWARDCONTEXT_H
