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
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::memrev {
#define GEN_PASS_DEF_REVPLAN
#include "memrev/Transforms/Passes.h.inc"
} // namespace mlir::memrev

using namespace mlir;
using namespace mlir::memrev;

/// The function that `op` differentiates by inversion, or an empty name.
static StringRef getInverted(Operation *op) {
  if (auto vjp = dyn_cast<rev::VjpOp>(op))
    return vjp.getPolicy() == rev::Policy::Invert ? vjp.getCallee() : "";
  if (auto grad = dyn_cast<rev::ValueAndGradOp>(op))
    return grad.getPolicy() == rev::Policy::Invert ? grad.getCallee() : "";
  return "";
}

using Functions = llvm::SetVector<func::FuncOp>;

static void add(StringRef name, const SymbolTable &symbols,
                Functions &functions) {
  if (auto function = symbols.lookup<func::FuncOp>(name))
    functions.insert(function);
}

/// What the transforms of a program, or those to come of the functions
/// `derived`, differentiate more than once. Its derivatives store as by
/// default: the loops of checkpoints have no lengths that tapes could be made
/// for.
static Functions findDifferentiatedAgain(ModuleOp module,
                                         ArrayRef<std::string> derived,
                                         const SymbolTable &symbols) {
  auto getTransformed = [](Operation *op) {
    return rev::isTransform(op)
               ? op->getAttrOfType<FlatSymbolRefAttr>("callee").getValue()
               : StringRef();
  };
  Functions again, inside;
  for (StringRef name : derived)
    add(name, symbols, inside);
  module.walk([&](Operation *op) { add(getTransformed(op), symbols, inside); });
  for (size_t i = 0; i < inside.size(); ++i) {
    func::FuncOp current = inside[i];
    current.walk([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op))
        add(call.getCallee(), symbols, inside);
      add(getTransformed(op), symbols, again);
    });
  }
  return again;
}

/// Lets what `entry` differentiates store `bytes`, but for `again`.
static void setStorage(func::FuncOp entry, int64_t bytes,
                       const Functions &again, const SymbolTable &symbols) {
  Builder builder(entry.getContext());
  Functions reached, differentiated;
  reached.insert(entry);
  for (size_t i = 0; i < reached.size(); ++i) {
    func::FuncOp current = reached[i];
    current.walk([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op))
        add(call.getCallee(), symbols, reached);
      else
        add(getInverted(op), symbols, differentiated);
    });
  }
  for (func::FuncOp function : differentiated) {
    if (again.contains(function))
      continue;
    auto known = function->getAttrOfType<IntegerAttr>(kStorageAttrName);
    int64_t fewest = known ? std::min(known.getInt(), bytes) : bytes;
    function->setAttr(kStorageAttrName, builder.getI64IntegerAttr(fewest));
  }
}

namespace {

struct RevPlan final : memrev::impl::RevPlanBase<RevPlan> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    if (failed(setStorages(symbols)))
      return signalPassFailure();
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

private:
  LogicalResult setStorages(const SymbolTable &symbols) {
    Functions again = findDifferentiatedAgain(
        getOperation(), ArrayRef<std::string>(derived), symbols);
    for (StringRef text : storage) {
      auto [name, number] = text.rsplit('=');
      auto entry = symbols.lookup<func::FuncOp>(name);
      int64_t bytes = 0;
      if (!entry || number.getAsInteger(10, bytes))
        return emitError(getOperation().getLoc(),
                         "expects option 'storage' to hold a function, '=' and "
                         "bytes, but got '")
               << text << "'";
      setStorage(entry, bytes, again, symbols);
    }
    return success();
  }
};

} // namespace
