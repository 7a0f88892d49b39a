//===- ScalarEmitters.cpp - Random elementwise operations -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Generator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

namespace {

/// Where a function is defined, smooth and of moderate size.
enum class Domain {
  Any,
  /// Not larger than 2 or so.
  Small,
  /// Inside of (-1, 1).
  Unit,
  /// Above 0.4.
  Positive,
  /// Above 1.4.
  AboveOne,
};

struct Formula {
  const char *name;
  SmallVector<Domain, 3> domains;
  /// A bound of the result, given those of the operands.
  double (*bound)(ArrayRef<double>);
};

} // namespace

static double one(ArrayRef<double>) { return 1; }
static double same(ArrayRef<double> x) { return x[0]; }
static double sum(ArrayRef<double> x) { return x[0] + x[1]; }
static double product(ArrayRef<double> x) { return x[0] * x[1]; }
static double larger(ArrayRef<double> x) { return std::max(x[0], x[1]); }
static double next(ArrayRef<double> x) { return x[0] + 1; }
static double power(ArrayRef<double> x) { return std::exp(x[0]); }
static double few(ArrayRef<double>) { return 4; }

/// Every operation on floats with float results.
static ArrayRef<Formula> getFormulas() {
  static const Formula formulas[] = {
      {"arith.addf", {Domain::Any, Domain::Any}, sum},
      {"arith.subf", {Domain::Any, Domain::Any}, sum},
      {"arith.mulf", {Domain::Any, Domain::Any}, product},
      {"arith.divf",
       {Domain::Any, Domain::Positive},
       [](ArrayRef<double> x) { return 2.5 * x[0]; }},
      {"arith.negf", {Domain::Any}, same},
      {"arith.remf", {Domain::Any, Domain::Positive}, same},
      {"arith.maximumf", {Domain::Any, Domain::Any}, larger},
      {"arith.minimumf", {Domain::Any, Domain::Any}, larger},
      {"arith.maxnumf", {Domain::Any, Domain::Any}, larger},
      {"arith.minnumf", {Domain::Any, Domain::Any}, larger},
      {"math.absf", {Domain::Any}, same},
      {"math.acos", {Domain::Unit}, few},
      {"math.acosh", {Domain::AboveOne}, same},
      {"math.asin", {Domain::Unit}, few},
      {"math.asinh", {Domain::Any}, same},
      {"math.atan", {Domain::Any}, few},
      {"math.atan2", {Domain::Any, Domain::Positive}, few},
      {"math.atanh", {Domain::Unit}, few},
      {"math.cbrt", {Domain::Positive}, next},
      {"math.ceil", {Domain::Any}, next},
      {"math.clampf", {Domain::Any, Domain::Unit, Domain::Positive}, few},
      {"math.copysign", {Domain::Any, Domain::Any}, same},
      {"math.cos", {Domain::Any}, one},
      {"math.cosh", {Domain::Small}, power},
      {"math.erf", {Domain::Any}, one},
      {"math.erfc", {Domain::Any}, few},
      {"math.exp", {Domain::Small}, power},
      {"math.exp2", {Domain::Small}, power},
      {"math.expm1", {Domain::Small}, power},
      {"math.floor", {Domain::Any}, next},
      {"math.fma",
       {Domain::Any, Domain::Any, Domain::Any},
       [](ArrayRef<double> x) { return x[0] * x[1] + x[2]; }},
      {"math.log", {Domain::Positive}, next},
      {"math.log10", {Domain::Positive}, next},
      {"math.log1p", {Domain::Positive}, next},
      {"math.log2",
       {Domain::Positive},
       [](ArrayRef<double> x) { return 1.5 * x[0] + 1; }},
      {"math.powf",
       {Domain::Positive, Domain::Small},
       [](ArrayRef<double> x) { return std::pow(std::max(x[0], 2.5), x[1]); }},
      {"math.round", {Domain::Any}, next},
      {"math.roundeven", {Domain::Any}, next},
      {"math.rsqrt", {Domain::Positive}, few},
      {"math.sin", {Domain::Any}, one},
      {"math.sinh", {Domain::Small}, power},
      {"math.sqrt", {Domain::Positive}, next},
      {"math.tan", {Domain::Unit}, few},
      {"math.tanh", {Domain::Any}, one},
      {"math.trunc", {Domain::Any}, next},
  };
  return formulas;
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

static Value unary(Generator &g, StringRef name, Value x) {
  return g.op(name, x, x.getType());
}

static Value binary(Generator &g, StringRef name, Value x, Value y) {
  return g.op(name, {x, y}, x.getType());
}

static Known shifted(Generator &g, Known x, double factor, double offset) {
  Value scaled =
      binary(g, "arith.mulf", x.value, g.constantLike(x.value, factor));
  x.value = binary(g, "arith.addf", scaled, g.constantLike(x.value, offset));
  x.bound = x.bound * std::abs(factor) + std::abs(offset);
  return x;
}

/// A function of `x` with values in `domain`.
static Known into(Generator &g, Known x, Domain domain) {
  switch (domain) {
  case Domain::Any:
    return x;
  case Domain::Small:
    return g.limit(x, 2);
  case Domain::Unit:
    x.value = unary(g, g.rng.chance(0.5) ? "math.tanh" : "math.sin", x.value);
    x.bound = 1;
    return shifted(g, x, g.rng.uniform(0.3, 0.8), 0);
  case Domain::Positive:
    x = g.limit(x, 2);
    if (g.rng.chance(0.4)) {
      x.value = unary(g, "math.absf", x.value);
    } else {
      x.value = binary(g, "arith.mulf", x.value, x.value);
      x.bound *= x.bound;
    }
    return shifted(g, x, 1, 0.5);
  case Domain::AboveOne:
    x = g.limit(x, 2);
    x.value = binary(g, "arith.mulf", x.value, x.value);
    x.bound *= x.bound;
    return shifted(g, x, 1, 1.5);
  }
  return x;
}

/// Compares `x` with another value or a constant.
static Value compare(Generator &g, const Known &x, const Known &y) {
  if (g.rng.chance(0.1)) {
    Type bit = g.b.getI1Type();
    if (auto tensor = dyn_cast<RankedTensorType>(x.value.getType()))
      bit = tensor.clone(bit);
    StringRef name = g.rng.pick<StringRef>(
        {"math.isfinite", "math.isinf", "math.isnan", "math.isnormal"});
    return g.op(name, x.value, bit);
  }
  static const arith::CmpFPredicate predicates[] = {
      arith::CmpFPredicate::OGT, arith::CmpFPredicate::OGE,
      arith::CmpFPredicate::OLT, arith::CmpFPredicate::OLE,
      arith::CmpFPredicate::UGT, arith::CmpFPredicate::ULE,
      arith::CmpFPredicate::UNE};
  Value other = g.rng.chance(0.5)
                    ? y.value
                    : g.constantLike(x.value, g.rng.uniform(-0.5, 0.5));
  return arith::CmpFOp::create(
      g.b, g.rng.pick<arith::CmpFPredicate>(predicates), x.value, other);
}

/// One operation of `get`'s values, all of one type, with its bound.
static Known apply(Generator &g, function_ref<Known()> get) {
  int64_t count = int64_t(getFormulas().size());
  int64_t choice = g.rng.range(0, count + 4);
  if (choice < count) {
    const Formula &formula = getFormulas()[choice];
    SmallVector<Value> operands;
    SmallVector<double> bounds;
    Known result;
    for (Domain domain : formula.domains) {
      result = into(g, get(), domain);
      operands.push_back(result.value);
      bounds.push_back(result.bound);
    }
    result.value = g.op(formula.name, operands, result.value.getType());
    result.bound = formula.bound(bounds);
    return result;
  }
  Known x = get();
  if (choice <= count + 1) {
    Known y = get(), z = get();
    Value condition = compare(g, x, z);
    x.value = arith::SelectOp::create(g.b, condition, x.value, y.value);
    x.bound = std::max(x.bound, y.bound);
    return x;
  }
  if (choice == count + 2) {
    auto sincos = math::SincosOp::create(g.b, x.value);
    x.value = binary(g, "arith.addf", sincos.getSin(), sincos.getCos());
    x.bound = 2;
    return x;
  }
  if (choice == count + 3) {
    int64_t exponent = g.rng.range(-2, 3);
    x = exponent < 0 ? into(g, x, Domain::Positive) : g.limit(x, 1.5);
    Type type = g.b.getI32Type();
    if (auto tensor = dyn_cast<RankedTensorType>(x.value.getType())) {
      // Only static types have a constant.
      if (!tensor.hasStaticShape())
        return x;
      type = tensor.clone(type);
    }
    TypedAttr attr = g.b.getI32IntegerAttr(exponent);
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      attr = DenseElementsAttr::get(tensor, Attribute(attr));
    Value power = arith::ConstantOp::create(g.b, attr);
    x.value = math::FPowIOp::create(g.b, x.value, power);
    x.bound = exponent < 0 ? 8 : std::pow(x.bound, exponent);
    return x;
  }
  // Through another type: the middle has no derivative.
  if (g.rng.chance(0.3)) {
    Type type = g.b.getI32Type();
    if (auto tensor = dyn_cast<RankedTensorType>(x.value.getType()))
      type = tensor.clone(type);
    bool isSigned = g.rng.chance(0.7);
    if (!isSigned)
      x = into(g, x, Domain::Positive);
    Value integer =
        g.op(isSigned ? "arith.fptosi" : "arith.fptoui", x.value, type);
    Value back = g.op(isSigned ? "arith.sitofp" : "arith.uitofp", integer,
                      x.value.getType());
    Known y = get();
    x.value = binary(g, "arith.mulf", back, y.value);
    x.bound = x.bound * y.bound;
    return x;
  }
  Type type = x.value.getType(), element = getElementTypeOrSelf(type);
  bool widens = !element.isF64() && g.rng.chance(0.7);
  Type other = widens            ? g.b.getF64Type()
               : element.isF64() ? Type(g.b.getF32Type())
               : element.isF32() ? Type(g.b.getBF16Type())
                                 : Type();
  if (!other)
    return x;
  Type otherType = other;
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    otherType = tensor.clone(other);
  Value cast = g.op(widens ? "arith.extf" : "arith.truncf", x.value, otherType);
  Value tanh = unary(g, "math.tanh", cast);
  x.value = g.op(widens ? "arith.truncf" : "arith.extf", tanh, type);
  x.bound = 1;
  return x;
}

Known Generator::expression(ArrayRef<Known> operands, unsigned size) {
  SmallVector<Known> terms(operands);
  for (unsigned n = 0; n < size; ++n) {
    Known term = apply(*this, [&] {
      int64_t last = int64_t(terms.size()) - 1;
      return terms[std::max(rng.range(0, last), rng.range(0, last))];
    });
    terms.push_back(limit(term, 4));
  }
  return terms.back();
}

//===----------------------------------------------------------------------===//
// Emitters
//===----------------------------------------------------------------------===//

static bool emitScalar(Generator &g) {
  Known result = apply(g, [&] { return g.pick(/*isTensor=*/false); });
  g.add(result.value, {}, result.bound);
  return true;
}

static bool emitTensor(Generator &g) {
  Known first = g.pick(/*isTensor=*/true);
  bool isFirst = true;
  Known result = apply(g, [&] {
    if (std::exchange(isFirst, false) || g.rng.chance(0.2))
      return first;
    Known other = g.pickShape(first.shape);
    other.value = g.castTo(other, first.value.getType());
    return other;
  });
  g.add(result.value, first.shape, result.bound);
  return true;
}

/// Real numbers to complex ones and back.
static bool emitComplex(Generator &g) {
  auto type = ComplexType::get(g.elementType);
  auto makeNumber = [&](double shift) -> Value {
    Known re = g.limit(g.pick(/*isTensor=*/false), 1);
    Known im = g.limit(g.pick(/*isTensor=*/false), 1);
    Value z = complex::CreateOp::create(g.b, type, re.value, im.value);
    if (shift == 0)
      return z;
    Value constant = complex::ConstantOp::create(
        g.b, type,
        g.b.getArrayAttr({g.b.getFloatAttr(g.elementType, shift),
                          g.b.getFloatAttr(g.elementType, 0)}));
    return complex::AddOp::create(g.b, z, constant);
  };
  static const char *const whole[] = {"exp",  "expm1", "sin", "cos", "neg",
                                      "conj", "tanh",  "tan", "conj"};
  // Far from zero and from where they jump.
  static const char *const right[] = {"log", "log1p", "sqrt", "rsqrt"};
  auto apply = [&](StringRef name, Value z) {
    return g.op(("complex." + name).str(), z, type);
  };
  Value z = g.rng.chance(0.5)
                ? apply(g.rng.pick<const char *>(whole), makeNumber(0))
                : apply(g.rng.pick<const char *>(right), makeNumber(3));
  Value other = makeNumber(g.rng.chance(0.5) ? 3 : 0);
  switch (g.rng.range(0, 4)) {
  case 0:
    z = complex::AddOp::create(g.b, z, other);
    break;
  case 1:
    z = complex::SubOp::create(g.b, other, z);
    break;
  case 2:
    z = complex::MulOp::create(g.b, z, other);
    break;
  case 3:
    z = complex::DivOp::create(g.b, z, makeNumber(3));
    break;
  default:
    break;
  }
  StringRef part = g.rng.pick<StringRef>({"re", "im", "abs", "angle"});
  g.add(g.op(("complex." + part).str(), z, g.elementType), {}, 20);
  return true;
}

/// A select of whole tensors by a scalar condition.
static bool emitSelect(Generator &g) {
  Known x = g.pick(/*isTensor=*/true), y = g.pickShape(x.shape);
  Known a = g.pick(/*isTensor=*/false), c = g.pick(/*isTensor=*/false);
  Value condition = compare(g, a, c);
  Value result = arith::SelectOp::create(g.b, condition, x.value,
                                         g.castTo(y, x.value.getType()));
  g.add(result, x.shape, std::max(x.bound, y.bound));
  return true;
}

ArrayRef<EmitterEntry> mlir::memrev::testing::getScalarEmitters() {
  static const EmitterEntry emitters[] = {
      {"scalar", "scalar", 2, emitScalar},
      {"complex", "complex", 0.5, emitComplex},
      {"elementwise", "tensor", 3, emitTensor},
      {"elementwise", "select", 0.3, emitSelect},
  };
  return emitters;
}
