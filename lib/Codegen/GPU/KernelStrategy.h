//===- KernelStrategy.h - How a GPU kernel is emitted ---------- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A strategy is chosen from the problem and the chip alone, written on the
// kernel as an attribute, and obeyed by the emitters. Everything that fixes the
// order of a reduction follows from operation, types and shape.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_KERNELSTRATEGY_H
#define MEMREV_LIB_CODEGEN_GPU_KERNELSTRATEGY_H

#include "KernelBuilder.h"

namespace mlir::memrev::simt {

/// The name of the attribute on a kernel.
constexpr llvm::StringLiteral kStrategyAttr = "memrev.strategy";

/// What the emitters know of a chip.
struct Chip {
  /// The number of its architecture: 90 for sm_90.
  int64_t architecture = 90;
  int64_t multiprocessors = 132;
  /// Bytes of shared memory that a block can have.
  int64_t sharedBytes = 227 * 1024;

  /// Fails for a name that is not sm_ and a number, with a letter at most.
  static FailureOr<Chip> get(StringRef name);
};

/// A thread computes a few elements that lie one after another.
struct ElementwiseStrategy {
  /// The dimensions in the order in which their points are numbered.
  SmallVector<int64_t> order;
  int64_t threads = 256;

  DictionaryAttr toAttribute(MLIRContext *context) const;
  /// Fails if `attribute` is not one that toAttribute writes, or does not fit.
  static FailureOr<ElementwiseStrategy> fromAttribute(DictionaryAttr attribute,
                                                      const Problem &problem);
};

/// Which unit multiplies.
enum class Unit {
  /// Tensor cores on f16 or bf16.
  Half,
  /// Tensor cores on f32 rounded to 10 bits of mantissa.
  TF32,
  /// Tensor cores on f64.
  Double,
  /// Fused multiply-add of single threads.
  Scalar,
};

/// A contraction is tiled as a product of matrices: rows are the parallel
/// dimensions of lhs alone, columns those of rhs alone, and batches those of
/// both or of neither; depth are the reduction dimensions.
struct ContractionStrategy {
  Unit unit = Unit::Scalar;
  /// lhs and rhs change roles.
  bool swap = false;
  /// What a block computes, and how deep a stage in shared memory is.
  int64_t rows = 64, columns = 64, depth = 16;
  /// How many warps share the rows and the columns.
  int64_t rowWarps = 2, columnWarps = 2;
  /// Stages that are loaded or computed at the same time.
  int64_t stages = 3;
  /// The depth is cut into this many parts, whose sums are added in order.
  int64_t splits = 1;

  int64_t getThreads() const { return rowWarps * columnWarps * kWarpSize; }

  /// Whether the emitter can obey this for `problem`.
  bool fits(const Problem &problem) const;

  DictionaryAttr toAttribute(MLIRContext *context) const;
  static FailureOr<ContractionStrategy> fromAttribute(DictionaryAttr attribute,
                                                      const Problem &problem);
};

/// For a problem without a reduction.
ElementwiseStrategy chooseElementwise(const Problem &problem, const Chip &chip);

/// Fails with a reason for a contraction that is better computed otherwise.
/// With `useTF32` factors of f32 are rounded to 10 bits of mantissa.
FailureOr<ContractionStrategy> chooseContraction(const Problem &problem,
                                                 const Chip &chip, bool useTF32,
                                                 std::string &reason);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_KERNELSTRATEGY_H
