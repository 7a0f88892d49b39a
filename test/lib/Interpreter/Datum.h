//===- Datum.h - Values of interpreted programs --------------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_INTERPRETER_DATUM_H
#define MEMREV_TEST_LIB_INTERPRETER_DATUM_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Support/LLVM.h"
#include <memory>
#include <vector>

namespace mlir::memrev::testing {

/// A float, in double precision whatever its type, or an integer, sign-extended
/// from its width. A complex number is two of them.
union Cell {
  double real;
  int64_t integer;

  Cell() : integer(0) {}
  explicit Cell(double value) : real(value) {}
  explicit Cell(int64_t value) : integer(value) {}
  explicit Cell(bool value) : integer(value ? -1 : 0) {}
};

/// What a number of an element type can hold.
enum class NumberKind { F64, F32, F16, BF16, Integer };

/// An element type: how its numbers are rounded and how many cells it takes.
struct ElementKind {
  NumberKind kind = NumberKind::Integer;
  unsigned width = 64;
  unsigned cells = 1;

  bool isFloat() const { return kind != NumberKind::Integer; }
};

/// The kind of the elements of `type`; none if the interpreter has no such
/// numbers.
std::optional<ElementKind> getElementKind(Type type);

/// `value` rounded to what `kind` can hold, ties to even.
double roundTo(NumberKind kind, double value);

/// `value` cut to `width` bits and sign-extended.
int64_t wrapTo(unsigned width, int64_t value);

/// A scalar or a tensor. Copies share their elements until one of them writes.
class Datum {
public:
  Datum() = default;
  explicit Datum(Cell value) { scalar[0] = value; }
  Datum(ArrayRef<int64_t> shape, unsigned cells, Cell fill);

  ArrayRef<int64_t> getShape() const { return shape; }
  bool isTensor() const { return bool(elements); }
  unsigned getCells() const { return cells; }
  int64_t getNumElements() const;

  /// The cells, in row-major order.
  ArrayRef<Cell> read() const {
    return elements ? ArrayRef<Cell>(*elements) : ArrayRef<Cell>(scalar, cells);
  }
  MutableArrayRef<Cell> write();

  /// The same elements in another shape of as many.
  Datum reshape(ArrayRef<int64_t> newShape) const;

  /// Sets a scalar without touching the rest.
  void setScalar(Cell value) { scalar[0] = value; }
  void setScalar(Cell first, Cell second) {
    cells = 2;
    scalar[0] = first;
    scalar[1] = second;
  }

  /// The position of `index` in the elements; -1 if it is outside of the shape.
  int64_t linearize(ArrayRef<int64_t> index) const;

private:
  SmallVector<int64_t, 4> shape;
  std::shared_ptr<std::vector<Cell>> elements;
  Cell scalar[2];
  unsigned cells = 1;
};

/// Calls `body` with every index of `shape`, in row-major order, until it
/// returns false. Returns false if it did.
bool forEachIndex(ArrayRef<int64_t> shape,
                  function_ref<bool(ArrayRef<int64_t>)> body);

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_INTERPRETER_DATUM_H
