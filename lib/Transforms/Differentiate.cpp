//===- Differentiate.cpp - Replace function transforms by derived functions
//===//
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

  void runOnOperation() override {
    DerivedFunctions derived(getOperation());
    if (failed(derived.expandAll()) ||
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
    if (!llvm::hasSingleElement(target.getBody()))
      return target.emitError("expects a function with a body of one block");
    std::optional<rev::Policy> parsed = rev::symbolizePolicy(policy);
    if (!parsed)
      return emitError(loc, "expects option 'policy' to be 'invert' or "
                            "'store', but got '")
             << policy << "'";
    if (mode != "vjp" && mode != "split")
      return emitError(loc, "expects option 'mode' to be 'vjp' or 'split', but "
                            "got '")
             << mode << "'";
    std::optional<ArrayRef<int64_t>> indices;
    if (!wrt.empty())
      indices = ArrayRef<int64_t>(wrt);
    DerivativeRequest request{target, {}, {}, false, *parsed, target.getLoc()};
    request.wrt = rev::getDifferentiated(indices, target.getArgumentTypes());
    request.of = rev::getDifferentiated(std::nullopt, target.getResultTypes());
    for (int64_t i : request.wrt)
      if (i < 0 || i >= static_cast<int64_t>(target.getNumArguments()) ||
          !rev::isDifferentiable(target.getArgumentTypes()[i]))
        return target.emitError("expects option 'wrt' to hold numbers of "
                                "arguments with a float element type, but got ")
               << i;
    if (mode == "split")
      return derived.addSplit(request);
    FailureOr<func::FuncOp> result = derived.getDerivative(request);
    if (failed(result))
      return failure();
    result->setPublic();
    return success();
  }
};

} // namespace
