//===- SampleDimensions.h - Which dimension numbers the samples -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_SAMPLEDIMENSIONS_H
#define MEMREV_ANALYSIS_SAMPLEDIMENSIONS_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include <optional>

namespace mlir::memrev {

/// The dimension of each tensor of a program that numbers the samples of a
/// batch: an operation computes what has a number from what has the same one,
/// and from values without samples.
class SampleDimensions {
public:
  /// Declares that of an argument, or of a value that takes another's place.
  void set(Value value, int64_t dimension) { dimensions[value] = dimension; }

  /// That of `value`; nothing if it has none, or if samples are mixed in it.
  std::optional<int64_t> get(Value value) const {
    auto it = dimensions.find(value);
    return it == dimensions.end() ? std::nullopt : std::optional(it->second);
  }

  /// Finds those of the values in `block`, and in loops in it, from those of
  /// its arguments.
  void follow(Block &block);

private:
  void follow(Operation *op);

  llvm::DenseMap<Value, int64_t> dimensions;
};

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_SAMPLEDIMENSIONS_H
