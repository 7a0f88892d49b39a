//===- Strategy.h - Sizes for scheduling a kernel ------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A strategy is chosen from the problem and the machine alone, written on the
// kernel as an attribute, and obeyed by the emitters. Everything that fixes the
// order of a reduction follows from op, types and shape.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_CPU_STRATEGY_H
#define MEMREV_LIB_CODEGEN_CPU_STRATEGY_H

#include "memrev/Codegen/Common/Problem.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::memrev::cpu {

struct Machine {
  int64_t vectorBits = 512;
  /// Vector registers that accumulators may take.
  int64_t accumulators = 24;

  int64_t getNumRegisters() const { return vectorBits >= 512 ? 32 : 16; }
};

enum class Engine { Contraction, Generic };

struct Strategy {
  Engine engine = Engine::Generic;
  /// Elements of a vector: with groups a multiple of their size, else a power
  /// of two.
  int64_t lanes = 1;
  /// The dimension that lies in vectors; -1 for none.
  int64_t vectorDim = -1;
  /// The dimension around it whose groups lie in vectors side by side; -1 for
  /// none. The two are one dimension for all that follows: `vectorDim`.
  int64_t groupDim = -1;
  /// Vectors side by side in a register tile.
  int64_t panel = 1;
  /// The dimension of the register tile's rows; -1 for none.
  int64_t rowDim = -1;
  int64_t rows = 1;
  /// A reduction dimension that is unrolled whole; -1 for none.
  int64_t unrollDim = -1;
  /// Unroll factor of the innermost reduction loop.
  int64_t unroll = 1;
  /// Copy rhs into panels first.
  bool pack = false;
  /// lhs and rhs change roles.
  bool swap = false;
  /// The parallel loop: dimensions and tile sizes, outermost first.
  SmallVector<int64_t> parallelDims, parallelTiles;
  /// Reduction loops that run outside of the register tile, whose sums are
  /// kept in memory meanwhile.
  SmallVector<int64_t> blockDims, blockTiles;
  /// A reduction dimension is cut into this many parts of `chunkSize`, whose
  /// partial results are combined in order.
  int64_t chunkDim = -1, chunks = 1, chunkSize = 0;

  DictionaryAttr toAttribute(MLIRContext *context) const;
  /// Fails if `attribute` is not one that toAttribute writes, or does not fit.
  /// Rewrites the accesses of `problem` to the vectors of the strategy.
  static FailureOr<Strategy> fromAttribute(DictionaryAttr attribute,
                                           Problem &problem);
  /// Whether the emitters can obey this for `problem`.
  bool fits(const Problem &problem) const;
  /// The elements of a register: the lanes, and those that stay unused.
  int64_t getVectorWidth() const { return llvm::PowerOf2Ceil(lanes); }
};

/// The name of the attribute on a kernel.
constexpr llvm::StringLiteral kStrategyAttr = "memrev.strategy";

/// Neighbouring taps of a convolution read the same scalars. A register tile
/// takes its products either tap by tap, and then keeps a scalar for each row,
/// or window by window, and then keeps the vectors of all taps: whichever needs
/// fewer registers. With `depthwise` each row has a vector of its own where
/// others have a scalar, and deals out `dealt` of them of what it loads.
bool takesWindows(int64_t rows, int64_t panel, int64_t taps, int64_t dealt,
                  bool depthwise);
/// Registers that the operands of such a tile take.
int64_t getOperandRegisters(int64_t rows, int64_t panel, int64_t taps,
                            int64_t dealt, bool depthwise);

/// The operand of a contraction that gives the rows, and the one that gives the
/// vectors.
const Access &getRowsOperand(const Problem &problem, const Strategy &strategy);
const Access &getVectorsOperand(const Problem &problem,
                                const Strategy &strategy);
/// Whether both operands lie in vectors, as those of a depthwise convolution,
/// which multiplies channel by channel.
bool isDepthwise(const Problem &problem, const Strategy &strategy);

/// The dimension that both operands of a contraction have in common with the
/// result, where it lies around `vectorDim` without a gap: the groups of a
/// convolution. -1 if there is none.
int64_t findGroupDim(const Problem &problem, unsigned vectorDim);
/// Makes `groupDim` a part of `vectorDim`, and lets an operand whose neighbours
/// along it are few elements apart walk it by its last index. Fails if the
/// results are not contiguous along both.
LogicalResult alignVectors(Problem &problem, const Strategy &strategy);
/// How far from its first lane each of the first `count` lanes of a vector
/// reads `access`, if that is the same for all vectors and near enough to load
/// all that lies between.
std::optional<SmallVector<int64_t>>
getLaneOffsets(const Access &access, unsigned vectorDim, int64_t lanes,
               int64_t count, unsigned numDims);
/// Whether neighbours along `dim` and along a reduction read the same elements
/// of `access`, as the taps of a convolution do.
bool hasWindows(const Problem &problem, const Access &access, unsigned dim);
/// Whether the rows of several groups at once pay for shuffling them: each
/// vector takes the place of one for each of the `groups` in it. Without groups
/// there are no other vectors.
bool isWorthDealing(const Problem &problem, const Strategy &strategy,
                    int64_t groups, const Machine &machine);
/// The reduction dimension over the elements between those that the lanes of a
/// vector of rows read: what is loaded for one of its iterations serves the
/// others. -1 if there is none.
int64_t findDealtDim(const Problem &problem, const Strategy &strategy);

/// Whether no bound of `access` tells the lanes of a vector apart.
bool hasWholeVectors(const Access &access, unsigned vectorDim);

/// Whether every operation of the body becomes a vector operation of the same
/// name; if not, `reason` says which one.
bool canVectorize(const Problem &problem, std::string &reason);

/// Fails for a contraction that the contraction engine has no tile for.
FailureOr<Strategy> chooseContraction(const Problem &problem,
                                      const Machine &machine);
Strategy chooseGeneric(const Problem &problem, const Machine &machine);

} // namespace mlir::memrev::cpu

#endif // MEMREV_LIB_CODEGEN_CPU_STRATEGY_H
