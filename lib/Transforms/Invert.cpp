//===- Invert.cpp - Add the inverse of a function -------------------------===//
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
#define GEN_PASS_DEF_REVINVERT
#include "memrev/Transforms/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {
struct RevInvert final : memrev::impl::RevInvertBase<RevInvert> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(addInverse()))
      signalPassFailure();
  }

  LogicalResult addInverse() {
    Location loc = getOperation().getLoc();
    auto target = getOperation().lookupSymbol<func::FuncOp>(function);
    if (!target)
      return emitError(loc, "expects option 'function' to name a function, but "
                            "got '")
             << function << "'";
    if (!target->hasAttr(rev::kInverseAttrName) &&
        !llvm::hasSingleElement(target.getBody()))
      return target.emitError("expects a function with a body of one block");
    SmallVector<int64_t> arguments(ArrayRef<int64_t>{wrt});
    if (arguments.empty())
      arguments.push_back(0);
    llvm::SmallDenseSet<int64_t> seen;
    for (int64_t i : arguments)
      if (i < 0 || i >= static_cast<int64_t>(target.getNumArguments()) ||
          !seen.insert(i).second)
        return target.emitError("expects option 'wrt' to hold distinct numbers "
                                "of arguments below ")
               << target.getNumArguments() << ", but got " << i;
    FailureOr<CostModel> costs = CostModel::get(getOperation());
    if (failed(costs))
      return failure();
    DerivedFunctions derived(getOperation(), *costs);
    FailureOr<func::FuncOp> inverse =
        derived.getInverse(target, arguments, target.getLoc());
    if (failed(inverse))
      return failure();
    inverse->setPublic();
    return success();
  }
};
} // namespace
