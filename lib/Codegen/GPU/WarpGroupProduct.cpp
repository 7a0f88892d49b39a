//===- WarpGroupProduct.cpp - Products of tiles by four warps -------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Descriptors, layouts and fragments: PTX ISA, "Asynchronous warpgroup level
// matrix instructions", wgmma.mma_async m64nNk16 with 128-byte swizzle.
//
//===----------------------------------------------------------------------===//

#include "ContractionEmitter.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// Bytes of eight lines, over which the swizzle repeats.
static constexpr int64_t kPatternBytes = 1024;
/// Descriptors count in pieces of 16 bytes, in 14 bits.
static constexpr int64_t kPieceBits = 4, kAddressMask = 0x3fff;
/// Bit positions of a descriptor's fields, and the 128-byte swizzle.
static constexpr int64_t kLeadingShift = 16, kStrideShift = 32,
                         kSwizzleShift = 62;

namespace {
class WarpGroupProduct : public WarpProduct {
public:
  WarpGroupProduct(KernelBuilder &k, const ContractionStrategy &strategy,
                   const TileLayout &first, const TileLayout &second,
                   const WarpPosition &position, Type elementType)
      : WarpProduct(k, strategy, first, second, position, elementType) {}

  void multiply(Value first, Value second,
                MutableArrayRef<Value> sums) override;
  void wait(int64_t stages) override;
  void acquire() override;
  int64_t getStagesInFlight() const override { return 1; }
  void write(Value memory, ValueRange sums) override;

private:
  /// The descriptor of `layout` at `base` from row or column `outer` on, and
  /// from `step` steps of depth on.
  Value describe(const TileLayout &layout, Value base, Value outer,
                 int64_t step);
};
} // namespace

Value WarpGroupProduct::describe(const TileLayout &layout, Value base,
                                 Value outer, int64_t step) {
  // Along the depth a step stays within a line. Across it, eight lines of depth
  // are one pattern, and panels of 64 rows or columns are apart.
  int64_t stepBytes = layout.depthInLine
                          ? step * unit.depth * layout.elementBytes
                          : step * unit.depth * layout.lineBytes;
  Value offset = layout.depthInLine ? k.mul(outer, layout.lineBytes)
                                    : k.mul(k.div(outer, layout.lineElements),
                                            layout.panelBytes);
  Value pointer = k.offsetPointer(base, k.add(offset, k.index(stepBytes)));
  Type i64 = k.b.getI64Type();
  Value address = LLVM::PtrToIntOp::create(k.b, i64, pointer);
  auto constant = [&](uint64_t value) -> Value {
    return arith::ConstantOp::create(k.b, k.b.getI64IntegerAttr(value));
  };
  address = arith::ShRUIOp::create(k.b, address, constant(kPieceBits));
  address = arith::AndIOp::create(k.b, address, constant(kAddressMask));
  uint64_t leading = layout.depthInLine ? 1 : layout.panelBytes >> kPieceBits;
  uint64_t stride = kPatternBytes >> kPieceBits;
  uint64_t fields = (leading << kLeadingShift) | (stride << kStrideShift) |
                    (uint64_t(1) << kSwizzleShift);
  return arith::OrIOp::create(k.b, address, constant(fields));
}

void WarpGroupProduct::acquire() {
  // Copies are made by the threads; the multipliers read past them.
  NVVM::FenceProxyOp::create(
      k.b,
      NVVM::ProxyKindAttr::get(k.b.getContext(), NVVM::ProxyKind::async_shared),
      NVVM::SharedSpaceAttr::get(k.b.getContext(),
                                 NVVM::SharedSpace::shared_cta));
}

void WarpGroupProduct::wait(int64_t stages) {
  NVVM::WgmmaWaitGroupSyncOp::create(k.b, k.b.getI64IntegerAttr(stages));
}

void WarpGroupProduct::multiply(Value first, Value second,
                                MutableArrayRef<Value> sums) {
  MLIRContext *context = k.b.getContext();
  int64_t perUnit = sums.size() / rowUnits;
  int64_t columns = strategy.columns / strategy.columnWarps;
  auto structType = LLVM::LLVMStructType::getLiteral(
      context, SmallVector<Type>(perUnit, sumType));
  auto type = NVVM::WGMMATypesAttr::get(context, elementType.isF16()
                                                     ? NVVM::WGMMATypes::f16
                                                     : NVVM::WGMMATypes::bf16);
  auto f32 = NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32);
  auto keep = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  auto add = NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one);
  auto getLayout = [&](bool isRow) {
    return NVVM::MMALayoutAttr::get(context, isRow ? NVVM::MMALayout::row
                                                   : NVVM::MMALayout::col);
  };

  NVVM::WgmmaFenceAlignedOp::create(k.b);
  for (int64_t part = 0; part < rowUnits; ++part) {
    MutableArrayRef<Value> partSums = sums.slice(part * perUnit, perUnit);
    Value packed = LLVM::PoisonOp::create(k.b, structType);
    for (auto [number, sum] : llvm::enumerate(partSums))
      packed = LLVM::InsertValueOp::create(k.b, packed, sum, number);
    for (int64_t step = 0; step < strategy.depth / unit.depth; ++step) {
      Value row = k.add(position.row, k.index(part * kGroupRows));
      packed = NVVM::WgmmaMmaAsyncOp::create(
          k.b, structType, packed, describe(this->first, first, row, step),
          describe(this->second, second, position.column, step),
          NVVM::MMAShapeAttr::get(context, kGroupRows, columns, unit.depth),
          type, type, f32, add, keep, keep, getLayout(this->first.depthInLine),
          getLayout(!this->second.depthInLine), NVVM::MMAIntOverflowAttr());
    }
    for (auto [number, sum] : llvm::enumerate(partSums))
      sum = LLVM::ExtractValueOp::create(k.b, packed, number);
  }
  NVVM::WgmmaGroupSyncAlignedOp::create(k.b);
}

void WarpGroupProduct::write(Value memory, ValueRange sums) {
  Value laneRow = k.add(k.mul(position.inGroup, kGroupRows / kGroupWarps),
                        k.div(position.lane, 4));
  Value laneColumn = k.mul(k.rem(position.lane, 4), 2);
  for (int64_t i = 0; i < rowUnits; ++i)
    for (int64_t j = 0; j < columnUnits; ++j)
      for (int64_t pair = 0; pair < sumsPerUnit / 2; ++pair)
        writeSums(
            memory, k.add(laneRow, k.index(i * kGroupRows + 8 * pair)),
            k.add(laneColumn, k.index(j * unit.columns)),
            sums.slice((i * columnUnits + j) * sumsPerUnit + 2 * pair, 2));
}

std::unique_ptr<WarpProduct>
simt::createWarpGroupProduct(KernelBuilder &k,
                             const ContractionStrategy &strategy,
                             const TileLayout &first, const TileLayout &second,
                             const WarpPosition &position, Type elementType) {
  return std::make_unique<WarpGroupProduct>(k, strategy, first, second,
                                            position, elementType);
}
