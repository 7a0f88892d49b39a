//===- Activity.h - Which values have derivatives ------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_ACTIVITY_H
#define MEMREV_ANALYSIS_ACTIVITY_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir::scf {
class ForallOp;
} // namespace mlir::scf

namespace mlir::memrev {

/// The values of a program that depend on chosen root values and have a type
/// that can be differentiated. Which of them reach a differentiated result need
/// not be known beforehand: in reverse mode these are the ones that get a
/// cotangent.
class Activity {
public:
  /// Derivatives are those of the map of values if `isOfValues`: then a
  /// `rev.stop_gradient` is the identity that it computes.
  explicit Activity(bool isOfValues = false) : isOfValues(isOfValues) {}

  /// Marks a value that the program is differentiated with respect to.
  void addRoot(Value value);

  /// Marks what becomes active in `block`, whose arguments and captured values
  /// are marked already. Call it again after the block has grown.
  void propagate(Block &block);

  /// Marks the results of `op`, and what becomes active inside of it.
  void propagate(Operation *op);

  /// Forgets a value that is about to be erased: another one may take its
  /// address.
  void forget(Value value) { active.erase(value); }

  /// Fails after an error at an operation in `root` that writes an active value
  /// to memory: nothing follows its derivative from there.
  LogicalResult verifyNoWrites(Operation *root) const;

  bool isActive(Value value) const { return active.contains(value); }

private:
  void propagate(RegionBranchOpInterface op);
  void propagate(scf::ForallOp loop);
  bool mark(Value value);
  bool isAnyActive(ValueRange values) const;
  /// True if a value that `op` reads, inside of its regions too, is active.
  bool readsActive(Operation *op) const;

  bool isOfValues;
  llvm::DenseSet<Value> active;
};

/// True if the iterations of `loop` hand over slices of its outputs and nothing
/// else.
bool writesOnlySlices(scf::ForallOp loop);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_ACTIVITY_H
