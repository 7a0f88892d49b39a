//===- Plan.cpp - Choose how derivatives get primal values back -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "memrev/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_REVPLAN
#include "memrev/Transforms/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

namespace {

struct RevPlan final : memrev::impl::RevPlanBase<RevPlan> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    // The function that follows each policy, by the function it comes from.
    llvm::MapVector<std::pair<Operation *, rev::Policy>, func::FuncOp> planned;
    getOperation()->walk([&](Operation *op) {
      FlatSymbolRefAttr callee;
      rev::Policy policy;
      if (auto vjp = dyn_cast<rev::VjpOp>(op)) {
        callee = vjp.getCalleeAttr();
        policy = vjp.getPolicy();
      } else if (auto grad = dyn_cast<rev::ValueAndGradOp>(op)) {
        callee = grad.getCalleeAttr();
        policy = grad.getPolicy();
      } else {
        return;
      }
      auto function = symbols.lookup<func::FuncOp>(callee.getValue());
      func::FuncOp &target = planned[{function, policy}];
      if (!target) {
        target = function;
        rev::Policy other = policy == rev::Policy::Invert ? rev::Policy::Store
                                                          : rev::Policy::Invert;
        if (planned.contains({function, other})) {
          target = function.clone();
          target.setPrivate();
          target.setName(
              (function.getName() + "_" + rev::stringifyPolicy(policy)).str());
          symbols.insert(target, std::next(function->getIterator()));
        }
        planFunction(target, policy);
      }
      op->setAttr("callee", FlatSymbolRefAttr::get(target.getSymNameAttr()));
    });
  }
};

} // namespace
