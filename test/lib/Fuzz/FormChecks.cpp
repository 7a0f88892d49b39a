//===- FormChecks.cpp - Checks what gradients are made into ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "Native.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

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
    std::optional<unsigned> overwritten;
    std::optional<Values> native =
        runNative(program, derived, arguments, error, overwritten);
    if (overwritten) {
      fail("native-" + name,
           "argument " + std::to_string(*overwritten) + " was overwritten");
      return;
    }
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
