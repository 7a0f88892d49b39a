//===- Cost.h - What operations cost to evaluate -------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_COST_H
#define MEMREV_ANALYSIS_COST_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlir::memrev {

/// True if evaluating `op` again is cheaper than reading its result from
/// memory: a view, a constant, index arithmetic.
bool isCheap(Operation *op);

/// True if evaluating `op` again costs about what reading its result from
/// memory does: cheap operations, and such that compute each element from a few
/// others.
bool isElementwise(Operation *op);

/// True if `op` takes much longer than reading its operands does: contractions
/// and convolutions, loops, couplings, calls.
bool isExpensive(Operation *op);

/// About how many bytes a value of type `type` takes.
int64_t getApproximateBytes(Type type);

/// Smaller values are not worth a thought about when they live.
inline constexpr int64_t kMinPlannedBytes = 16384;

/// About how many multiplications `op` does, those of what it holds included.
int64_t getApproximateWork(Operation *op);

/// True for a contraction or convolution whose active operands take more bytes
/// than its result: its derivative had better wait until the cotangent of an
/// operand is needed.
bool hasGrowingDerivative(Operation *op,
                          llvm::function_ref<bool(Value)> isActive);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_COST_H
