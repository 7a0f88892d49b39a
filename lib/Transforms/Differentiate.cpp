//===- Differentiate.cpp - Replace transforms by derived functions --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DerivedFunctions.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_REVDIFFERENTIATE
#include "memrev/Transforms/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {

struct RevDifferentiate final
    : memrev::impl::RevDifferentiateBase<RevDifferentiate> {
  using Base::Base;

  StringRef getFunction() const { return function.getValue(); }

  void runOnOperation() override {
    if (function.empty() && (!wrt.empty() || !of.empty() || !donate.empty() ||
                             strongZero || storage.hasValue())) {
      emitError(getOperation().getLoc(),
                "expects option 'function' with options 'wrt', 'of', 'donate', "
                "'strong-zero' and 'storage', but got none");
      return signalPassFailure();
    }
    FailureOr<CostModel> costs = CostModel::get(getOperation());
    if (failed(costs))
      return signalPassFailure();
    DerivedFunctions derived(getOperation(), *costs);
    if (auto target = getOperation().lookupSymbol<func::FuncOp>(function);
        target && mode != "jvp")
      derived.addReversed(target);
    if (failed(derived.addDriftChecks()) || failed(derived.expandAll()) ||
        (!function.empty() && failed(deriveNamed(derived))))
      return signalPassFailure();
    derived.addReport();
    erasePlan(getOperation());
  }

  /// Derives the function that the options name.
  LogicalResult deriveNamed(DerivedFunctions &derived) {
    Location loc = getOperation().getLoc();
    auto target = getOperation().lookupSymbol<func::FuncOp>(function);
    if (!target)
      return emitError(loc, "expects option 'function' to name a function, but "
                            "got '")
             << function << "'";
    if (!hasCustomRule(target) && !llvm::hasSingleElement(target.getBody()))
      return target.emitError("expects a function with a body of one block");
    std::optional<rev::Policy> parsed = rev::symbolizePolicy(policy);
    if (!parsed)
      return emitError(loc, "expects option 'policy' to be 'invert' or "
                            "'store', but got '")
             << policy << "'";
    if (mode != "vjp" && mode != "value_and_grad" && mode != "jvp" &&
        mode != "split")
      return emitError(loc, "expects option 'mode' to be 'vjp', "
                            "'value_and_grad', 'jvp' or 'split', but got '")
             << mode << "'";
    if (failed(verifyOptions(loc)))
      return failure();
    FailureOr<SmallVector<int64_t>> arguments =
        select(target, "wrt", "arguments", wrt, target.getArgumentTypes());
    FailureOr<SmallVector<int64_t>> results =
        select(target, "of", "results", of, target.getResultTypes());
    if (failed(arguments) || failed(results))
      return failure();
    FailureOr<func::FuncOp> result = failure();
    if (mode == "jvp") {
      result = derived.getTangent(
          {target, *arguments, *results, strongZero, target.getLoc()});
    } else {
      DerivativeRequest request{target,  *arguments, *results,       false,
                                *parsed, strongZero, target.getLoc()};
      if (storage.hasValue())
        request.storage = storage;
      if (mode == "split")
        return addSplit(derived, target, request);
      if (mode == "value_and_grad") {
        request.isValueAndGrad = true;
        request.of.clear();
        if (failed(verifyLoss(target)))
          return failure();
      }
      result = derived.getDerivative(request);
    }
    if (failed(result))
      return failure();
    result->setPublic();
    return success();
  }

  /// Verifies that the mode has a use for the options that not all have.
  LogicalResult verifyOptions(Location loc) {
    if (mode == "value_and_grad" && !of.empty())
      return emitError(loc, "expects no option 'of' with mode "
                            "'value_and_grad', which differentiates result 0");
    if (mode != "split" && !donate.empty())
      return emitError(loc,
                       "expects option 'donate' with mode 'split', but got "
                       "mode '")
             << mode << "'";
    for (StringRef what : donate)
      if (what != "saved" && what != "results" && what != "cotangents")
        return emitError(loc, "expects option 'donate' to hold 'saved', "
                              "'results' and 'cotangents', but got '")
               << what << "'";
    return success();
  }

  /// The numbers that an option lists, or all of differentiable `types`.
  static FailureOr<SmallVector<int64_t>>
  select(func::FuncOp target, StringRef option, StringRef what,
         ArrayRef<int64_t> numbers, TypeRange types) {
    if (numbers.empty())
      return rev::getDifferentiated(std::nullopt, types);
    llvm::SmallDenseSet<int64_t> seen;
    for (int64_t i : numbers) {
      if (i < 0 || i >= static_cast<int64_t>(types.size()) ||
          !rev::isDifferentiable(types[i]))
        return target.emitError("expects option '")
               << option << "' to hold numbers of " << what
               << " with a float element type, but got " << i;
      if (!seen.insert(i).second)
        return target.emitError("expects option '")
               << option << "' to hold distinct numbers, but got " << i
               << " twice";
    }
    return SmallVector<int64_t>(numbers);
  }

  /// Verifies that result 0 of `target` can be a loss.
  LogicalResult verifyLoss(func::FuncOp target) {
    if (target.getNumResults() != 0) {
      Type loss = target.getResultTypes()[0];
      auto tensor = dyn_cast<RankedTensorType>(loss);
      if (rev::isDifferentiable(loss) &&
          isa<FloatType>(getElementTypeOrSelf(loss)) &&
          (!tensor || tensor.getRank() == 0))
        return success();
    }
    return target.emitError("expects a function with a float as result 0 for "
                            "mode 'value_and_grad'");
  }

  /// Adds `@f_fwd` and `@f_bwd`, and says where residuals come from.
  LogicalResult addSplit(DerivedFunctions &derived, func::FuncOp target,
                         const DerivativeRequest &request) {
    FailureOr<SplitFunctions> split = derived.getSplit(request);
    if (failed(split))
      return failure();
    func::FuncOp forward = split->forward, backward = split->backward;
    forward.setPublic();
    backward.setPublic();
    Builder builder(&getContext());
    auto donateArgument = [&](unsigned number, StringRef what) {
      if (llvm::is_contained(donate, what))
        backward.setArgAttr(number, rev::kDonatedAttrName,
                            builder.getUnitAttr());
    };
    // The parameters of both are those of the function under their names, or
    // cotangents of those.
    auto getArgumentName = [&](unsigned number) {
      return target.getArgAttrOfType<StringAttr>(number, rev::kNameAttrName);
    };
    auto getResultName = [&](unsigned number) {
      return target.getResultAttrOfType<StringAttr>(number, rev::kNameAttrName);
    };
    auto getCotangentName = [&](StringAttr name) {
      return name ? builder.getStringAttr("d." + name.getValue()) : name;
    };
    auto nameArgument = [](func::FuncOp func, unsigned number,
                           StringAttr name) {
      if (name)
        func.setArgAttr(number, rev::kNameAttrName, name);
    };
    auto nameResult = [](func::FuncOp func, unsigned number, StringAttr name) {
      if (name)
        func.setResultAttr(number, rev::kNameAttrName, name);
    };
    for (unsigned i = 0; i < target.getNumArguments(); ++i)
      nameArgument(forward, i, getArgumentName(i));
    for (unsigned i = 0; i < target.getNumResults(); ++i)
      nameResult(forward, i, getResultName(i));

    using Residual = SplitFunctions::Residual;
    for (auto [i, residual] : llvm::enumerate(split->residuals)) {
      std::string origin;
      switch (residual.kind) {
      case Residual::Argument:
        origin = "argument " + std::to_string(residual.number);
        nameArgument(backward, i, getArgumentName(residual.number));
        break;
      case Residual::Result:
        origin = "result " + std::to_string(residual.number);
        nameArgument(backward, i, getResultName(residual.number));
        donateArgument(i, "results");
        break;
      case Residual::Saved:
        origin = "saved " + std::to_string(residual.number);
        donateArgument(i, "saved");
        break;
      }
      backward.setArgAttr(i, rev::kResidualAttrName,
                          builder.getStringAttr(origin));
    }
    unsigned next = split->residuals.size();
    for (int64_t number : request.of) {
      nameArgument(backward, next, getCotangentName(getResultName(number)));
      donateArgument(next++, "cotangents");
    }
    for (auto [i, number] : llvm::enumerate(request.wrt))
      nameResult(backward, i, getCotangentName(getArgumentName(number)));
    return success();
  }
};

} // namespace

StringRef memrev::getDifferentiatedFunction(const Pass &pass) {
  assert(pass.getTypeID() == TypeID::get<RevDifferentiate>() &&
         "expects a pass rev-differentiate");
  return static_cast<const RevDifferentiate &>(pass).getFunction();
}
