//===- Checks.cpp - Checks derivatives of a program -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checks.h"
#include "Native.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

//===----------------------------------------------------------------------===//
// Tolerances
//===----------------------------------------------------------------------===//

/// What double precision leaves of two ways to compute the same, relative to
/// the largest number.
static constexpr double kRounding = 1e-12;
/// How much larger an error may be than a perturbation of the arguments by
/// rounding shows.
static constexpr double kConditioning = 100;
/// The nearest kink relative to the longest step of a difference.
static constexpr double kMargin = 1e-3;
/// Differences agree to this, relative to the sum of the terms' magnitudes, and
/// to what two steps of different lengths differ by.
static constexpr double kDifference = 1e-7;
static constexpr double kStep = 1e-3;

namespace {

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

} // namespace

Values Checker::move(const Values &x, double factor, const Values &v) const {
  Values moved = x;
  for (auto [n, argument] : llvm::enumerate(signature.wrt))
    moved[argument] = axpy({x[argument]}, factor, {v[n]}).front();
  return moved;
}

Values Checker::join(const Values &a, const Values &b) const {
  Values joined = a;
  joined.append(b.begin(), b.end());
  return joined;
}

Values Checker::takeOf(const Values &all) const {
  Values taken;
  for (int64_t n : signature.of)
    taken.push_back(all[n]);
  return taken;
}

void Checker::countUnsupported(const std::string &what,
                               const std::string &error) {
  // Numbers and maps differ from program to program.
  StringRef line = StringRef(error).split('\n').first;
  std::string text = what + ": ";
  for (StringRef type : {"affine_map<", "'tensor<"})
    line = line.split(type).first;
  for (char c : line)
    if (!llvm::isDigit(c) || text.back() != '#')
      text += llvm::isDigit(c) ? '#' : c;
  for (const std::string &wanted : options.errors)
    if (StringRef(text).contains(wanted))
      fail("error", error);
  auto &[count, first] = counts.unsupported[text];
  if (count++ == 0)
    first = seed;
}

std::optional<DerivedModule> Checker::tryDerive(ArrayRef<Derived> derived) {
  std::string name;
  for (Derived one : derived)
    name += (name.empty() ? "" : "+") + getName(one).str();
  DerivedModule result = derive(program, derived, /*strongZero=*/seed % 5 == 0);
  if (result.error.empty())
    return result;
  if (!result.isLocated) {
    fail("invalid-" + name, result.error);
    return std::nullopt;
  }
  countUnsupported(name, result.error);
  return std::nullopt;
}

std::optional<Values> Checker::call(DerivedModule &derived, StringRef name,
                                    const Values &arguments) {
  Interpreter run(*derived.module);
  Interpreter::Options runOptions;
  runOptions.round = false;
  FailureOr<SmallVector<Datum>> values = run.call(name, arguments, runOptions);
  if (failed(values)) {
    fail("run-" + name.str(), run.getError());
    return std::nullopt;
  }
  return *values;
}

//===----------------------------------------------------------------------===//
// The point
//===----------------------------------------------------------------------===//

bool Checker::choosePoint() {
  interpreter = std::make_unique<Interpreter>(*function.module);
  for (int tries = 0; tries < 20; ++tries) {
    point = sampleArguments(signature.func, rng);
    Kinks kinks;
    Interpreter::Options runOptions;
    runOptions.round = false;
    runOptions.kinks = &kinks;
    runOptions.largest = &largestValue;
    largestValue = 0;
    FailureOr<SmallVector<Datum>> values =
        interpreter->call("f", point, runOptions);
    if (failed(values)) {
      fail("run-f", interpreter->getError());
      return false;
    }
    results = *values;
    decisions = kinks.decisions;
    // At any point, smooth or not: lowering that is wrong makes none smooth.
    if (tries == 0)
      checkLowering();
    if (finding)
      return false;
    double size = largest(takeOf(results));
    if (kinks.margin < kMargin || !std::isfinite(size) || largestValue > 1e6)
      continue;
    Values moving;
    for (int64_t n : signature.wrt)
      moving.push_back(point[n]);
    direction = sampleLike(moving, rng);
    weights = sampleLike(takeOf(results), rng);
    perturbed = point;
    for (int64_t n : signature.wrt)
      for (Cell &cell : perturbed[n].write())
        cell.real *= 1 + rng.uniform(-2e-15, 2e-15);
    // The largest step must meet no kink.
    if (!phi(kStep) || !phi(-kStep))
      continue;
    return true;
  }
  if (!finding)
    ++counts.rejected;
  return false;
}

/// What lowering makes of the program computes the same.
void Checker::checkLowering() {
  bool isLowered = false;
  program.walk([&](Operation *op) {
    isLowered |= op->getName().getDialectNamespace() == "rev";
  });
  if (isLowered)
    return;
  Interpreter run(program);
  Interpreter::Options runOptions;
  runOptions.round = false;
  FailureOr<SmallVector<Datum>> values = run.call("f", point, runOptions);
  if (failed(values))
    fail("run-program", run.getError());
  else
    expect("lowering", difference(*values, results),
           kRounding * (std::isfinite(largestValue) ? 1 + largestValue : 1),
           "the program against its lowering");
}

/// <w, f(x + h v)>; none if a kink lies between.
std::optional<double> Checker::phi(double h) {
  Kinks kinks;
  Interpreter::Options runOptions;
  runOptions.round = false;
  runOptions.kinks = &kinks;
  FailureOr<SmallVector<Datum>> values =
      interpreter->call("f", move(point, h, direction), runOptions);
  if (failed(values)) {
    fail("run-f", interpreter->getError());
    return std::nullopt;
  }
  if (kinks.decisions != decisions)
    return std::nullopt;
  double value = dot(weights, takeOf(*values));
  if (!std::isfinite(value))
    return std::nullopt;
  return value;
}

//===----------------------------------------------------------------------===//
// The checks
//===----------------------------------------------------------------------===//

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

void Checker::checkSecondOrder() {
  if (gradient.empty())
    return;
  std::optional<DerivedModule> derived = tryDerive({Derived::JvpOfVjp});
  if (derived) {
    StringRef name = getName(Derived::JvpOfVjp);
    auto product = [&](const Values &v) -> std::optional<Values> {
      std::optional<Values> all =
          call(*derived, name, join(join(point, weights), v));
      if (!all)
        return std::nullopt;
      return Values(all->begin() + direction.size(), all->end());
    };
    Values other = sampleLike(direction, rng);
    std::optional<Values> hv = product(direction), hu = product(other);
    if (!hv || !hu)
      return;
    ++counts.passed["hessian-finite"];
    if (!std::isfinite(largest(*hv))) {
      fail("hessian-finite", "a second derivative of a smooth point is not "
                             "finite");
      return;
    }
    double sizeU, sizeV;
    double uhv = dot(other, *hv, &sizeU), vhu = dot(direction, *hu, &sizeV);
    expect(
        "hessian-symmetric", std::abs(uhv - vhu),
        1e-10 * (sizeU + sizeV + largestValue * (1 + largest(gradient))),
        llvm::formatv("<u, H v> = {0:e} against <v, H u> = {1:e}", uhv, vhu));
    // Differences of the gradient.
    auto gradientAt = [&](double h) {
      return call(*reverse, getName(Derived::VjpStore),
                  join(move(point, h, direction), weights));
    };
    auto quotient = [&](double h) -> std::optional<Values> {
      std::optional<Values> a = gradientAt(h), b = gradientAt(-h),
                            c = gradientAt(2 * h), d = gradientAt(-2 * h);
      if (!a || !b || !c || !d)
        return std::nullopt;
      Values inner = axpy(*a, -1, *b), outer = axpy(*c, -1, *d);
      Values sum = axpy(inner, -0.125, outer), zero = axpy(inner, -1, inner);
      return axpy(zero, 8 / (12 * h), sum);
    };
    std::optional<Values> coarse = quotient(kStep / 2),
                          fine = quotient(kStep / 4);
    if (!coarse || !fine)
      return;
    double curvature = difference(*coarse, *fine);
    double scale = largest(*hv) + largest(*fine);
    double rounding = 1e-15 * (largest(gradient) + largestValue) / kStep * 50 +
                      sensitivity / kStep * 10;
    if (std::isfinite(scale) && curvature > 1e-4 * scale + 100 * rounding)
      return;
    expect("hessian-differences", difference(*fine, *hv),
           (kDifference + 16 * unit) * (scale + largest(gradient)) +
               4 * curvature + rounding,
           "jvp of vjp against differences of vjp");

    std::optional<DerivedModule> twice = tryDerive({Derived::VjpOfVjp});
    if (!twice)
      return;
    std::optional<Values> transposed =
        call(*twice, getName(Derived::VjpOfVjp),
             join(join(point, weights), direction));
    if (transposed)
      expect("vjp-of-vjp", difference(*transposed, *hv),
             1e-10 * (scale + largestValue * (1 + largest(gradient))),
             "vjp of vjp against jvp of vjp");
  }
}

void Checker::checkSplit() {
  if (gradient.empty())
    return;
  // The split form takes cotangents of every float result.
  SmallVector<int64_t> floats;
  for (auto [n, type] : llvm::enumerate(signature.func.getResultTypes()))
    if (isa<FloatType>(getElementTypeOrSelf(type)))
      floats.push_back(n);
  Values cotangents;
  for (int64_t n : floats) {
    auto found = llvm::find(signature.of, n);
    if (found != signature.of.end()) {
      cotangents.push_back(weights[found - signature.of.begin()]);
      continue;
    }
    Values like = {results[n]};
    cotangents.push_back(axpy(like, -1, like).front());
    // Infinite results have no difference.
    for (Cell &cell : cotangents.back().write())
      cell.real = 0;
  }
  DerivedModule derived = split(program);
  if (!derived.error.empty()) {
    if (!derived.isLocated)
      fail("invalid-split", derived.error);
    else
      countUnsupported("split", derived.error);
    return;
  }
  std::optional<Values> all = call(derived, "f_fwd", point);
  if (!all)
    return;
  Values values(all->begin(), all->begin() + results.size());
  ++counts.passed["split-primal"];
  if (!isSame(values, results)) {
    fail("split-primal", "the results of f_fwd are not those of f");
    return;
  }
  auto backward = derived.module->lookupSymbol<func::FuncOp>("f_bwd");
  Values inputs;
  size_t saved = results.size();
  for (unsigned n = 0; n < backward.getNumArguments(); ++n) {
    auto source = backward.getArgAttrOfType<StringAttr>(n, "rev.residual");
    if (!source)
      break;
    auto [kind, number] = source.getValue().split(' ');
    size_t position = 0;
    (void)number.getAsInteger(10, position);
    inputs.push_back(kind == "argument" ? point[position]
                     : kind == "result" ? results[position]
                                        : (*all)[saved++]);
  }
  inputs.append(cotangents.begin(), cotangents.end());
  if (inputs.size() != backward.getNumArguments()) {
    fail("split", "f_bwd has other arguments than residuals and cotangents");
    return;
  }
  std::optional<Values> gradients = call(derived, "f_bwd", inputs);
  if (gradients)
    expect("split", difference(*gradients, gradient),
           kRounding * (largest(gradient) + largestValue) +
               kConditioning * sensitivity,
           "the split form against vjp");
}

void Checker::checkNative() {
  if (gradient.empty() || !isNativeCallable(program))
    return;
  for (Derived derived : {Derived::VjpStore, Derived::VjpInvert}) {
    std::optional<DerivedModule> lowered = tryDerive({derived});
    if (!lowered)
      return;
    std::string name = getName(derived).str(), error;
    // Weights that the types can hold, so that both compute with the same.
    Values rounded = weights;
    for (auto [n, type] : llvm::enumerate(signature.typesOf()))
      for (Cell &cell : rounded[n].write())
        cell.real = roundTo(getElementKind(type)->kind, cell.real);
    Values arguments = join(point, rounded);
    std::optional<Values> native =
        runNative(program, derived, arguments, error);
    if (!native) {
      countUnsupported("native " + name, error);
      continue;
    }
    // What the machine computes is rounded.
    Interpreter run(*lowered->module);
    FailureOr<SmallVector<Datum>> expected =
        run.call(name, arguments, Interpreter::Options());
    if (failed(expected)) {
      fail("run-" + name, run.getError());
      return;
    }
    double size = largest(gradient) + largestValue;
    // Shapes of scalars differ: a scalar result is an array of rank 0.
    double difference = 0;
    for (auto [a, c] : llvm::zip_equal(*native, *expected))
      for (auto [x, y] : llvm::zip_equal(a.read(), c.read())) {
        double d = std::abs(x.real - y.real);
        if (!(d <= difference))
          difference = std::isnan(d) ? INFINITY : d;
      }
    expect("native-" + name, difference,
           (100 * kRounding + 1000 * unit) * size + kConditioning * sensitivity,
           "machine code against the interpreter");
  }
}

/// The relative distance of neighbours in `type`; 0 for f64 and integers.
static double getUnit(Type type) {
  std::optional<ElementKind> kind = getElementKind(type);
  if (!kind)
    return 0;
  switch (kind->kind) {
  case NumberKind::F32:
    return 0x1p-23;
  case NumberKind::F16:
    return 0x1p-10;
  case NumberKind::BF16:
    return 0x1p-7;
  default:
    return 0;
  }
}

std::optional<Finding> Checker::run() {
  if (signature.wrt.empty() || signature.of.empty())
    return std::nullopt;
  program.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      unit = std::max(unit, getUnit(type));
  });
  for (Type type : signature.func.getArgumentTypes())
    unit = std::max(unit, getUnit(type));
  function = derive(program, {});
  if (!function.error.empty())
    return Finding{"lower", function.error};
  if (!choosePoint())
    return finding;
  checkReverse();
  if (!finding && !gradient.empty()) {
    checkDifferences();
    checkTaylor();
  }
  if (!finding)
    checkForward();
  if (!finding)
    checkValueAndGrad();
  if (!finding && options.secondOrder)
    checkSecondOrder();
  if (!finding && options.split)
    checkSplit();
  if (!finding && options.native)
    checkNative();
  return finding;
}

std::optional<Finding> mlir::memrev::testing::check(ModuleOp program,
                                                    uint64_t seed,
                                                    const CheckOptions &options,
                                                    CheckCounts &counts) {
  Checker checker(program, seed, options, counts);
  return checker.run();
}
