//===- MemoryPlan.h - How each primal value is had back ------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The plan is written into the program as attributes, which differentiation
// obeys.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_ANALYSIS_MEMORYPLAN_H
#define MEMREV_ANALYSIS_MEMORYPLAN_H

#include "memrev/Analysis/Invertibility.h"
#include "memrev/Dialect/Rev/IR/Rev.h"

namespace mlir::memrev {

/// On an operation with inverse edges: the number of the edge that gives values
/// back in the backward part (i64). Without it they are stored.
inline constexpr llvm::StringLiteral kInvertAttrName = "rev.invert";

/// On a function: the policy that its plan follows (string).
inline constexpr llvm::StringLiteral kPlannedAttrName = "rev.planned";

/// On a function, an integer: how many bytes more than by default its
/// derivative may take at its peak, to store values in and save time. Fewer if
/// negative.
inline constexpr llvm::StringLiteral kStorageAttrName = "rev.storage_bytes";

/// On a coupling: the value that it is given is kept, and not taken from its
/// inverse, to bound the drift of those before it (unit).
inline constexpr llvm::StringLiteral kKeepsStateAttrName = "rev.keeps_state";

/// On a loop with an inverse edge: the numbers of the iteration arguments that
/// the edge does not give back (dense i64 array). Without it, it gives all
/// back.
inline constexpr llvm::StringLiteral kLeftOutAttrName = "rev.left_out";
/// On a loop whose inverse follows edges that lose digits
/// (`InverseKind::Conditioned`): their gain in all iterations together (f64).
inline constexpr llvm::StringLiteral kInverseGainAttrName = "rev.inverse_gain";

/// On an operation whose inverse is not used: why (string).
inline constexpr llvm::StringLiteral kReasonAttrName = "rev.reason";

/// Writes the plan of `function` for the given policy into it. A coupling whose
/// region depends on the coupled value is not inverted.
void planFunction(func::FuncOp function, rev::Policy policy);

/// An argument that its function's results do not give back, and why.
struct UnreachedArgument {
  int64_t number;
  Obstacle obstacle;
};

/// Writes into `function` which inverse edges give its arguments `wrt` back
/// from its results `of` and its other arguments. Returns an argument that no
/// edge reaches, if there is one.
std::optional<UnreachedArgument>
planInverse(func::FuncOp function, ArrayRef<int64_t> wrt, ArrayRef<int64_t> of);

/// The number of the inverse edge that the plan uses for `op`, if any.
std::optional<unsigned> getPlannedEdge(Operation *op);

/// Removes the plan's attributes from `root` and everything in it.
void erasePlan(Operation *root);

} // namespace mlir::memrev

#endif // MEMREV_ANALYSIS_MEMORYPLAN_H
