//===- ContractionEmitter.h - Contractions on matrix units ----- -*- C++
//-*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block computes one tile of the result. Its threads copy tiles of both
// factors to shared memory, some stages ahead; each warp multiplies its part of
// them and keeps the sums in registers. At the end the sums go through shared
// memory once more, so that every thread finishes neighbours in the result.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_CODEGEN_GPU_CONTRACTIONEMITTER_H
#define MEMREV_LIB_CODEGEN_GPU_CONTRACTIONEMITTER_H

#include "ContractionShape.h"
#include "KernelStrategy.h"

namespace mlir::memrev::simt {

/// The part of the product that one warp computes in one step.
struct UnitShape {
  int64_t rows, columns, depth;

  static UnitShape get(Unit unit);
};

/// Whether `unit` multiplies f32 on tensor cores.
inline bool isTF32(Unit unit) {
  return unit == Unit::TF32 || unit == Unit::TF32x3;
}

/// Warps of a group, and elements of its lines: 128 bytes.
inline constexpr int64_t kGroupWarps = 4, kGroupDepth = 64;
/// Rows that a group multiplies at once.
inline constexpr int64_t kGroupRows = 64;
/// The most columns that a group multiplies at once.
inline constexpr int64_t kGroupColumns = 256;

/// Bytes of a sum in a register.
int64_t getSumBytes(Unit unit);
Type getSumType(Unit unit, MLIRContext *context);

/// How a tile lies in shared memory: in lines, whose pieces of 16 bytes change
/// places from line to line so that threads meet in different banks.
struct TileLayout {
  /// Whether a line is a row or column and runs along the depth; else it runs
  /// along the rows or columns.
  bool depthInLine;
  int64_t lines, elements, elementBytes;
  int64_t lineBytes;
  /// Where a line would be longer, its next elements are in another panel.
  int64_t lineElements, panelBytes;
  /// Line `n` moves its pieces by n * multiplier / divisor.
  int64_t multiplier = 0, divisor = 1;

  /// The tile of `factor` with `outer` rows or columns.
  TileLayout(const Factor &factor, int64_t outer,
             const ContractionStrategy &strategy);

  int64_t getBytes() const { return elements / lineElements * panelBytes; }
  /// The byte at which an element starts.
  Value getOffset(KernelBuilder &k, Value outer, Value depth) const;
};

/// Bytes of shared memory that a block takes.
int64_t getSharedBytes(const Problem &problem,
                       const ContractionStrategy &strategy);

/// Elements of a row of sums in shared memory, with a gap against conflicts.
int64_t getSumStride(const ContractionStrategy &strategy);

/// Where a warp works.
struct WarpPosition {
  Value lane;
  /// Where its part of the tile begins; that of its group of warps, if they
  /// multiply together.
  Value row, column;
  /// Its number in such a group.
  Value inGroup;
};

/// What a warp does with tiles in shared memory.
class WarpProduct {
public:
  virtual ~WarpProduct() = default;

  /// For tiles of both factors that lie as `first` and `second` say. With
  /// `cuts` factors of Unit::TF32x3 are split so that sums are infinite and NaN
  /// where those of f32 are, by more instructions and to fewer bits.
  static std::unique_ptr<WarpProduct>
  create(KernelBuilder &k, const ContractionStrategy &strategy,
         const TileLayout &first, const TileLayout &second,
         const WarpPosition &position, Type elementType, bool cuts = false);

  /// The values that a thread keeps, zero.
  SmallVector<Value> createSums();
  /// Adds the product of the tiles at `first` and `second` to `sums`.
  virtual void multiply(Value first, Value second,
                        MutableArrayRef<Value> sums) = 0;
  /// Waits until every product but those of the last `stages` stages is added.
  virtual void wait(int64_t stages) {}
  /// Makes what has been copied visible to the multipliers.
  virtual void acquire() {}
  /// Stages that may still be read when the next one is multiplied.
  virtual int64_t getStagesInFlight() const { return 0; }
  /// Writes `sums` to the tile of sums at `memory`.
  virtual void write(Value memory, ValueRange sums) = 0;

protected:
  WarpProduct(KernelBuilder &k, const ContractionStrategy &strategy,
              const TileLayout &first, const TileLayout &second,
              const WarpPosition &position, Type elementType);

  /// Loads from `constant` bytes after `offset` bytes after `base`.
  Value loadShared(Type type, Value base, Value offset, int64_t constant);
  /// Writes neighbours from `row` and `column` of the warp's part on.
  void writeSums(Value memory, Value row, Value column, ValueRange sums);

  KernelBuilder &k;
  const ContractionStrategy &strategy;
  TileLayout first, second;
  WarpPosition position;
  Type elementType, sumType;
  UnitShape unit;
  /// Units in the warp's part of the tile, and sums of a lane in each.
  int64_t rowUnits, columnUnits, sumsPerUnit;
};

/// The product of a group of warps, for Unit::WarpGroup.
std::unique_ptr<WarpProduct>
createWarpGroupProduct(KernelBuilder &k, const ContractionStrategy &strategy,
                       const TileLayout &first, const TileLayout &second,
                       const WarpPosition &position, Type elementType);

/// Emits the products of `kernel`. With one split that is all of it; with more
/// the sums of each are written to a workspace, and a second kernel, which
/// `emitCombination` emits, adds them up.
LaunchShape emitContraction(gpu::GPUModuleOp module, func::FuncOp kernel,
                            StringRef name, const Problem &problem,
                            const ContractionStrategy &strategy);
LaunchShape emitCombination(gpu::GPUModuleOp module, func::FuncOp kernel,
                            StringRef name, const Problem &problem,
                            const ContractionStrategy &strategy);

/// The shape of the workspace for more than one split.
RankedTensorType getWorkspaceType(const Problem &problem,
                                  const ContractionStrategy &strategy);

} // namespace mlir::memrev::simt

#endif // MEMREV_LIB_CODEGEN_GPU_CONTRACTIONEMITTER_H
