//===- ScalarOps.cpp - Evaluates arith and math ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/bit.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

//===----------------------------------------------------------------------===//
// Elementwise evaluation
//===----------------------------------------------------------------------===//

/// Evaluates one element and rounds it.
static void runOne(Machine &machine, const Instruction &i, const Cell *in,
                   Cell *out) {
  i.scalar(machine, i, in, out);
  unsigned position = 0;
  for (const ElementKind &kind : i.resultKinds)
    for (unsigned c = 0; c < kind.cells; ++c, ++position)
      out[position] = kind.isFloat()
                          ? Cell(machine.round(kind, out[position].real))
                          : Cell(wrapTo(kind.width, out[position].integer));
}

LogicalResult mlir::memrev::testing::runElementwise(Machine &machine,
                                                    const Instruction &i) {
  Cell in[8], out[4];
  bool isTensor = false;
  for (unsigned n = 0; n < i.operands.size(); ++n)
    isTensor |= machine.operand(i, n).isTensor();
  if (!isTensor) {
    unsigned position = 0;
    for (unsigned n = 0; n < i.operands.size(); ++n)
      for (Cell cell : machine.operand(i, n).read())
        in[position++] = cell;
    runOne(machine, i, in, out);
    position = 0;
    for (auto [n, kind] : llvm::enumerate(i.resultKinds)) {
      if (kind.cells == 1)
        machine.get(i.results[n]) = Datum(out[position]);
      else
        machine.get(i.results[n]).setScalar(out[position], out[position + 1]);
      position += kind.cells;
    }
    return success();
  }

  // Scalars among tensors, as the condition of a select, are repeated.
  std::optional<SmallVector<int64_t>> shape;
  for (unsigned n = 0; n < i.operands.size(); ++n) {
    Datum &operand = machine.operand(i, n);
    if (!operand.isTensor())
      continue;
    if (shape && ArrayRef<int64_t>(*shape) != operand.getShape())
      return machine.fail(i.op, "operands of different shapes");
    shape = llvm::to_vector(operand.getShape());
  }
  SmallVector<Datum, 2> results;
  for (const ElementKind &kind : i.resultKinds)
    results.emplace_back(*shape, kind.cells, Cell());
  SmallVector<MutableArrayRef<Cell>, 2> written;
  for (Datum &result : results)
    written.push_back(result.write());
  SmallVector<ArrayRef<Cell>, 4> read;
  SmallVector<bool, 4> repeated;
  for (unsigned n = 0; n < i.operands.size(); ++n) {
    read.push_back(machine.operand(i, n).read());
    repeated.push_back(!machine.operand(i, n).isTensor());
  }
  for (int64_t e = 0, count = results[0].getNumElements(); e < count; ++e) {
    unsigned position = 0;
    for (auto [n, kind] : llvm::enumerate(i.operandKinds))
      for (unsigned c = 0; c < kind.cells; ++c)
        in[position++] = read[n][(repeated[n] ? 0 : e) * kind.cells + c];
    runOne(machine, i, in, out);
    position = 0;
    for (auto [n, kind] : llvm::enumerate(i.resultKinds))
      for (unsigned c = 0; c < kind.cells; ++c)
        written[n][e * kind.cells + c] = out[position++];
  }
  for (auto [n, result] : llvm::enumerate(results))
    machine.set(i, n, std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

static uint64_t zeroExtend(const Instruction &i, unsigned n, Cell cell) {
  unsigned width = i.operandKinds[n].width;
  uint64_t bits = uint64_t(cell.integer);
  return width >= 64 ? bits : bits & ((uint64_t(1) << width) - 1);
}

/// The larger operand, or NaN if one is NaN (`propagate`) or the other one.
static double extremum(Machine &m, double a, double b, bool larger,
                       bool propagate) {
  if (m.kinks())
    m.kinks()->compare(a, b);
  if (std::isnan(a))
    return propagate ? a : b;
  if (std::isnan(b))
    return propagate ? b : a;
  if (a == b)
    return std::signbit(a) == larger ? b : a;
  return (a > b) == larger ? a : b;
}

/// Records the distance to the nearest point where `x + shift` is an integer.
static void approachInteger(Machine &m, double x, double shift) {
  if (!m.kinks())
    return;
  m.kinks()->approach(x + shift - std::nearbyint(x + shift));
  m.kinks()->decide(int64_t(std::floor(x + shift)));
}

static void approach(Machine &m, double distance) {
  if (m.kinks())
    m.kinks()->approach(distance);
}

static bool compareFloats(arith::CmpFPredicate predicate, double a, double b) {
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case arith::CmpFPredicate::AlwaysFalse:
    return false;
  case arith::CmpFPredicate::OEQ:
    return a == b;
  case arith::CmpFPredicate::OGT:
    return a > b;
  case arith::CmpFPredicate::OGE:
    return a >= b;
  case arith::CmpFPredicate::OLT:
    return a < b;
  case arith::CmpFPredicate::OLE:
    return a <= b;
  case arith::CmpFPredicate::ONE:
    return !unordered && a != b;
  case arith::CmpFPredicate::ORD:
    return !unordered;
  case arith::CmpFPredicate::UEQ:
    return unordered || a == b;
  case arith::CmpFPredicate::UGT:
    return unordered || a > b;
  case arith::CmpFPredicate::UGE:
    return unordered || a >= b;
  case arith::CmpFPredicate::ULT:
    return unordered || a < b;
  case arith::CmpFPredicate::ULE:
    return unordered || a <= b;
  case arith::CmpFPredicate::UNE:
    return unordered || a != b;
  case arith::CmpFPredicate::UNO:
    return unordered;
  case arith::CmpFPredicate::AlwaysTrue:
    return true;
  }
  return false;
}

static bool compareIntegers(arith::CmpIPredicate predicate, int64_t a,
                            int64_t b, uint64_t ua, uint64_t ub) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  return false;
}

static double roundEven(double x) { return std::nearbyint(x); }

/// The bits of `x` as a number of `kind`, and back.
static uint64_t toBits(const ElementKind &kind, double x) {
  APFloat value(x);
  bool lost;
  const llvm::fltSemantics &semantics =
      kind.kind == NumberKind::F64    ? APFloat::IEEEdouble()
      : kind.kind == NumberKind::F32  ? APFloat::IEEEsingle()
      : kind.kind == NumberKind::BF16 ? APFloat::BFloat()
                                      : APFloat::IEEEhalf();
  value.convert(semantics, APFloat::rmNearestTiesToEven, &lost);
  return value.bitcastToAPInt().getZExtValue();
}

static double fromBits(const ElementKind &kind, uint64_t bits) {
  const llvm::fltSemantics &semantics =
      kind.kind == NumberKind::F64    ? APFloat::IEEEdouble()
      : kind.kind == NumberKind::F32  ? APFloat::IEEEsingle()
      : kind.kind == NumberKind::BF16 ? APFloat::BFloat()
                                      : APFloat::IEEEhalf();
  APFloat value(semantics, APInt(kind.width, bits));
  bool lost;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  return value.convertToDouble();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static Cell toCell(Attribute attr) {
  if (auto real = dyn_cast<FloatAttr>(attr)) {
    APFloat value = real.getValue();
    bool lost;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
    return Cell(value.convertToDouble());
  }
  return Cell(cast<IntegerAttr>(attr).getValue().getSExtValue());
}

static LogicalResult runConstant(Machine &m, const Instruction &i) {
  Attribute value = cast<arith::ConstantOp>(i.op).getValue();
  if (isa<FloatAttr, IntegerAttr>(value)) {
    m.set(i, 0, Datum(toCell(value)));
    return success();
  }
  auto elements = dyn_cast<DenseElementsAttr>(value);
  if (!elements || i.resultKinds[0].cells != 1)
    return m.fail(i.op, "a constant of a kind that the interpreter has not");
  if (i.memo) {
    m.set(i, 0, *static_cast<Datum *>(i.memo.get()));
    return success();
  }
  Datum result(elements.getType().getShape(), 1, Cell());
  for (auto [cell, attr] :
       llvm::zip_equal(result.write(), elements.getValues<Attribute>()))
    cell = toCell(attr);
  i.memo = std::make_shared<Datum>(result);
  m.set(i, 0, std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

#define SCALAR(NAME, ...)                                                      \
  handlers[NAME] = {runElementwise, +[]([[maybe_unused]] Machine &m,           \
                                        [[maybe_unused]] const Instruction &i, \
                                        [[maybe_unused]] const Cell *x,        \
                                        Cell *y) { __VA_ARGS__ }}
#define FLOAT(NAME, EXPR) SCALAR(NAME, y[0] = Cell(double(EXPR));)
#define INTEGER(NAME, EXPR) SCALAR(NAME, y[0] = Cell(int64_t(EXPR));)
#define A x[0].real
#define B x[1].real
#define C x[2].real
#define I x[0].integer
#define J x[1].integer
#define UI zeroExtend(i, 0, x[0])
#define UJ zeroExtend(i, 1, x[1])

static void addFloatHandlers(Handlers &handlers) {
  FLOAT("arith.addf", A + B);
  FLOAT("arith.subf", A - B);
  FLOAT("arith.mulf", A * B);
  FLOAT("arith.negf", -A);
  FLOAT("arith.extf", A);
  FLOAT("arith.truncf", A);
  FLOAT("arith.maximumf", extremum(m, A, B, true, true));
  FLOAT("arith.minimumf", extremum(m, A, B, false, true));
  FLOAT("arith.maxnumf", extremum(m, A, B, true, false));
  FLOAT("arith.minnumf", extremum(m, A, B, false, false));
  SCALAR("arith.divf", approach(m, B); y[0] = Cell(A / B););
  SCALAR("arith.remf", approach(m, B); approachInteger(m, A / B, 0);
         y[0] = Cell(std::fmod(A, B)););
  SCALAR("arith.cmpf", if (m.kinks()) m.kinks()->compare(A, B);
         y[0] = Cell(compareFloats(arith::CmpFPredicate(i.immediate), A, B)););
  SCALAR("arith.sitofp", y[0] = Cell(double(I)););
  SCALAR("arith.uitofp", y[0] = Cell(double(UI)););
  SCALAR("arith.fptosi", approachInteger(m, A, 0); y[0] = Cell(int64_t(A)););
  SCALAR("arith.fptoui", approachInteger(m, A, 0); y[0] = Cell(int64_t(A)););
  SCALAR("arith.bitcast", {
    const ElementKind &from = i.operandKinds[0], &to = i.resultKinds[0];
    // Numbers that are not rounded have no bits of their type.
    if (from.kind == to.kind && from.width == to.width) {
      y[0] = x[0];
      return;
    }
    uint64_t bits = from.isFloat() ? toBits(from, A) : uint64_t(I);
    if (to.isFloat())
      y[0] = Cell(fromBits(to, bits));
    else
      y[0] = Cell(int64_t(bits));
  });

  SCALAR("math.absf", if (m.kinks()) m.kinks()->compare(A, 0);
         y[0] = Cell(std::abs(A)););
  SCALAR("math.acosh", approach(m, A - 1); y[0] = Cell(std::acosh(A)););
  SCALAR("math.acos", approach(m, 1 - std::abs(A)); y[0] = Cell(std::acos(A)););
  SCALAR("math.asin", approach(m, 1 - std::abs(A)); y[0] = Cell(std::asin(A)););
  FLOAT("math.asinh", std::asinh(A));
  FLOAT("math.atan", std::atan(A));
  SCALAR("math.atanh", approach(m, 1 - std::abs(A));
         y[0] = Cell(std::atanh(A)););
  // The cut is the negative half of the second operand's axis.
  SCALAR("math.atan2", approach(m, B > 0 ? std::hypot(A, B) : A);
         y[0] = Cell(std::atan2(A, B)););
  SCALAR("math.cbrt", approach(m, A); y[0] = Cell(std::cbrt(A)););
  SCALAR("math.ceil", approachInteger(m, A, 0); y[0] = Cell(std::ceil(A)););
  SCALAR("math.floor", approachInteger(m, A, 0); y[0] = Cell(std::floor(A)););
  SCALAR("math.trunc", approachInteger(m, A, 0); y[0] = Cell(std::trunc(A)););
  SCALAR("math.round", approachInteger(m, A, 0.5); y[0] = Cell(std::round(A)););
  SCALAR("math.roundeven", approachInteger(m, A, 0.5);
         y[0] = Cell(roundEven(A)););
  FLOAT("math.clampf",
        extremum(m, extremum(m, A, B, true, true), C, false, true));
  SCALAR("math.copysign", approach(m, A); approach(m, B);
         if (m.kinks()) m.kinks()->decide(std::signbit(B));
         y[0] = Cell(std::copysign(A, B)););
  FLOAT("math.cos", std::cos(A));
  FLOAT("math.sin", std::sin(A));
  FLOAT("math.cosh", std::cosh(A));
  FLOAT("math.sinh", std::sinh(A));
  SCALAR("math.sincos", y[0] = Cell(std::sin(A)); y[1] = Cell(std::cos(A)););
  FLOAT("math.erf", std::erf(A));
  FLOAT("math.erfc", std::erfc(A));
  FLOAT("math.exp", std::exp(A));
  FLOAT("math.exp2", std::exp2(A));
  FLOAT("math.expm1", std::expm1(A));
  FLOAT("math.fma", std::fma(A, B, C));
  SCALAR("math.isfinite", y[0] = Cell(bool(std::isfinite(A))););
  SCALAR("math.isinf", y[0] = Cell(bool(std::isinf(A))););
  SCALAR("math.isnan", y[0] = Cell(bool(std::isnan(A))););
  SCALAR("math.isnormal", y[0] = Cell(bool(std::isnormal(A))););
  SCALAR("math.log", approach(m, A); y[0] = Cell(std::log(A)););
  SCALAR("math.log10", approach(m, A); y[0] = Cell(std::log10(A)););
  SCALAR("math.log1p", approach(m, 1 + A); y[0] = Cell(std::log1p(A)););
  SCALAR("math.log2", approach(m, A); y[0] = Cell(std::log2(A)););
  SCALAR("math.powf", approach(m, A); y[0] = Cell(std::pow(A, B)););
  SCALAR("math.fpowi", if (J < 0) approach(m, A);
         y[0] = Cell(std::pow(A, double(J))););
  SCALAR("math.rsqrt", approach(m, A); y[0] = Cell(1 / std::sqrt(A)););
  SCALAR("math.sqrt", approach(m, A); y[0] = Cell(std::sqrt(A)););
  SCALAR("math.tan", approach(m, std::cos(A)); y[0] = Cell(std::tan(A)););
  FLOAT("math.tanh", std::tanh(A));
}

static void addIntegerHandlers(Handlers &handlers) {
  INTEGER("arith.addi", uint64_t(I) + uint64_t(J));
  INTEGER("arith.subi", uint64_t(I) - uint64_t(J));
  INTEGER("arith.muli", uint64_t(I) * uint64_t(J));
  // Division by zero is undefined; zero keeps the interpreter alive.
  INTEGER("arith.divui", UJ ? UI / UJ : 0);
  INTEGER("arith.divsi", J == 0 ? 0 : J == -1 ? int64_t(-uint64_t(I)) : I / J);
  INTEGER("arith.remui", UJ ? UI % UJ : 0);
  INTEGER("arith.remsi", J == 0 || J == -1 ? 0 : I % J);
  INTEGER("arith.ceildivui", UJ ? UI / UJ + (UI % UJ != 0) : 0);
  INTEGER("arith.ceildivsi", J == 0 ? 0
                             : J == -1
                                 ? int64_t(-uint64_t(I))
                                 : I / J + (I % J != 0 && (I < 0) == (J < 0)));
  INTEGER("arith.floordivsi", J == 0 ? 0
                              : J == -1
                                  ? int64_t(-uint64_t(I))
                                  : I / J - (I % J != 0 && (I < 0) != (J < 0)));
  INTEGER("arith.andi", I & J);
  INTEGER("arith.ori", I | J);
  INTEGER("arith.xori", I ^ J);
  INTEGER("arith.shli", UJ < 64 ? uint64_t(I) << UJ : 0);
  INTEGER("arith.shrui", UJ < 64 ? UI >> UJ : 0);
  INTEGER("arith.shrsi", I >> std::min<uint64_t>(UJ, 63));
  INTEGER("arith.maxsi", std::max(I, J));
  INTEGER("arith.minsi", std::min(I, J));
  INTEGER("arith.maxui", UI > UJ ? I : J);
  INTEGER("arith.minui", UI < UJ ? I : J);
  INTEGER("arith.extsi", I);
  INTEGER("arith.extui", UI);
  INTEGER("arith.trunci", I);
  INTEGER("arith.index_cast", I);
  INTEGER("arith.index_castui", UI);
  SCALAR("arith.cmpi", y[0] = Cell(compareIntegers(
                           arith::CmpIPredicate(i.immediate), I, J, UI, UJ)););
  SCALAR("arith.addui_extended", {
    uint64_t sum = UI + UJ;
    unsigned width = i.operandKinds[0].width;
    y[0] = Cell(int64_t(sum));
    y[1] = Cell(width < 64 ? bool(sum >> width) : sum < UI);
  });
  SCALAR("arith.mului_extended", {
    unsigned __int128 product = (unsigned __int128)UI * UJ;
    y[0] = Cell(int64_t(uint64_t(product)));
    y[1] = Cell(int64_t(uint64_t(product >> i.operandKinds[0].width)));
  });
  SCALAR("arith.mulsi_extended", {
    __int128 product = (__int128)I * J;
    y[0] = Cell(int64_t(product));
    y[1] = Cell(int64_t(product >> i.operandKinds[0].width));
  });
  // The cells of both sides are copied whatever they are.
  SCALAR("arith.select", {
    unsigned cells = i.resultKinds[0].cells;
    for (unsigned c = 0; c < cells; ++c)
      y[c] = x[1 + (I ? 0 : cells) + c];
  });
  INTEGER("math.absi", I < 0 ? -uint64_t(I) : uint64_t(I));
  INTEGER("math.ctpop", llvm::popcount(UI));
  INTEGER("math.ctlz", llvm::countl_zero(UI) - 64 + i.operandKinds[0].width);
  INTEGER("math.cttz",
          std::min<int64_t>(llvm::countr_zero(UI), i.operandKinds[0].width));
  SCALAR("math.ipowi", {
    uint64_t power = 1;
    int64_t exponent = std::max<int64_t>(J, 0);
    for (uint64_t base = I; exponent; exponent >>= 1, base *= base)
      if (exponent & 1)
        power *= base;
    if (J < 0)
      power = I == 1 ? 1 : I == -1 ? (J % 2 ? -1 : 1) : 0;
    y[0] = Cell(int64_t(power));
  });
}

void mlir::memrev::testing::addScalarHandlers(Handlers &handlers) {
  handlers["arith.constant"] = {runConstant};
  addFloatHandlers(handlers);
  addIntegerHandlers(handlers);
}
