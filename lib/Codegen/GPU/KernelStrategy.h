//===- KernelStrategy.h - How a GPU kernel is emitted -----------*- C++ -*-===//
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
  /// Whether groups of four warps multiply: sm_90a, and no other chip.
  bool hasWarpGroups = false;

  /// Fails for a name that is not sm_ and a number, with a letter at most.
  static FailureOr<Chip> get(StringRef name);
};

/// A thread computes vectors of elements that lie one after another.
struct ElementwiseStrategy {
  /// The dimensions in the order in which their points are numbered. Vectors
  /// are along the last one.
  SmallVector<int64_t> order;
  /// Elements of a vector.
  int64_t lanes = 1;
  /// Vectors that a thread loads before it computes the first. They are as many
  /// vectors apart as a block has threads.
  int64_t vectors = 1;
  /// If not -1, inputs that are contiguous in this dimension instead of the
  /// last one go through shared memory, in square tiles of a warp's size.
  int64_t tileDim = -1;
  int64_t threads = 256;

  DictionaryAttr toAttribute(MLIRContext *context) const;
  /// Fails if `attribute` is not one that toAttribute writes, or does not fit.
  static FailureOr<ElementwiseStrategy> fromAttribute(DictionaryAttr attribute,
                                                      const Problem &problem);

private:
  bool fits(const Problem &problem) const;
};

/// Threads share the terms of a result. Where terms are contiguous, those that
/// do so are neighbours, else those of neighbouring results are.
struct ReductionStrategy {
  /// The parallel dimensions in the order in which results are numbered, and
  /// the reduction dimensions in that of the terms.
  SmallVector<int64_t> order, reduced;
  /// The dimension of vectors, the last one of `order` or of `reduced`, and
  /// their elements; -1 for none.
  int64_t vectorDim = -1, lanes = 1;
  /// Threads of a block that share a result, or a vector of them, and how many
  /// results have threads in the same block.
  int64_t along = 1, across = 1;
  /// Vectors of terms that a thread loads at once.
  int64_t unroll = 1;
  /// Blocks that share a result. More than one need a second kernel.
  int64_t splits = 1;

  /// Whether a vector is of terms, not of results.
  bool isRow(const Problem &problem) const;
  /// How many results, or vectors of them, there are.
  int64_t getResults(const Problem &problem) const;
  /// How many terms, or whole vectors of them, a result has.
  int64_t getTerms(const Problem &problem) const;
  int64_t getSharedBytes(const Problem &problem) const;
  /// How the second kernel combines the splits.
  ReductionStrategy getCombination(const Problem &problem) const;

  DictionaryAttr toAttribute(MLIRContext *context) const;
  /// Fails if `attribute` is not one that toAttribute writes, or does not fit.
  static FailureOr<ReductionStrategy> fromAttribute(DictionaryAttr attribute,
                                                    const Problem &problem);

private:
  bool fits(const Problem &problem) const;
};

/// How matrices of f32 are multiplied.
enum class FP32Precision {
  /// With every bit.
  IEEE,
  /// Rounded to 10 bits of mantissa.
  TF32,
  /// Three products of such numbers for one.
  TF32x3,
};

/// Reads the chip and the precision that a pass is given. Says what is wrong
/// with them, `purpose` being what the chip is for: "to call libraries on".
LogicalResult parseTarget(MLIRContext *context, StringRef chipName,
                          StringRef precisionName, StringRef purpose,
                          Chip &chip, FP32Precision &precision);

/// Which unit multiplies.
enum class Unit {
  /// Tensor cores on f16 or bf16, warp by warp.
  Half,
  /// The same by groups of four warps, which read both factors from shared
  /// memory while other stages are copied.
  WarpGroup,
  /// Tensor cores on f32 rounded to 10 bits of mantissa.
  TF32,
  /// Tensor cores on f32 as the sum of two such numbers: three products, as
  /// exact as those of single threads but for the last bit or two.
  TF32x3,
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
  /// How many warps share the rows and the columns. A group of four warps
  /// shares rows.
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

/// The bytes that a thread can load or store at once.
inline constexpr int64_t kVectorBytes = 16;

/// Loads of kVectorBytes that a thread should have in flight: with 2048 threads
/// of a multiprocessor these are more bytes than its memory latency times its
/// share of the bandwidth.
inline constexpr int64_t kLoadsInFlight = 4;

/// An access, and how much it matters that neighbours are accessed together.
struct WeightedAccess {
  const Access *access;
  int64_t weight;
};

/// The one of `dims` along which most of `accesses` move from an element to its
/// neighbour in memory; -1 if there is none.
int64_t findVectorDim(const Problem &problem, ArrayRef<unsigned> dims,
                      ArrayRef<WeightedAccess> accesses);

/// The parallel dimensions of `problem` as the first result lies in memory, the
/// innermost last.
SmallVector<int64_t> getMemoryOrder(const Problem &problem);

/// The elements, at most `lanes`, that `access` can move at once along `dim`
/// from any multiple of their number on: they lie one after another, aligned,
/// and are all inside of the source or all outside. Buffers of at least
/// kVectorBytes are aligned to them.
int64_t getVectorWidth(const Access &access, const Problem &problem,
                       unsigned dim, int64_t lanes);

/// Whether `access` is contiguous along `tileDim` and jumps along `vectorDim`.
bool isTransposed(const Access &access, const Problem &problem,
                  unsigned vectorDim, unsigned tileDim);

/// For a problem without a reduction.
ElementwiseStrategy chooseElementwise(const Problem &problem, const Chip &chip);

/// Whether partial results of each output can be combined.
bool hasCombiners(const Problem &problem);
/// The types of the partial results that terms are added to: of each output, or
/// of the sum of a contraction.
SmallVector<Type> getPartialTypes(const Problem &problem);
/// What is read for each term.
SmallVector<const Access *> getTermAccesses(const Problem &problem);

/// For a problem with a reduction or a contraction.
ReductionStrategy chooseReduction(const Problem &problem, const Chip &chip);

/// Fails with a reason for a contraction that is better computed otherwise.
FailureOr<ContractionStrategy> chooseContraction(const Problem &problem,
                                                 const Chip &chip,
                                                 FP32Precision precision,
                                                 std::string &reason);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_KERNELSTRATEGY_H
