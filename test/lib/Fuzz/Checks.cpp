//===- Checks.cpp - Checks derivatives of a program -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;
using namespace mlir::memrev::testing;

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
// All checks
//===----------------------------------------------------------------------===//

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
