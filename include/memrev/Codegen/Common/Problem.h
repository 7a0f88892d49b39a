//===- Problem.h - What a kernel computes, as loops and accesses - C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel before scheduling is a few linalg and tensor ops. A problem is the
// same as a loop space with affine accesses into the kernel's arguments:
// slices, padding, transposes and flips are folded into the accesses,
// dimensions of one iteration are gone, and dimensions that are contiguous
// together are merged.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_PROBLEM_H
#define MEMREV_CODEGEN_COMMON_PROBLEM_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace mlir::memrev {

/// An access is only defined where 0 <= expr < size; elsewhere it gives the
/// padding value.
struct Bound {
  AffineExpr expr;
  int64_t size;
};

/// Element `indices` of `source`, as a function of the loop dimensions.
struct Access {
  Value source;
  /// The shape of `source` after merging dimensions.
  SmallVector<int64_t> shape;
  /// Which dimensions of `source` are merged into each dimension of `shape`.
  SmallVector<SmallVector<int64_t, 2>> groups;
  SmallVector<AffineExpr> indices;
  SmallVector<Value> symbols;
  SmallVector<Bound> bounds;
  /// Set if there are bounds.
  TypedAttr padding;
  Type elementType;

  /// The access to `value` at `map` of the loop dimensions, through operations
  /// that only move elements. Fails if an index is not linear.
  static FailureOr<Access> resolve(Value value, AffineMap map);

  /// Adds the offsets and strides of a slice without its dimensions `dropped`
  /// to `indices`, which are those of the slice.
  void addSlice(OffsetSizeAndStrideOpInterface slice,
                const llvm::SmallBitVector &dropped);

  bool uses(unsigned dim) const;
  /// The number by which `dim` moves the last index, if it moves no other.
  /// Zero if `dim` moves none; nothing if it moves others.
  std::optional<int64_t> getLastStride(unsigned dim) const;
  bool isScalar() const { return !isa<RankedTensorType>(source.getType()); }
};

enum class InitKind { None, Fill, InPlace, Read };

struct Output {
  Access dest;
  InitKind init = InitKind::None;
  Value fill;
  Access read;
  /// The combiner where the op reduces: a single op of the body, if it is one.
  Operation *combiner = nullptr;
};

struct Problem {
  /// Iteration counts; the same order as in the accesses.
  SmallVector<int64_t> extents;
  SmallVector<bool> isReduction;

  /// A multiply-accumulate `lhs * rhs`, whose sum the body gets as an input.
  bool isContraction = false;
  Access lhs, rhs;
  /// The element type of the sum; the factors may have a narrower one.
  Type sumType;
  InitKind accumulatorInit = InitKind::None;
  Value accumulatorFill;
  Access accumulatorRead;

  /// The scalar computation; null for a contraction without epilogue.
  Block *body = nullptr;
  /// One per input argument of the body; the sum of a contraction has none.
  std::vector<std::optional<Access>> inputs;
  /// For linalg.index in the body: expressions of the op's dimensions.
  SmallVector<AffineExpr> bodyIndices;
  std::vector<Output> outputs;

  Location loc;
  explicit Problem(Location loc) : loc(loc) {}

  unsigned getNumDims() const { return extents.size(); }
  int64_t getIterations() const;
  Type getElementType() const { return outputs.front().dest.elementType; }
  /// Applies `fn` to every access.
  void forEachAccess(function_ref<void(Access &)> fn);
  void forEachAccess(function_ref<void(const Access &)> fn) const;
};

/// The coefficient of `dim` in a linear expression.
int64_t getCoefficient(AffineExpr expr, unsigned dim);

/// What `combiner` leaves the other operand as it is with; nothing if there is
/// no such number. Unlike upstream's function it takes operations on indices.
std::optional<TypedAttr> getNeutralElement(Operation *combiner);

/// Which sums of products are contractions.
enum class Contractions {
  None,
  /// Those of one element type.
  Uniform,
  /// Also those whose factors are extended to the type of the sum.
  Widening,
};

/// Reads the problem off a kernel. Fails with a reason for a user to read.
FailureOr<Problem> buildProblem(func::FuncOp kernel, Contractions contractions,
                                std::string &reason);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_PROBLEM_H
