//===- Datum.cpp - Values of interpreted programs -------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Datum.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

std::optional<ElementKind> mlir::memrev::testing::getElementKind(Type type) {
  type = getElementTypeOrSelf(type);
  if (auto complex = dyn_cast<ComplexType>(type)) {
    std::optional<ElementKind> kind = getElementKind(complex.getElementType());
    if (kind)
      kind->cells = 2;
    return kind;
  }
  if (type.isF64())
    return ElementKind{NumberKind::F64, 64};
  if (type.isF32())
    return ElementKind{NumberKind::F32, 32};
  if (type.isF16())
    return ElementKind{NumberKind::F16, 16};
  if (type.isBF16())
    return ElementKind{NumberKind::BF16, 16};
  if (type.isIndex())
    return ElementKind{NumberKind::Integer, 64};
  if (auto integer = dyn_cast<IntegerType>(type))
    if (integer.getWidth() <= 64 && integer.getWidth() > 0)
      return ElementKind{NumberKind::Integer, integer.getWidth()};
  return std::nullopt;
}

double mlir::memrev::testing::roundTo(NumberKind kind, double value) {
  if (kind == NumberKind::F64 || kind == NumberKind::Integer)
    return value;
  if (kind == NumberKind::F32)
    return double(float(value));
  if (!std::isfinite(value) || value == 0)
    return value;
  // Bits of the significand, exponent of the smallest number, largest number.
  auto [bits, quantum, largest] = kind == NumberKind::F16
                                      ? std::tuple(11, -24, 65504.0)
                                      : std::tuple(8, -133, 0x1.fep127);
  int exponent;
  (void)std::frexp(value, &exponent);
  int unit = std::max(exponent - bits, quantum);
  double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -unit)), unit);
  if (std::abs(rounded) > largest)
    return std::copysign(INFINITY, value);
  return rounded;
}

int64_t mlir::memrev::testing::wrapTo(unsigned width, int64_t value) {
  if (width >= 64)
    return value;
  unsigned unused = 64 - width;
  return int64_t(uint64_t(value) << unused) >> unused;
}

Datum::Datum(ArrayRef<int64_t> shape, unsigned cells, Cell fill)
    : shape(shape), cells(cells) {
  int64_t count = cells;
  for (int64_t extent : shape)
    count *= extent;
  elements = std::make_shared<std::vector<Cell>>(count, fill);
}

int64_t Datum::getNumElements() const {
  return elements ? int64_t(elements->size() / cells) : 1;
}

MutableArrayRef<Cell> Datum::write() {
  if (!elements)
    return MutableArrayRef<Cell>(scalar, cells);
  if (elements.use_count() > 1)
    elements = std::make_shared<std::vector<Cell>>(*elements);
  return *elements;
}

Datum Datum::reshape(ArrayRef<int64_t> newShape) const {
  Datum result = *this;
  result.shape.assign(newShape.begin(), newShape.end());
  return result;
}

int64_t Datum::linearize(ArrayRef<int64_t> index) const {
  if (index.size() != shape.size())
    return -1;
  int64_t position = 0;
  for (auto [i, extent] : llvm::zip_equal(index, shape)) {
    if (i < 0 || i >= extent)
      return -1;
    position = position * extent + i;
  }
  return position;
}

bool mlir::memrev::testing::forEachIndex(
    ArrayRef<int64_t> shape, function_ref<bool(ArrayRef<int64_t>)> body) {
  if (llvm::is_contained(shape, 0))
    return true;
  SmallVector<int64_t, 6> index(shape.size(), 0);
  while (true) {
    if (!body(index))
      return false;
    int64_t dim = int64_t(shape.size()) - 1;
    while (dim >= 0 && ++index[dim] == shape[dim])
      index[dim--] = 0;
    if (dim < 0)
      return true;
  }
}
