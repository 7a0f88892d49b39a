//===- WarpProduct.cpp - Products of tiles by a warp ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which lane holds which element of a fragment: PTX ISA, "Warp level matrix
// instructions", mma.m16n8k16 (f16, bf16), m16n8k8 (tf32), m8n8k4 (f64) and
// ldmatrix.
//
//===----------------------------------------------------------------------===//

#include "ContractionEmitter.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::memrev;
using namespace mlir::memrev::simt;

/// What ldmatrix reads of a line, and a piece of a line.
static constexpr int64_t kPieceBytes = 16;
/// All banks together.
static constexpr int64_t kBankBytes = 128;
/// Lines between pieces that lie in the same banks again.
static constexpr int64_t kMatrixLines = 8;

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

TileLayout::TileLayout(const Factor &factor, int64_t outer,
                       const ContractionStrategy &strategy) {
  bool isScalar = strategy.unit == Unit::Scalar;
  // Single threads read several rows of one depth at once.
  depthInLine = factor.depthContiguous && !isScalar;
  lines = depthInLine ? outer : strategy.depth;
  elements = depthInLine ? strategy.depth : outer;
  elementBytes = getByteSize(factor.access->elementType);
  lineElements = elements;
  if (strategy.unit == Unit::WarpGroup)
    lineElements = std::min(elements, kBankBytes / elementBytes);
  lineBytes = lineElements * elementBytes;
  if (isScalar)
    lineBytes += kPieceBytes;
  panelBytes = lines * lineBytes;
  if (isScalar)
    return;
  multiplier = 1;
  if (depthInLine || elementBytes == 2)
    divisor = std::max<int64_t>(1, kBankBytes / lineBytes);
  else
    // The lanes of a fragment read 8 neighbours in 4 lines.
    multiplier = kMatrixLines * elementBytes / kPieceBytes;
}

Value TileLayout::getOffset(KernelBuilder &k, Value outer, Value depth) const {
  Value line = depthInLine ? outer : depth;
  Value element = depthInLine ? depth : outer;
  Value start = k.mul(line, lineBytes);
  if (lineElements != elements) {
    start = k.add(start, k.mul(k.div(element, lineElements), panelBytes));
    element = k.rem(element, lineElements);
  }
  Value byte = k.mul(element, elementBytes);
  int64_t pieces = std::min(lineBytes / kPieceBytes, kMatrixLines);
  if (multiplier == 0 || pieces == 1)
    return k.add(start, byte);
  // Moving by exclusive or keeps a piece within its aligned group of eight.
  Value phase = k.rem(k.div(k.mul(line, multiplier), divisor), pieces);
  Value moved = arith::XOrIOp::create(k.b, byte, k.mul(phase, kPieceBytes));
  return k.add(start, moved);
}

//===----------------------------------------------------------------------===//
// Common parts
//===----------------------------------------------------------------------===//

int64_t simt::getSumBytes(Unit unit) { return unit == Unit::Double ? 8 : 4; }

Type simt::getSumType(Unit unit, MLIRContext *context) {
  if (unit == Unit::Double)
    return Float64Type::get(context);
  return Float32Type::get(context);
}

WarpProduct::WarpProduct(KernelBuilder &k, const ContractionStrategy &strategy,
                         const TileLayout &first, const TileLayout &second,
                         const WarpPosition &position, Type elementType)
    : k(k), strategy(strategy), first(first), second(second),
      position(position), elementType(elementType),
      sumType(getSumType(strategy.unit, k.b.getContext())),
      unit(UnitShape::get(strategy.unit)) {
  rowUnits = strategy.rows / strategy.rowWarps / unit.rows;
  columnUnits = strategy.columns / strategy.columnWarps / unit.columns;
  sumsPerUnit = unit.rows * unit.columns / kWarpSize;
}

SmallVector<Value> WarpProduct::createSums() {
  return SmallVector<Value>(rowUnits * columnUnits * sumsPerUnit,
                            k.zero(sumType));
}

Value WarpProduct::loadShared(Type type, Value base, Value offset,
                              int64_t constant) {
  Value pointer = k.offsetPointer(base, offset);
  if (constant != 0)
    pointer =
        LLVM::GEPOp::create(k.b, pointer.getType(), k.b.getI8Type(), pointer,
                            ArrayRef<LLVM::GEPArg>{int32_t(constant)});
  if (!type)
    return pointer;
  int64_t bytes = getByteSize(getElementTypeOrSelf(type));
  if (auto vector = dyn_cast<VectorType>(type))
    bytes *= vector.getNumElements();
  return LLVM::LoadOp::create(k.b, type, pointer, bytes);
}

void WarpProduct::writeSums(Value memory, Value row, Value column,
                            ValueRange sums) {
  Value vector =
      LLVM::PoisonOp::create(k.b, VectorType::get(sums.size(), sumType));
  for (auto [number, sum] : llvm::enumerate(sums))
    vector = LLVM::InsertElementOp::create(
        k.b, vector, sum,
        LLVM::ConstantOp::create(k.b, k.b.getI32Type(), number));
  int64_t sumBytes = getSumBytes(strategy.unit);
  Value offset = k.add(k.mul(k.add(position.row, row), getSumStride(strategy)),
                       k.add(position.column, column));
  Value pointer = k.offsetPointer(memory, k.mul(offset, sumBytes));
  LLVM::StoreOp::create(k.b, vector, pointer, sums.size() * sumBytes);
}

//===----------------------------------------------------------------------===//
// Tensor cores
//===----------------------------------------------------------------------===//

namespace {
class MatrixProduct : public WarpProduct {
public:
  MatrixProduct(KernelBuilder &k, const ContractionStrategy &strategy,
                const TileLayout &first, const TileLayout &second,
                const WarpPosition &position, Type elementType, bool cuts);

  void multiply(Value first, Value second,
                MutableArrayRef<Value> sums) override;
  void write(Value memory, ValueRange sums) override;

private:
  /// How the fragments of one factor are loaded.
  struct Fragments {
    const TileLayout *layout;
    bool isFirst;
    /// Whether four 8x8 matrices are loaded at once.
    bool isMatrix;
    /// Rows or columns that are loaded at once.
    int64_t outerStep;
    /// By step of depth where a line runs along it, else by step of the rows or
    /// columns and, without matrices, by eights within one.
    SmallVector<Value> offsets;
  };
  Fragments prepare(const TileLayout &layout, bool isFirst, Value start,
                    int64_t outer);
  /// The registers of step `outer` of rows or columns at step `depth`, as they
  /// are in memory.
  SmallVector<Value> load(const Fragments &fragments, Value base, int64_t outer,
                          int64_t depth);
  /// What the instruction takes for them: one operand, or several whose sum
  /// they are.
  using Parts = SmallVector<SmallVector<Value>>;
  Parts toOperands(ArrayRef<Value> values);
  Value roundToTF32(Value value);
  /// Two numbers whose sum is `value`, up to its last bit or two.
  SmallVector<Value> splitByRounding(Value value);
  /// The same, but of the sign of `value` and not larger: neither they nor the
  /// parts of a product cancel or overflow where the whole does not.
  SmallVector<Value> splitByCutting(Value value);

  Fragments firstFragments, secondFragments;
  /// How factors of Unit::TF32x3 are split.
  bool cuts;
  /// The parts of either factor whose products are added, in this order.
  SmallVector<std::pair<int, int>> products;
};
} // namespace

MatrixProduct::MatrixProduct(KernelBuilder &k,
                             const ContractionStrategy &strategy,
                             const TileLayout &first, const TileLayout &second,
                             const WarpPosition &position, Type elementType,
                             bool cuts)
    : WarpProduct(k, strategy, first, second, position, elementType),
      cuts(cuts) {
  // The small products first. That of both rests is below the last bit.
  if (strategy.unit == Unit::TF32x3)
    products = {{1, 0}, {0, 1}, {0, 0}};
  else
    products = {{0, 0}};
  firstFragments = prepare(this->first, true, position.row,
                           strategy.rows / strategy.rowWarps);
  secondFragments = prepare(this->second, false, position.column,
                            strategy.columns / strategy.columnWarps);
}

MatrixProduct::Fragments MatrixProduct::prepare(const TileLayout &layout,
                                                bool isFirst, Value start,
                                                int64_t outer) {
  Fragments fragments;
  fragments.layout = &layout;
  fragments.isFirst = isFirst;
  fragments.isMatrix = strategy.unit == Unit::Half ||
                       (isTF32(strategy.unit) && layout.depthInLine);
  fragments.outerStep = fragments.isMatrix ? 16
                        : isFirst          ? unit.rows
                                           : unit.columns;
  int64_t outerSteps = outer / fragments.outerStep;
  int64_t depthSteps = strategy.depth / unit.depth;
  Value lane = position.lane;

  if (!fragments.isMatrix) {
    // Groups of four lanes share a row or column.
    Value laneOuter = k.add(start, k.div(lane, 4));
    Value laneDepth = k.rem(lane, 4);
    if (layout.depthInLine) {
      for (int64_t step = 0; step < depthSteps; ++step)
        fragments.offsets.push_back(layout.getOffset(
            k, laneOuter, k.add(laneDepth, k.index(step * unit.depth))));
      return fragments;
    }
    for (int64_t eight = 0; eight < outer; eight += 8)
      fragments.offsets.push_back(
          layout.getOffset(k, k.add(laneOuter, k.index(eight)), laneDepth));
    return fragments;
  }

  // Each lane names a line of one of four matrices, which are in the order of
  // the registers: rows before depth in the first factor, depth before columns
  // in the second.
  int64_t piece = kPieceBytes / layout.elementBytes;
  Value matrix = k.div(lane, 8), line = k.rem(lane, 8);
  Value low = k.rem(matrix, 2), high = k.div(matrix, 2);
  Value outerMatrix = isFirst ? low : high, depthMatrix = isFirst ? high : low;
  if (layout.depthInLine) {
    Value laneOuter = k.add(start, k.add(k.mul(outerMatrix, 8), line));
    for (int64_t step = 0; step < depthSteps; ++step)
      fragments.offsets.push_back(layout.getOffset(
          k, laneOuter,
          k.add(k.mul(depthMatrix, piece), k.index(step * unit.depth))));
    return fragments;
  }
  Value laneDepth = k.add(k.mul(depthMatrix, 8), line);
  for (int64_t step = 0; step < outerSteps; ++step)
    fragments.offsets.push_back(layout.getOffset(
        k,
        k.add(start, k.add(k.mul(outerMatrix, 8),
                           k.index(step * fragments.outerStep))),
        laneDepth));
  return fragments;
}

Value MatrixProduct::roundToTF32(Value value) {
  // The tensor cores would cut the lower bits off.
  return NVVM::ConvertFloatToTF32Op::create(
      k.b, k.b.getI32Type(), value,
      NVVM::FPRoundingModeAttr::get(k.b.getContext(),
                                    NVVM::FPRoundingMode::RNA));
}

SmallVector<Value> MatrixProduct::splitByRounding(Value value) {
  Value big = roundToTF32(value);
  Value rounded = LLVM::BitcastOp::create(k.b, k.b.getF32Type(), big);
  return {big, roundToTF32(arith::SubFOp::create(k.b, value, rounded))};
}

SmallVector<Value> MatrixProduct::splitByCutting(Value value) {
  Type i32 = k.b.getI32Type(), f32 = k.b.getF32Type();
  auto constant = [&](uint32_t bits) -> Value {
    return arith::ConstantOp::create(
        k.b, k.b.getIntegerAttr(i32, static_cast<int32_t>(bits)));
  };
  auto cut = [&](Value v) -> Value {
    return arith::AndIOp::create(k.b, LLVM::BitcastOp::create(k.b, i32, v),
                                 constant(0xffffe000));
  };
  // An infinity is the second part, which meets only the first one of the other
  // factor. So the first part of an infinity is no zero.
  Value bits = LLVM::BitcastOp::create(k.b, i32, value);
  Value isInfinite = arith::CmpIOp::create(
      k.b, arith::CmpIPredicate::eq,
      arith::AndIOp::create(k.b, bits, constant(0x7fffffff)),
      constant(0x7f800000));
  Value one = arith::OrIOp::create(
      k.b, arith::AndIOp::create(k.b, bits, constant(0x80000000)),
      constant(0x3f800000));
  Value big = arith::SelectOp::create(k.b, isInfinite, one, cut(value));
  return {big, cut(arith::SubFOp::create(
                   k.b, value, LLVM::BitcastOp::create(k.b, f32, big)))};
}

MatrixProduct::Parts MatrixProduct::toOperands(ArrayRef<Value> values) {
  if (!isTF32(strategy.unit)) {
    Parts parts(1);
    for (Value value : values)
      parts[0].push_back(
          strategy.unit == Unit::Half && elementType.isF16()
              ? LLVM::BitcastOp::create(
                    k.b, VectorType::get(2, k.b.getF16Type()), value)
              : value);
    return parts;
  }
  Parts parts;
  for (Value value : values) {
    if (value.getType().isInteger(32))
      value = LLVM::BitcastOp::create(k.b, k.b.getF32Type(), value);
    SmallVector<Value> split = {};
    if (strategy.unit == Unit::TF32)
      split = {roundToTF32(value)};
    else
      split = cuts ? splitByCutting(value) : splitByRounding(value);
    parts.resize(split.size());
    for (auto [part, number] : llvm::zip_equal(parts, split))
      part.push_back(number);
  }
  return parts;
}

SmallVector<Value> MatrixProduct::load(const Fragments &fragments, Value base,
                                       int64_t outer, int64_t depth) {
  const TileLayout &layout = *fragments.layout;
  SmallVector<Value> values;
  if (fragments.isMatrix) {
    int64_t constant = layout.depthInLine
                           ? outer * fragments.outerStep * layout.lineBytes
                           : depth * unit.depth * layout.lineBytes;
    Value pointer = loadShared(
        {}, base, fragments.offsets[layout.depthInLine ? depth : outer],
        constant);
    Type i32 = k.b.getI32Type();
    auto type = LLVM::LLVMStructType::getLiteral(k.b.getContext(),
                                                 {i32, i32, i32, i32});
    Value loaded = NVVM::LdMatrixOp::create(
        k.b, type, pointer, 4,
        layout.depthInLine ? NVVM::MMALayout::row : NVVM::MMALayout::col,
        NVVM::LdStMatrixShapeAttr::get(k.b.getContext(), 8, 8),
        NVVM::LdStMatrixEltType::B16);
    for (int64_t i = 0; i < 4; ++i)
      values.push_back(LLVM::ExtractValueOp::create(k.b, loaded, i));
  } else {
    // Rows eight apart, then depth four apart.
    int64_t eights = fragments.outerStep / 8, fours = unit.depth / 4;
    for (int64_t four = 0; four < fours; ++four)
      for (int64_t eight = 0; eight < eights; ++eight) {
        Value offset;
        int64_t constant;
        if (layout.depthInLine) {
          offset = fragments.offsets[depth];
          constant = (outer * eights + eight) * 8 * layout.lineBytes +
                     four * 4 * layout.elementBytes;
        } else {
          offset = fragments.offsets[outer * eights + eight];
          constant = (depth * unit.depth + four * 4) * layout.lineBytes;
        }
        values.push_back(loadShared(elementType, base, offset, constant));
      }
  }
  return values;
}

void MatrixProduct::multiply(Value first, Value second,
                             MutableArrayRef<Value> sums) {
  MLIRContext *context = k.b.getContext();
  SmallVector<Type> sumTypes(sumsPerUnit, sumType);
  auto resultType = LLVM::LLVMStructType::getLiteral(context, sumTypes);
  NVVM::MMATypes type = NVVM::MMATypes::f64;
  if (isTF32(strategy.unit))
    type = NVVM::MMATypes::tf32;
  else if (strategy.unit == Unit::Half)
    type = elementType.isF16() ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;

  auto multiplyUnit = [&](ArrayRef<Value> row, ArrayRef<Value> column,
                          MutableArrayRef<Value> unitSums) {
    Value result = NVVM::MmaOp::create(
        k.b, resultType, row, column, ValueRange(unitSums),
        {unit.rows, unit.columns, unit.depth}, /*b1Op=*/std::nullopt,
        /*intOverflow=*/std::nullopt, std::array{type, type},
        std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (int64_t q = 0; q < sumsPerUnit; ++q)
      unitSums[q] = LLVM::ExtractValueOp::create(k.b, result, q);
  };

  int64_t columnsAtOnce = secondFragments.outerStep / unit.columns;
  for (int64_t depth = 0; depth < strategy.depth / unit.depth; ++depth) {
    SmallVector<Parts> columns;
    for (int64_t j = 0; j < columnUnits / columnsAtOnce; ++j) {
      SmallVector<Value> loaded = load(secondFragments, second, j, depth);
      size_t size = loaded.size() / columnsAtOnce;
      for (int64_t part = 0; part < columnsAtOnce; ++part)
        columns.push_back(
            toOperands(ArrayRef(loaded).slice(part * size, size)));
    }
    for (int64_t i = 0; i < rowUnits; ++i) {
      Parts rows = toOperands(load(firstFragments, first, i, depth));
      for (int64_t j = 0; j < columnUnits; ++j)
        for (auto [row, column] : products)
          multiplyUnit(
              rows[row], columns[j][column],
              sums.slice((i * columnUnits + j) * sumsPerUnit, sumsPerUnit));
    }
  }
}

void MatrixProduct::write(Value memory, ValueRange sums) {
  Value laneRow = k.div(position.lane, 4);
  Value laneColumn = k.mul(k.rem(position.lane, 4), 2);
  for (int64_t i = 0; i < rowUnits; ++i)
    for (int64_t j = 0; j < columnUnits; ++j)
      for (int64_t pair = 0; pair < sumsPerUnit / 2; ++pair) {
        int64_t number = (i * columnUnits + j) * sumsPerUnit + 2 * pair;
        writeSums(memory, k.add(laneRow, k.index(i * unit.rows + 8 * pair)),
                  k.add(laneColumn, k.index(j * unit.columns)),
                  sums.slice(number, 2));
      }
}

//===----------------------------------------------------------------------===//
// Single threads
//===----------------------------------------------------------------------===//

namespace {
/// Eight by four lanes; each has four neighbouring rows and four neighbouring
/// columns of every unit.
class ScalarProduct : public WarpProduct {
public:
  ScalarProduct(KernelBuilder &k, const ContractionStrategy &strategy,
                const TileLayout &first, const TileLayout &second,
                const WarpPosition &position, Type elementType)
      : WarpProduct(k, strategy, first, second, position, elementType),
        laneRow(k.mul(k.div(position.lane, 4), kNeighbours)),
        laneColumn(k.mul(k.rem(position.lane, 4), kNeighbours)) {
    Value zero = k.index(0);
    firstOffset = first.getOffset(k, k.add(position.row, laneRow), zero);
    secondOffset =
        second.getOffset(k, k.add(position.column, laneColumn), zero);
  }

  void multiply(Value first, Value second,
                MutableArrayRef<Value> sums) override;
  void write(Value memory, ValueRange sums) override;

private:
  static constexpr int64_t kNeighbours = 4;

  SmallVector<Value> load(const TileLayout &layout, Value base, Value offset,
                          int64_t units, int64_t unitSize, int64_t depth);

  Value laneRow, laneColumn, firstOffset, secondOffset;
};
} // namespace

SmallVector<Value> ScalarProduct::load(const TileLayout &layout, Value base,
                                       Value offset, int64_t units,
                                       int64_t unitSize, int64_t depth) {
  SmallVector<Value> values;
  for (int64_t i = 0; i < units; ++i) {
    Value vector = loadShared(
        VectorType::get(kNeighbours, elementType), base, offset,
        depth * layout.lineBytes + i * unitSize * layout.elementBytes);
    for (int64_t lane = 0; lane < kNeighbours; ++lane)
      values.push_back(LLVM::ExtractElementOp::create(
          k.b, vector, LLVM::ConstantOp::create(k.b, k.b.getI32Type(), lane)));
  }
  return values;
}

void ScalarProduct::multiply(Value firstTile, Value secondTile,
                             MutableArrayRef<Value> sums) {
  for (int64_t depth = 0; depth < strategy.depth; ++depth) {
    SmallVector<Value> rows =
        load(first, firstTile, firstOffset, rowUnits, unit.rows, depth);
    SmallVector<Value> columns = load(second, secondTile, secondOffset,
                                      columnUnits, unit.columns, depth);
    for (auto [i, row] : llvm::enumerate(rows))
      for (auto [j, column] : llvm::enumerate(columns)) {
        Value &sum = sums[i * columns.size() + j];
        sum = LLVM::FMAOp::create(k.b, row, column, sum);
      }
  }
}

void ScalarProduct::write(Value memory, ValueRange sums) {
  int64_t columns = columnUnits * kNeighbours;
  for (int64_t i = 0; i < rowUnits * kNeighbours; ++i) {
    int64_t row = i / kNeighbours * unit.rows + i % kNeighbours;
    for (int64_t j = 0; j < columnUnits; ++j)
      writeSums(memory, k.add(laneRow, k.index(row)),
                k.add(laneColumn, k.index(j * unit.columns)),
                sums.slice(i * columns + j * kNeighbours, kNeighbours));
  }
}

std::unique_ptr<WarpProduct>
WarpProduct::create(KernelBuilder &k, const ContractionStrategy &strategy,
                    const TileLayout &first, const TileLayout &second,
                    const WarpPosition &position, Type elementType, bool cuts) {
  if (strategy.unit == Unit::WarpGroup)
    return createWarpGroupProduct(k, strategy, first, second, position,
                                  elementType);
  if (strategy.unit == Unit::Scalar)
    return std::make_unique<ScalarProduct>(k, strategy, first, second, position,
                                           elementType);
  return std::make_unique<MatrixProduct>(k, strategy, first, second, position,
                                         elementType, cuts);
}
