//===- Invertibility.h - Which values inverse edges give back - -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_INVERTIBILITY_H
#define MEMREV_ANALYSIS_INVERTIBILITY_H

#include "memrev/Interfaces/InvertibleOpInterface.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include <set>
#include <string>
#include <vector>

namespace mlir::memrev {

/// Where the way back to a value ends, and why, as a clause.
struct Obstacle {
  Location loc;
  std::string reason;
};

/// The name of `op` and its place in a file, if there is one.
std::string printName(Operation *op);

/// Which result or argument of what `value` is.
std::string printName(Value value);

/// Why `value` of `block`, which no edge solves for, is not given back.
Obstacle getMissingEdge(Value value, Block &block);

/// Runs a block backwards on paper: starting from values that are known at its
/// end, closes the set of known values under inverse edges of its operations
/// (`InvertibleOpInterface`) and under evaluating operations again. Takes time
/// linear in what the operations read, but for a logarithm.
class Invertibility {
public:
  /// `isOutside` tells the values that are known without the block. It is
  /// called as long as this lives.
  Invertibility(Block &block, llvm::function_ref<bool(Value)> isOutside)
      : block(block), isOutside(isOutside) {}

  /// Declares that `value` is known at the end of the block. Only before
  /// `solve`.
  void addKnown(Value value) { known.insert(value); }

  /// Closes the set of known values. Returns the inverse edges that are needed,
  /// as edge numbers by operation. Of several ways to a value it takes the one
  /// that a walk over the block, last operation first, meets first. Edges that
  /// are only `InverseKind::Conditioned` are followed if `mayLoseDigits`.
  const llvm::DenseMap<Operation *, unsigned> &solve(bool mayLoseDigits);

  /// True if `value` is known or can be evaluated from known values.
  bool isKnown(Value value) const {
    return known.contains(value) || isOutside(value);
  }

  /// What keeps `value`, which `solve` did not reach, from being known: follows
  /// the edge that lacks the fewest values to the first of these, and on from
  /// there to a value that nothing gives back.
  Obstacle explain(Value value) const;

private:
  /// Values that become known when those in `from` are: by inverse edge
  /// `number` of `op`, or by evaluating it.
  struct Step {
    Operation *op;
    std::optional<unsigned> number;
    SmallVector<Value> solved, from;
    /// How many of `from` are not known yet.
    unsigned numUnknown;
  };

  void addSteps(Operation *op, bool mayLoseDigits);
  void addStep(Operation *op, std::optional<unsigned> number, ValueRange solved,
               ValueRange from);
  /// Follows edges of `op` of which everything they read is known.
  void follow(Operation *op);
  /// Declares that `values` are known, and what can be evaluated from them.
  void reach(SmallVector<Value> values);
  /// The step of those `numbers` that lacks the fewest values, or null.
  const Step *getFurthest(ArrayRef<unsigned> numbers) const;

  Block &block;
  llvm::function_ref<bool(Value)> isOutside;
  llvm::DenseSet<Value> known;
  llvm::DenseMap<Operation *, unsigned> edges;
  std::vector<Step> steps;
  /// The steps that read a value, those that give it back, and those of the
  /// inverse edges of an operation, as numbers.
  llvm::DenseMap<Value, SmallVector<unsigned, 2>> readers, solvers;
  llvm::DenseMap<Operation *, SmallVector<unsigned, 2>> edgeSteps;
  /// The operations whose edge for a value was left out.
  llvm::DenseMap<Value, Operation *> lossy;
  /// The operations by position in the block, and the positions of those of
  /// which an edge became ready.
  std::vector<Operation *> ops;
  llvm::DenseMap<Operation *, unsigned> positions;
  std::set<unsigned> ready;
};

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_INVERTIBILITY_H
