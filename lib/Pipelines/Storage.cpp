//===- Storage.cpp - Memory that derivatives may take to save time --------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Pipelines/Storage.h"
#include "memrev/Analysis/MemoryPlan.h"
#include "memrev/Dialect/Rev/IR/Rev.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

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

bool memrev::setStorage(ModuleOp module, StringRef entry, int64_t bytes) {
  SymbolTable symbols(module);
  llvm::SetVector<func::FuncOp> reached;
  auto reach = [&](StringRef name) {
    auto function = symbols.lookup<func::FuncOp>(name);
    if (function)
      reached.insert(function);
    return function;
  };
  reach(entry);
  bool isAnySet = false;
  for (size_t i = 0; i < reached.size(); ++i) {
    func::FuncOp current = reached[i];
    current.walk([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op))
        reach(call.getCallee());
      StringRef name = getInverted(op);
      if (name.empty())
        return;
      func::FuncOp function = reach(name);
      if (!function)
        return;
      auto known = function->getAttrOfType<IntegerAttr>(kStorageAttrName);
      int64_t fewest = known ? std::min(known.getInt(), bytes) : bytes;
      function->setAttr(kStorageAttrName,
                        Builder(module.getContext()).getI64IntegerAttr(fewest));
      isAnySet = true;
    });
  }
  return isAnySet;
}

std::optional<int64_t> memrev::getMemoryBudget(ModuleOp module,
                                               StringRef entry) {
  auto function = module.lookupSymbol<func::FuncOp>(entry);
  auto budget =
      function ? function->getAttrOfType<IntegerAttr>(kMemoryBudgetAttrName)
               : IntegerAttr();
  return budget ? std::optional(budget.getInt()) : std::nullopt;
}
