//===- ComplexOps.cpp - Evaluates complex numbers -------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include <complex>

using namespace mlir;
using namespace mlir::memrev::testing;

using Number = std::complex<double>;

static Number getNumber(const Cell *x, unsigned n) {
  return {x[2 * n].real, x[2 * n + 1].real};
}

static void put(Cell *y, Number value) {
  y[0] = Cell(value.real());
  y[1] = Cell(value.imag());
}

static LogicalResult runConstant(Machine &m, const Instruction &i) {
  ArrayAttr value = cast<complex::ConstantOp>(i.op).getValue();
  Datum result;
  result.setScalar(Cell(cast<FloatAttr>(value[0]).getValueAsDouble()),
                   Cell(cast<FloatAttr>(value[1]).getValueAsDouble()));
  m.set(i, 0, std::move(result));
  return success();
}

#define COMPLEX(NAME, EXPR)                                                    \
  handlers["complex." NAME] = {                                                \
      runElementwise,                                                          \
      +[](Machine &m, const Instruction &, const Cell *x, Cell *y) {           \
        (void)m;                                                               \
        put(y, EXPR);                                                          \
      }}
#define REAL(NAME, EXPR)                                                       \
  handlers["complex." NAME] = {                                                \
      runElementwise,                                                          \
      +[](Machine &m, const Instruction &, const Cell *x, Cell *y) {           \
        (void)m;                                                               \
        y[0] = Cell(EXPR);                                                     \
      }}
#define A getNumber(x, 0)
#define B getNumber(x, 1)

/// Divides numbers, away from a zero denominator.
static Number divide(Machine &m, Number a, Number b) {
  if (m.kinks())
    m.kinks()->approach(std::abs(b));
  return a / b;
}

/// `a`, away from zero and, if `hasCut`, from the negative numbers.
static Number away(Machine &m, Number a, bool hasCut) {
  if (m.kinks())
    m.kinks()->approach(hasCut && a.real() < 0 ? a.imag() : std::abs(a));
  return a;
}

void mlir::memrev::testing::addComplexHandlers(Handlers &handlers) {
  handlers["complex.constant"] = {runConstant};
  COMPLEX("create", Number(x[0].real, x[1].real));
  COMPLEX("add", A + B);
  COMPLEX("sub", A - B);
  COMPLEX("mul", A * B);
  COMPLEX("div", divide(m, A, B));
  COMPLEX("neg", -A);
  COMPLEX("conj", std::conj(A));
  COMPLEX("exp", std::exp(A));
  COMPLEX("log", std::log(away(m, A, true)));
  COMPLEX("sqrt", std::sqrt(away(m, A, true)));
  COMPLEX("expm1", std::exp(A) - 1.0);
  COMPLEX("log1p", std::log(away(m, 1.0 + A, true)));
  COMPLEX("rsqrt", 1.0 / std::sqrt(away(m, A, true)));
  COMPLEX("tan", std::tan(A));
  COMPLEX("sin", std::sin(A));
  COMPLEX("cos", std::cos(A));
  COMPLEX("tanh", std::tanh(A));
  COMPLEX("sign", away(m, A, false) / std::abs(A));
  COMPLEX("pow", std::pow(away(m, A, true), B));
  REAL("re", A.real());
  REAL("im", A.imag());
  REAL("abs", std::abs(away(m, A, false)));
  REAL("angle", std::arg(away(m, A, true)));
}
