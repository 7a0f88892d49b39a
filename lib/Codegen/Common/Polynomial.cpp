//===- Polynomial.cpp - Sizes as polynomials of extents -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/Polynomial.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::memrev;

/// A total order of variables that does not depend on where they lie in memory.
static int compare(AffineExpr a, AffineExpr b) {
  if (a == b)
    return 0;
  if (a.getKind() != b.getKind())
    // Symbols first.
    return b.getKind() < a.getKind() ? -1 : 1;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(a))
    return symbol.getPosition() < cast<AffineSymbolExpr>(b).getPosition() ? -1
                                                                          : 1;
  if (auto constant = dyn_cast<AffineConstantExpr>(a))
    return constant.getValue() < cast<AffineConstantExpr>(b).getValue() ? -1
                                                                        : 1;
  auto binary = cast<AffineBinaryOpExpr>(a);
  auto other = cast<AffineBinaryOpExpr>(b);
  if (int order = compare(binary.getLHS(), other.getLHS()))
    return order;
  return compare(binary.getRHS(), other.getRHS());
}

bool Polynomial::Less::operator()(const Monomial &a, const Monomial &b) const {
  // Of more factors first, as polynomials are written.
  if (a.size() != b.size())
    return a.size() > b.size();
  for (auto [x, y] : llvm::zip_equal(a, b)) {
    if (int order = compare(x, y))
      return order < 0;
  }
  return false;
}

bool Polynomial::add(Monomial monomial, int64_t coefficient) {
  llvm::sort(monomial,
             [](AffineExpr a, AffineExpr b) { return compare(a, b) < 0; });
  int64_t &known = coefficients[monomial];
  if (llvm::AddOverflow(known, coefficient, known))
    return false;
  if (known == 0)
    coefficients.erase(monomial);
  return true;
}

std::optional<Polynomial> Polynomial::sum(const Polynomial &a,
                                          const Polynomial &b) {
  Polynomial result = a;
  for (const auto &[monomial, coefficient] : b.coefficients) {
    if (!result.add(monomial, coefficient))
      return std::nullopt;
  }
  return result;
}

std::optional<Polynomial> Polynomial::product(const Polynomial &a,
                                              const Polynomial &b) {
  Polynomial result;
  for (const auto &[x, p] : a.coefficients) {
    for (const auto &[y, q] : b.coefficients) {
      Monomial monomial = x;
      llvm::append_range(monomial, y);
      int64_t coefficient = 0;
      if (llvm::MulOverflow(p, q, coefficient) ||
          !result.add(std::move(monomial), coefficient))
        return std::nullopt;
    }
  }
  return result;
}

std::optional<Polynomial> Polynomial::get(AffineExpr expression,
                                          ArrayRef<AffineExpr> symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expression))
    return Polynomial(constant.getValue());
  Polynomial variable;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression);
      symbol && !symbols.empty())
    return get(symbols[symbol.getPosition()]);
  if (!binary) {
    (void)variable.add({expression}, 1);
    return variable;
  }
  std::optional<Polynomial> left = get(binary.getLHS(), symbols);
  std::optional<Polynomial> right = get(binary.getRHS(), symbols);
  if (!left || !right)
    return std::nullopt;
  switch (expression.getKind()) {
  case AffineExprKind::Add:
    return sum(*left, *right);
  case AffineExprKind::Mul:
    return product(*left, *right);
  default:
    break;
  }
  // Equal polynomials below make one variable.
  MLIRContext *context = expression.getContext();
  AffineExpr made =
      getAffineBinaryOpExpr(expression.getKind(), left->toExpression(context),
                            right->toExpression(context));
  if (auto constant = dyn_cast<AffineConstantExpr>(made))
    return Polynomial(constant.getValue());
  if (made.getKind() == AffineExprKind::Add ||
      made.getKind() == AffineExprKind::Mul)
    return get(made);
  (void)variable.add({made}, 1);
  return variable;
}

AffineExpr Polynomial::toExpression(MLIRContext *context) const {
  AffineExpr result;
  for (const auto &[monomial, coefficient] : coefficients) {
    AffineExpr term;
    for (AffineExpr variable : monomial)
      term = term ? term * variable : variable;
    term =
        term ? term * coefficient : getAffineConstantExpr(coefficient, context);
    result = result ? result + term : term;
  }
  return result ? result : getAffineConstantExpr(0, context);
}

bool Polynomial::isAtLeast(const Polynomial &other) const {
  for (const auto &[monomial, coefficient] : coefficients) {
    if (coefficient < 0 && other.coefficients.count(monomial) == 0)
      return false;
  }
  return llvm::all_of(other.coefficients, [&](const auto &term) {
    auto found = coefficients.find(term.first);
    return term.second <= (found == coefficients.end() ? 0 : found->second);
  });
}

Polynomial Polynomial::getBound(const Polynomial &a, const Polynomial &b) {
  Polynomial bound;
  for (const Polynomial *from : {&a, &b}) {
    const Polynomial &other = from == &a ? b : a;
    for (const auto &[monomial, coefficient] : from->coefficients) {
      auto found = other.coefficients.find(monomial);
      int64_t most = std::max(
          coefficient, found == other.coefficients.end() ? 0 : found->second);
      if (most != 0)
        bound.coefficients[monomial] = most;
    }
  }
  return bound;
}

std::optional<int64_t> Polynomial::getConstant() const {
  if (coefficients.empty())
    return 0;
  const auto &[monomial, coefficient] = *coefficients.begin();
  if (coefficients.size() == 1 && monomial.empty())
    return coefficient;
  return std::nullopt;
}

std::optional<Polynomial> Polynomial::alignTo(int64_t alignment,
                                              MLIRContext *context) const {
  Polynomial aligned, rest;
  for (const auto &[monomial, coefficient] : coefficients) {
    if (!(coefficient % alignment == 0 ? aligned : rest)
             .add(monomial, coefficient))
      return std::nullopt;
  }
  std::optional<Polynomial> quotient =
      get(rest.toExpression(context).ceilDiv(alignment));
  if (!quotient)
    return std::nullopt;
  std::optional<Polynomial> rounded = product(*quotient, alignment);
  return rounded ? sum(aligned, *rounded) : std::nullopt;
}

AffineExpr mlir::memrev::substitute(AffineExpr expression,
                                    ArrayRef<AffineExpr> symbols) {
  std::optional<Polynomial> polynomial = Polynomial::get(expression, symbols);
  return polynomial ? polynomial->toExpression(expression.getContext())
                    : AffineExpr();
}

void Maximum::add(Polynomial polynomial) {
  constexpr size_t kFew = 8;
  if (llvm::any_of(terms, [&](const Polynomial &known) {
        return known.isAtLeast(polynomial);
      }))
    return;
  llvm::erase_if(terms, [&](const Polynomial &known) {
    return polynomial.isAtLeast(known);
  });
  terms.push_back(std::move(polynomial));
  if (terms.size() <= kFew)
    return;
  Polynomial bound = terms.front();
  for (const Polynomial &other : llvm::drop_begin(terms))
    bound = Polynomial::getBound(bound, other);
  terms = {std::move(bound)};
}

AffineMap Maximum::toMap(unsigned numSymbols, MLIRContext *context) const {
  SmallVector<AffineExpr> results;
  for (const Polynomial &term : terms)
    results.push_back(term.toExpression(context));
  if (results.empty())
    results.push_back(getAffineConstantExpr(0, context));
  return AffineMap::get(0, numSymbols, results, context);
}

static void print(llvm::raw_ostream &os, AffineExpr expression, bool isFactor) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expression)) {
    os << constant.getValue();
    return;
  }
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression)) {
    os << 'd' << symbol.getPosition();
    return;
  }
  auto binary = cast<AffineBinaryOpExpr>(expression);
  AffineExpr left = binary.getLHS(), right = binary.getRHS();
  switch (expression.getKind()) {
  case AffineExprKind::Add: {
    if (isFactor)
      os << '(';
    print(os, left, /*isFactor=*/false);
    auto constant = dyn_cast<AffineConstantExpr>(right);
    if (constant && constant.getValue() < 0 &&
        constant.getValue() != std::numeric_limits<int64_t>::min()) {
      os << " - " << -constant.getValue();
    } else {
      os << " + ";
      print(os, right, /*isFactor=*/false);
    }
    if (isFactor)
      os << ')';
    return;
  }
  case AffineExprKind::Mul:
    // Numbers first.
    if (isa<AffineConstantExpr>(right))
      std::swap(left, right);
    print(os, left, /*isFactor=*/true);
    os << '*';
    print(os, right, /*isFactor=*/true);
    return;
  default:
    break;
  }
  StringRef name = expression.getKind() == AffineExprKind::Mod ? "mod"
                   : expression.getKind() == AffineExprKind::CeilDiv
                       ? "ceildiv"
                       : "floordiv";
  os << name << '(';
  print(os, left, /*isFactor=*/false);
  os << ", ";
  print(os, right, /*isFactor=*/false);
  os << ')';
}

std::string mlir::memrev::printFormula(AffineExpr expression) {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(os, expression, /*isFactor=*/false);
  return text;
}

std::string mlir::memrev::printFormula(AffineMap maximum) {
  if (maximum.getNumResults() == 1)
    return printFormula(maximum.getResult(0));
  std::string text = "max(";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(maximum.getResults(), os,
                        [&](AffineExpr result) { os << printFormula(result); });
  os << ')';
  return text;
}
