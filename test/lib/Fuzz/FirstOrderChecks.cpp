//===- FirstOrderChecks.cpp - Checks gradients and tangents ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

void Checker::checkReverse() {
  reverse = tryDerive({Derived::VjpStore});
  if (!reverse)
    return;
  StringRef store = getName(Derived::VjpStore);
  std::optional<Values> stored = call(*reverse, store, join(point, weights));
  std::optional<Values> near = call(*reverse, store, join(perturbed, weights));
  if (!stored || !near)
    return;
  gradient = *stored;
  sensitivity = difference(gradient, *near);
  for (auto [n, argument] : llvm::enumerate(signature.wrt))
    if (gradient[n].getShape() != point[argument].getShape()) {
      fail("gradient-shape", "gradient " + Twine(n));
      return;
    }
  ++counts.passed["gradient-finite"];
  if (!std::isfinite(largest(gradient))) {
    fail("gradient-finite", "a gradient of a smooth point is not finite");
    return;
  }

  // The gradient is linear in the cotangent.
  Values other = sampleLike(weights, rng);
  Values both = axpy(weights, 0.5, other);
  std::optional<Values> g1 = call(*reverse, store, join(point, other));
  std::optional<Values> g2 = call(*reverse, store, join(point, both));
  if (!g1 || !g2)
    return;
  expect("vjp-linear", difference(*g2, axpy(gradient, 0.5, *g1)),
         kRounding * (largest(gradient) + largest(*g1) + largestValue) +
             kConditioning * sensitivity,
         "J^T (w + u / 2) against J^T w + J^T u / 2");

  std::optional<DerivedModule> invert = tryDerive({Derived::VjpInvert});
  if (!invert)
    return;
  std::optional<Values> inverted =
      call(*invert, getName(Derived::VjpInvert), join(point, weights));
  if (!inverted)
    return;
  expect("store-invert", difference(gradient, *inverted),
         kRounding * (largest(gradient) + largestValue) +
             kConditioning * sensitivity,
         "policy(store) against policy(invert)");
}

void Checker::checkDifferences() {
  auto quotient = [&](double h) -> std::optional<double> {
    std::optional<double> a = phi(h), b = phi(-h), c = phi(2 * h),
                          d = phi(-2 * h);
    if (!a || !b || !c || !d)
      return std::nullopt;
    return (8 * (*a - *b) - (*c - *d)) / (12 * h);
  };
  double size;
  double analytic = dot(gradient, direction, &size);
  std::optional<double> coarse = quotient(kStep / 2),
                        fine = quotient(kStep / 4);
  if (!coarse || !fine)
    return;
  double valueSize;
  (void)dot(weights, takeOf(results), &valueSize);
  double scale = size + std::abs(*fine);
  double rounding = 1e-15 * (valueSize + largestValue) / kStep * 50;
  double curvature = std::abs(*coarse - *fine);
  // Steps that disagree with each other say nothing.
  if (curvature > 1e-4 * scale + 100 * rounding) {
    ++counts.passed["differences-inconclusive"];
    return;
  }
  double tolerance =
      (kDifference + 16 * unit) * scale + 4 * curvature + rounding;
  expect("differences", std::abs(*fine - analytic), tolerance,
         llvm::formatv("difference {0:e} against gradient {1:e}", *fine,
                       analytic));
  if (options.self && std::abs(*fine) > 10 * tolerance) {
    ++counts.passed["differences-notice"];
    if (std::abs(*fine) <= tolerance)
      fail("differences-notice", "a zero gradient passes");
  }
}

/// The slope of the remainder |phi(h) - phi(0) - h <g, v>| between two steps;
/// none if rounding rules it.
static std::optional<double> getSlope(double coarse, double fine,
                                      double rounding) {
  if (fine <= 1000 * rounding || coarse <= 1000 * rounding)
    return std::nullopt;
  return std::log2(coarse / fine);
}

void Checker::checkTaylor() {
  if (unit != 0)
    return;
  double valueSize;
  double start = dot(weights, takeOf(results), &valueSize);
  // What rounding does to a value, by how much the last bits of the point
  // change it.
  Interpreter::Options runOptions;
  runOptions.round = false;
  FailureOr<SmallVector<Datum>> near =
      interpreter->call("f", perturbed, runOptions);
  if (failed(near)) {
    fail("run-f", interpreter->getError());
    return;
  }
  double rounding = 2e-16 * (valueSize + largestValue) +
                    std::abs(dot(weights, takeOf(*near)) - start);
  double size;
  double analytic = dot(gradient, direction, &size);
  auto remainder = [&](double h, double slope) -> std::optional<double> {
    std::optional<double> value = phi(h);
    if (!value)
      return std::nullopt;
    return std::abs(*value - start - h * slope);
  };
  // The last slope that rounding does not rule, if it has settled: over longer
  // steps, higher derivatives bend it. That of a wrong gradient settles at 1.
  auto lastSlope = [&](double g) -> std::optional<double> {
    SmallVector<double> slopes;
    std::optional<double> previous;
    for (double h = kStep; h > 1e-7; h /= 2) {
      std::optional<double> r = remainder(h, g);
      if (!r)
        return std::nullopt;
      // A remainder this small leaves no room for a wrong gradient, whatever
      // the slope: the function is all but linear.
      if (previous && *r > 1e-6 * h * size)
        if (std::optional<double> slope = getSlope(*previous, *r, rounding))
          slopes.push_back(*slope);
      previous = r;
    }
    if (slopes.size() < 2 ||
        std::abs(slopes.back() - slopes[slopes.size() - 2]) > 0.02)
      return std::nullopt;
    return slopes.back();
  };
  if (std::optional<double> slope = lastSlope(analytic)) {
    ++counts.slopes;
    counts.leastSlope = std::min(counts.leastSlope, *slope);
    counts.largestSlope = std::max(counts.largestSlope, *slope);
    expect("taylor", -*slope, -1.9,
           llvm::formatv("the remainder's slope is {0:f}", *slope));
  }
  // A zero gradient leaves a slope of 1.
  if (options.self && std::abs(analytic) > 1e-3 * (1 + largestValue))
    if (std::optional<double> slope = lastSlope(0)) {
      ++counts.passed["taylor-notices"];
      if (*slope >= 1.9)
        fail("taylor-notices", "a zero gradient passes");
    }
}

void Checker::checkForward() {
  std::optional<DerivedModule> forward = tryDerive({Derived::Jvp});
  if (!forward)
    return;
  StringRef jvp = getName(Derived::Jvp);
  std::optional<Values> all = call(*forward, jvp, join(point, direction));
  if (!all)
    return;
  Values values(all->begin(), all->begin() + results.size());
  Values tangents(all->begin() + results.size(), all->end());
  ++counts.passed["jvp-primal"];
  if (!isSame(values, results)) {
    fail("jvp-primal", "the results of jvp are not those of f");
    return;
  }
  ++counts.passed["tangent-finite"];
  if (!std::isfinite(largest(tangents))) {
    fail("tangent-finite", "a tangent of a smooth point is not finite");
    return;
  }
  std::optional<Values> near = call(*forward, jvp, join(perturbed, direction));
  Values other = sampleLike(direction, rng);
  std::optional<Values> second = call(*forward, jvp, join(point, other));
  std::optional<Values> both =
      call(*forward, jvp, join(point, axpy(direction, 0.5, other)));
  if (!near || !second || !both)
    return;
  Values nearTangents(near->begin() + results.size(), near->end());
  double spread = difference(tangents, nearTangents);
  Values secondTangents(second->begin() + results.size(), second->end());
  Values sum(both->begin() + results.size(), both->end());
  expect("jvp-linear", difference(sum, axpy(tangents, 0.5, secondTangents)),
         kRounding *
                 (largest(tangents) + largest(secondTangents) + largestValue) +
             kConditioning * spread,
         "J (v + u / 2) against J v + J u / 2");

  double forwardSize, valueSize;
  double fromForward = dot(weights, tangents, &forwardSize);
  (void)dot(weights, takeOf(results), &valueSize);
  if (!gradient.empty()) {
    double reverseSize;
    double fromReverse = dot(gradient, direction, &reverseSize);
    double elements = 0;
    for (const Datum &datum : gradient)
      elements += double(datum.getNumElements());
    expect("dot-product", std::abs(fromForward - fromReverse),
           kRounding * (forwardSize + reverseSize + largestValue) +
               kConditioning * (sensitivity * elements + spread),
           llvm::formatv("<w, J v> = {0:e} against <J^T w, v> = {1:e}",
                         fromForward, fromReverse));
    return;
  }
  // Without a gradient, differences check the tangent.
  std::optional<double> a = phi(kStep / 2), b = phi(-kStep / 2),
                        c = phi(kStep / 4), d = phi(-kStep / 4);
  if (!a || !b || !c || !d)
    return;
  double coarse = (*a - *b) / kStep, fine = 2 * (*c - *d) / kStep;
  double extrapolated = (4 * fine - coarse) / 3;
  double curvature = std::abs(coarse - fine);
  double scale = forwardSize + std::abs(fine);
  double rounding = 1e-15 * (valueSize + largestValue) / kStep * 50;
  if (curvature < 1e-4 * scale + 100 * rounding)
    expect("jvp-differences", std::abs(extrapolated - fromForward),
           (kDifference + 16 * unit) * scale + curvature + rounding,
           llvm::formatv("difference {0:e} against <w, J v> = {1:e}",
                         extrapolated, fromForward));
}

void Checker::checkValueAndGrad() {
  Type first = signature.func.getResultTypes().front();
  bool isScalar =
      isa<FloatType>(first) || (isa<RankedTensorType>(first) &&
                                cast<RankedTensorType>(first).getRank() == 0 &&
                                isa<FloatType>(getElementTypeOrSelf(first)));
  if (!isScalar || gradient.empty() || !llvm::is_contained(signature.of, 0))
    return;
  std::optional<DerivedModule> derived = tryDerive({Derived::ValueAndGrad});
  if (!derived)
    return;
  std::optional<Values> all =
      call(*derived, getName(Derived::ValueAndGrad), point);
  if (!all)
    return;
  Values values(all->begin(), all->begin() + results.size());
  Values gradients(all->begin() + results.size(), all->end());
  ++counts.passed["value-and-grad-primal"];
  if (!isSame(values, results)) {
    fail("value-and-grad-primal", "the results are not those of f");
    return;
  }
  // The same as a cotangent of 1 for the first result and of 0 for the others.
  Values ones = weights;
  for (auto [n, weight] : llvm::enumerate(ones))
    for (Cell &cell : weight.write())
      cell.real = signature.of[n] == 0 ? 1 : 0;
  std::optional<Values> expected =
      call(*reverse, getName(Derived::VjpStore), join(point, ones));
  if (expected)
    expect("value-and-grad", difference(gradients, *expected),
           kRounding * (largest(gradients) + largestValue) +
               kConditioning * sensitivity,
           "gradients against J^T e");
}
