//===- Checker.h - The checks of one program ------------------ -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the files of the checks share. Which checks there are is Checks.cpp's to
// say; how first derivatives are compared is in FirstOrderChecks.cpp, and
// second ones, the split form and machine code in FormChecks.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_TEST_LIB_FUZZ_CHECKER_H
#define MEMREV_TEST_LIB_FUZZ_CHECKER_H

#include "Checks.h"
#include "Derivatives.h"
#include "Points.h"
#include "Random.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlir::memrev::testing {

//===----------------------------------------------------------------------===//
// Tolerances
//===----------------------------------------------------------------------===//

/// What double precision leaves of two ways to compute the same, relative to
/// the largest number.
inline constexpr double kRounding = 1e-12;
/// How much larger an error may be than a perturbation of the arguments by
/// rounding shows.
inline constexpr double kConditioning = 100;
/// The nearest kink relative to the longest step of a difference.
inline constexpr double kMargin = 1e-3;
/// Differences agree to this, relative to the sum of the terms' magnitudes, and
/// to what two steps of different lengths differ by.
inline constexpr double kDifference = 1e-7;
inline constexpr double kStep = 1e-3;

/// The checks of one program at one point.
class Checker {
public:
  Checker(ModuleOp program, uint64_t seed, const CheckOptions &options,
          CheckCounts &counts)
      : program(program), signature(program), seed(seed), rng(seed ^ 0x5eed),
        options(options), counts(counts) {}

  std::optional<Finding> run();

private:
  bool choosePoint();
  /// Evaluates `function` of `derived`. Records a finding if it fails.
  std::optional<Values> call(DerivedModule &derived, StringRef function,
                             const Values &arguments);
  /// Derives, or counts what is not supported.
  std::optional<DerivedModule> tryDerive(ArrayRef<Derived> derived);
  void countUnsupported(const std::string &what, const std::string &error);

  /// `x + factor v` for the arguments in `wrt`.
  Values move(const Values &x, double factor, const Values &v) const;
  Values join(const Values &a, const Values &b) const;
  Values takeOf(const Values &results) const;

  std::optional<double> phi(double h);
  void checkLowering();
  void checkReverse();
  void checkDifferences();
  void checkTaylor();
  void checkForward();
  void checkValueAndGrad();
  void checkSecondOrder();
  void checkSplit();
  void checkNative();

  void fail(StringRef check, const Twine &details) {
    if (!finding)
      finding = Finding{check.str(), details.str()};
  }
  /// Fails unless `error` is at most `tolerance`.
  void expect(StringRef check, double error, double tolerance,
              const Twine &what) {
    ++counts.passed[check.str()];
    if (!(error <= tolerance))
      fail(check, what + llvm::formatv(": error {0:e}, tolerance {1:e}", error,
                                       tolerance)
                             .str());
  }

  ModuleOp program;
  Signature signature;
  uint64_t seed;
  Random rng;
  const CheckOptions &options;
  CheckCounts &counts;
  std::optional<Finding> finding;

  DerivedModule function;
  std::unique_ptr<Interpreter> interpreter;
  /// The arguments, a direction of those in `wrt`, weights of the results in
  /// `of`, and the results.
  Values point, direction, weights, results;
  /// The point with its last bits changed.
  Values perturbed;
  double largestValue = 0;
  uint64_t decisions = 0;
  /// The unit of the last place of the shortest type: constants in derivatives
  /// are rounded to their types, even where values are not.
  double unit = 0;

  std::optional<DerivedModule> reverse;
  Values gradient;
  /// How much changing the last bits of the point changes the gradient.
  double sensitivity = 0;
};

} // namespace mlir::memrev::testing

#endif // MEMREV_TEST_LIB_FUZZ_CHECKER_H
