//===- Points.cpp - Points of a program's domain --------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Points.h"
#include "Generator.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

double mlir::memrev::testing::dot(const Values &a, const Values &b,
                                  double *size) {
  double sum = 0, magnitude = 0;
  for (auto [x, y] : llvm::zip_equal(a, b))
    for (auto [p, q] : llvm::zip(x.read(), y.read())) {
      sum += p.real * q.real;
      magnitude += std::abs(p.real * q.real);
    }
  if (size)
    *size = magnitude;
  return sum;
}

double mlir::memrev::testing::largest(const Values &a) {
  double most = 0;
  for (const Datum &x : a)
    for (Cell cell : x.read())
      if (std::isnan(cell.real))
        return cell.real;
      else
        most = std::max(most, std::abs(cell.real));
  return most;
}

double mlir::memrev::testing::difference(const Values &a, const Values &b) {
  double most = 0;
  if (a.size() != b.size())
    return INFINITY;
  for (auto [x, y] : llvm::zip_equal(a, b)) {
    if (x.getShape() != y.getShape())
      return INFINITY;
    for (auto [p, q] : llvm::zip_equal(x.read(), y.read())) {
      if (p.integer == q.integer || (std::isnan(p.real) && std::isnan(q.real)))
        continue;
      double d = std::abs(p.real - q.real);
      most = d >= most ? d : std::isnan(d) ? INFINITY : most;
    }
  }
  return most;
}

bool mlir::memrev::testing::isSame(const Values &a, const Values &b) {
  return difference(a, b) == 0;
}

Values mlir::memrev::testing::axpy(const Values &a, double factor,
                                   const Values &b) {
  Values sum;
  for (auto [x, y] : llvm::zip_equal(a, b)) {
    Datum s = x;
    for (auto [p, q] : llvm::zip_equal(s.write(), y.read()))
      p.real += factor * q.real;
    sum.push_back(s);
  }
  return sum;
}

Values mlir::memrev::testing::sampleArguments(func::FuncOp function,
                                              Random &rng) {
  Values arguments;
  for (auto [n, type] : llvm::enumerate(function.getArgumentTypes())) {
    ElementKind kind = *getElementKind(type);
    auto shape = function.getArgAttrOfType<DenseI64ArrayAttr>(n, kShapeAttr);
    Attribute low = function.getArgAttr(n, kLowAttr);
    Attribute high = function.getArgAttr(n, kHighAttr);
    auto draw = [&] {
      if (!kind.isFloat())
        return Cell(rng.range(low ? cast<IntegerAttr>(low).getInt() : 0,
                              high ? cast<IntegerAttr>(high).getInt() : 0));
      double value =
          rng.uniform(low ? cast<FloatAttr>(low).getValueAsDouble() : -1.0,
                      high ? cast<FloatAttr>(high).getValueAsDouble() : 1.0);
      // A number of the type, so that rounding is not a change of arguments.
      return Cell(roundTo(kind.kind, value));
    };
    if (!isa<ShapedType>(type)) {
      arguments.push_back(Datum(draw()));
      continue;
    }
    SmallVector<int64_t> extents;
    if (shape)
      extents = llvm::to_vector(shape.asArrayRef());
    else
      for (int64_t extent : cast<ShapedType>(type).getShape())
        extents.push_back(ShapedType::isDynamic(extent) ? 2 : extent);
    Datum argument(extents, kind.cells, Cell());
    for (Cell &cell : argument.write())
      cell = draw();
    arguments.push_back(argument);
  }
  return arguments;
}

Values mlir::memrev::testing::sampleLike(const Values &like, Random &rng) {
  Values sample;
  for (const Datum &datum : like) {
    Datum copy = datum;
    for (Cell &cell : copy.write())
      cell = Cell(rng.uniform(-1, 1));
    sample.push_back(copy);
  }
  return sample;
}
