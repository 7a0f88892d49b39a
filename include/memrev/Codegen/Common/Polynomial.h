//===- Polynomial.h - Sizes as polynomials of extents --------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_POLYNOMIAL_H
#define MEMREV_CODEGEN_COMMON_POLYNOMIAL_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mlir::memrev {

/// A polynomial with coefficients of 64 bits. Its variables are symbols and
/// quotients and remainders of polynomials by constants, all of which are taken
/// not to be negative.
class Polynomial {
public:
  Polynomial() = default;
  Polynomial(int64_t constant) {
    if (constant != 0)
      coefficients[{}] = constant;
  }

  /// Reads `expression`, with `symbols`, if there are any, instead of its own;
  /// nothing if a coefficient would not fit 64 bits. (Upstream's arithmetic of
  /// expressions lets constants wrap around.)
  static std::optional<Polynomial> get(AffineExpr expression,
                                       ArrayRef<AffineExpr> symbols = {});
  AffineExpr toExpression(MLIRContext *context) const;

  /// Nothing if a coefficient would not fit.
  static std::optional<Polynomial> sum(const Polynomial &a,
                                       const Polynomial &b);
  static std::optional<Polynomial> product(const Polynomial &a,
                                           const Polynomial &b);

  /// A polynomial that is at least `a` and at least `b`: of each monomial it
  /// has the larger coefficient.
  static Polynomial getBound(const Polynomial &a, const Polynomial &b);

  /// True if this is `other` or more whatever the variables are.
  bool isAtLeast(const Polynomial &other) const;
  bool operator==(const Polynomial &other) const {
    return coefficients == other.coefficients;
  }

  /// The constant, if it is one.
  std::optional<int64_t> getConstant() const;

  /// Rounded up to a multiple of `alignment`.
  std::optional<Polynomial> alignTo(int64_t alignment,
                                    MLIRContext *context) const;

private:
  /// Variables in some fixed order, each as often as it is a factor.
  using Monomial = std::vector<AffineExpr>;
  struct Less {
    bool operator()(const Monomial &a, const Monomial &b) const;
  };

  [[nodiscard]] bool add(Monomial monomial, int64_t coefficient);

  /// No coefficient is 0.
  std::map<Monomial, int64_t, Less> coefficients;
};

/// `expression` with `symbols` instead of its own, as a polynomial is written;
/// null if a coefficient would not fit 64 bits.
AffineExpr substitute(AffineExpr expression, ArrayRef<AffineExpr> symbols);

/// The largest of some polynomials, of which it keeps those that may be it.
/// Where that would be more than a few, it becomes one that is larger than all.
class Maximum {
public:
  Maximum() = default;
  explicit Maximum(Polynomial polynomial) : terms{std::move(polynomial)} {}

  ArrayRef<Polynomial> getTerms() const { return terms; }
  void add(Polynomial polynomial);

  /// As the results of a map of symbols; 0 if there is nothing.
  AffineMap toMap(unsigned numSymbols, MLIRContext *context) const;

private:
  SmallVector<Polynomial> terms;
};

/// Writes `expression` with the names d0, d1, ... for symbols.
std::string printFormula(AffineExpr expression);
/// The same for the largest of the results of `maximum`.
std::string printFormula(AffineMap maximum);

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_POLYNOMIAL_H
