//===- Invertibility.h - Which values inverse edges give back - -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_INVERTIBILITY_H
#define MEMREV_ANALYSIS_INVERTIBILITY_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir::memrev {

/// Runs a block backwards on paper: starting from values that are known at its
/// end, closes the set of known values under inverse edges of its operations
/// (`InvertibleOpInterface`) and under evaluating operations again.
class Invertibility {
public:
  /// `isOutside` tells the values that are known without the block.
  Invertibility(Block &block, llvm::function_ref<bool(Value)> isOutside)
      : block(block), isOutside(isOutside) {}

  /// Declares that `value` is known at the end of the block.
  void addKnown(Value value) { known.insert(value); }

  /// Closes the set of known values. Returns the inverse edges that are needed,
  /// as edge numbers by operation.
  const llvm::DenseMap<Operation *, unsigned> &solve();

  /// True if `value` is known or can be evaluated from known values.
  bool isKnown(Value value);

private:
  Block &block;
  llvm::function_ref<bool(Value)> isOutside;
  llvm::DenseSet<Value> known;
  llvm::DenseMap<Operation *, unsigned> edges;
};

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_INVERTIBILITY_H
